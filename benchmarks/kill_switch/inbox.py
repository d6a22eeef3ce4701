"""Where notifications arrive."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any, ClassVar


class Inbox(BaseHTTPRequestHandler):
    """Takes notifications and notes when those of a breach came."""

    came: ClassVar[list[datetime]] = []

    def do_POST(self) -> None:
        """A notification; those of a pause are what is waited for."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if b"Paused" in body:
            self.came.append(datetime.now(UTC))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def inbox() -> Iterator[str]:
    """The URL to notify, while the block runs."""
    server = HTTPServer(("127.0.0.1", 0), Inbox)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"json://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()

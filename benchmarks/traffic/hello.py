"""The floor of all traffic: the gateway's own server with the least application there is."""

import asyncio
from typing import Any

from gateway.server import create_server, loop_factory
from runtime.settings import load_settings

_HEAD = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]}
_BODY = {"type": "http.response.body", "body": b"hello"}


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """Says hello, whatever is asked."""
    if scope["type"] == "http":
        await send(_HEAD)
        await send(_BODY)
        return
    for step in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{step}.complete"})


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(create_server(hello, load_settings()).serve())

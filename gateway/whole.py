"""An answer written whole: head and body with one system call.

uvicorn writes the one after the other, and its event loop sends each at once. The second call would take
longer than all that we do for an idle poll.
"""

from collections.abc import Iterable
from functools import cached_property

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HEADER_VALUE_RE, STATUS_LINE, RequestResponseCycle

#: Names and values.
Headers = Iterable[tuple[bytes, bytes]]


class Whole(Response):
    """An answer whose own lines are put together once: of most polls many are given the same."""

    @cached_property
    def lines(self) -> bytes:
        """Its headers as they are sent."""
        return _lines(self.raw_headers)


async def answer(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Send a response: whole where nothing stands between us and the connection, else as its kind does."""
    cycle = getattr(send, "__self__", None)
    if (
        type(response) in (Response, Whole)
        and isinstance(cycle, RequestResponseCycle)
        and not cycle.flow.write_paused
    ):
        write(cycle, response)
    else:
        await response(scope, receive, send)


def write(cycle: RequestResponseCycle, response: Response) -> None:
    """Answer a request and end it, as ``RequestResponseCycle.send`` does at two times."""
    if cycle.disconnected or cycle.transport.is_closing():
        return
    answered = text(response, cycle.default_headers, keep_alive=cycle.keep_alive)
    if cycle.scope["method"] == "HEAD":
        answered = answered.removesuffix(response.body)
    cycle.response_started = cycle.response_complete = True
    cycle.waiting_for_100_continue = False
    cycle.transport.write(answered)
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()


def text(response: Response, default_headers: Headers, *, keep_alive: bool) -> bytes:
    """An answer as it is sent.

    Args:
        default_headers: the server's own.
        keep_alive: whether the connection stays.
    """
    pieces = [STATUS_LINE[response.status_code]]
    for name, value in default_headers:
        pieces += (name, b": ", value, b"\r\n")
    pieces.append(response.lines if isinstance(response, Whole) else _lines(response.raw_headers))
    if not keep_alive:
        pieces.append(b"connection: close\r\n")
    pieces += (b"\r\n", bytes(response.body))
    return b"".join(pieces)


def _lines(headers: Headers) -> bytes:
    pieces: list[bytes] = []
    for name, value in headers:
        if HEADER_VALUE_RE.search(value):
            raise RuntimeError("Invalid HTTP header value.")
        pieces += (name, b": ", value, b"\r\n")
    return b"".join(pieces)

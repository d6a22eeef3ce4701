"""One client's connection: uvicorn's, with bounds it does not have, and the name in the client's certificate.

A request that never ends, or does not come, would hold memory or a connection for good.

The polls and reports of known vehicles (gateway/short_way.py) take no task and no request: either would cost
more than the answer. While one of them is answered uvicorn knows nothing of it, and what comes behind it
waits here.
"""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

from starlette.responses import Response
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from gateway import whole
from gateway.short_way import ShortWay
from gateway.tls import COMMON_NAME, name_of

#: The request line and all headers. The longest known are some hundred bytes.
HEAD_MAX_BYTES = 32 * 1024
#: From the first byte of a request to its last, and before the first one: a report over a slow mobile network
#: takes seconds.
REQUEST_SECONDS = 30.0


class Connection(HttpToolsProtocol):
    """HTTP/1.1 on one connection, by httptools."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._in_head = True
        self._in_request = True
        self._began = False
        self._head_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._common_name: str | None = None
        #: Of the gateway's application; another one has none.
        self._short_ways: Sequence[ShortWay[Any]] = getattr(self.app, "short_ways", ())
        self._in_message = False
        #: A request is answered that uvicorn knows nothing of; what came behind it.
        self._answering = False
        self._behind = b""
        #: Its answer ends the connection.
        self._last = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._common_name = name_of(transport.get_extra_info("peercert"))
        self._time()

    def connection_lost(self, exc: Exception | None) -> None:
        self._in_request = False
        self._time()
        # What was not begun: each of them and the connection would keep the other in memory.
        for cycle, _ in self.pipeline:
            _let_go(cycle)
        self.pipeline.clear()
        self._behind = b""
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._answering:
            self._behind += data
            if len(self._behind) > HIGH_WATER_LIMIT:
                self.flow.pause_reading()
        elif not self._takes_short_way(data):
            self._request(data)

    def shutdown(self) -> None:
        if self._answering:
            self._last = True
        else:
            super().shutdown()

    def _takes_short_way(self, data: bytes) -> bool:
        """Whether this is a request, alone and in order, of a known vehicle; then it is answered later."""
        cycle: RequestResponseCycle | None = self.cycle
        if self._in_message or (cycle is not None and not cycle.response_complete):
            return False  # what came before is not answered
        if self.flow.write_paused or self.transport.is_closing():
            return False
        for way in self._short_ways:
            if way.offer(data, self.client, partial(self._answered, data)):
                self._answering = True
                self._unset_keepalive_if_required()
                self._stop()
                return True
        return False

    def _answered(self, data: bytes, answer: Response | None) -> None:
        self._answering = False
        behind, self._behind = self._behind, b""
        if self.transport.is_closing():
            return
        if answer is None:
            self._request(data + behind)
            if self._last:
                super().shutdown()
            return
        default_headers = self.server_state.default_headers
        try:
            text = whole.text(answer, default_headers, keep_alive=not self._last)
        except Exception:
            self.transport.close()  # nobody else would answer it
            raise
        self.transport.write(text)
        if self._last:
            self.transport.close()
            return
        self._in_request = False
        self._head_bytes = 0
        self.on_response_complete()
        if behind:
            self.data_received(behind)

    def _request(self, data: bytes) -> None:
        """The usual way."""
        before = self.cycle
        between = not self._in_message
        super().data_received(data)
        cycle: RequestResponseCycle | None = self.cycle
        if (cycle is None or cycle.response_complete) and self.timeout_keep_alive_task is None:
            self._in_request = True  # bytes that are no request yet have stopped uvicorn's timer for good
        self._time()  # most requests come whole, and need no timer
        self._head_bytes = self._head_bytes + len(data) if self._in_head and not self._began else 0
        self._began = False  # of that piece who knows how much was the body before it
        if self._head_bytes > HEAD_MAX_BYTES and not self.transport.is_closing():
            self.send_400_response("The head of the request is too long.")
        if cycle is not None and cycle is not before and between and not self._in_message:
            self._learn(cycle, data)

    def _learn(self, cycle: RequestResponseCycle, data: bytes) -> None:
        """A request came whole: another like it needs no parser."""
        if not cycle.keep_alive or cycle.waiting_for_100_continue or self.parser.should_upgrade():
            return
        for way in self._short_ways:
            way.learn(data, cycle.scope)  # type: ignore[arg-type]

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"][COMMON_NAME] = self._common_name
        self._in_head = self._in_request = self._began = self._in_message = True
        self._stop()  # each request has its own time

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_request = self._in_message = False
        super().on_message_complete()

    def _time(self) -> None:
        """A timer runs while a request is awaited that has begun, or the first one."""
        if self._in_request and self._timer is None:
            self._timer = self.loop.call_later(REQUEST_SECONDS, self._close)
        elif not self._in_request and self._timer is not None:
            self._stop()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _close(self) -> None:
        self._timer = None
        if self.pipeline:  # we read no further ourselves until the request before it is answered
            self._time()
            return
        if not self.transport.is_closing():
            self.transport.close()


def _let_go(cycle: RequestResponseCycle) -> None:
    """As a task does at its end: a request and its connection would keep each other in memory."""
    cycle.on_response = lambda: None
    cycle.body = bytearray()

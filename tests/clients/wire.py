"""The wire between a client and the gateway: writes down what passes, and holds or alters it on request."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson
from aiohttp import web

#: What is between two hosts only.
HOP = {"connection", "keep-alive", "transfer-encoding", "host", "content-length", "expect"}
#: How a slow wire hands out a file: 160 KiB a second.
PIECE_BYTES, PAUSE_SECONDS = 16 * 1024, 0.1
LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class Exchange:
    """One request and the status of its answer."""

    method: str
    path: str
    status: int
    sent: bytes
    headers: dict[str, str]

    @property
    def what(self) -> str:
        """``POST feedback 200``, ``GET artifact 206``: method, resource and status."""
        return f"{self.method} {_resource(self.path)} {self.status}"

    @property
    def said(self) -> Any:
        """What the body says, leniently read."""
        import json

        return json.loads(self.sent.decode("utf-8", "replace"), strict=False)


@dataclass
class Wire:
    """A reverse proxy. Its address is what the client is told.

    ``alter`` changes the documents that pass to the client; while it is ``slow``, the bytes of artifacts
    trickle. ``downloading`` is set once the first of them have passed.
    """

    url: str = ""
    exchanges: list[Exchange] = field(default_factory=list)
    alter: Callable[[Any], Any] | None = None
    slow: bool = False
    #: A pattern of requests (``HEAD artifact``) that wait until it is another one, and whether some do.
    hold: str = ""
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    downloading: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def told(self) -> list[str]:
        """The exchanges in a few words each, in their order."""
        return [exchange.what for exchange in self.exchanges]

    def count(self, what: str) -> int:
        """How often something happened: a pattern of `Exchange.what`."""
        return sum(re.fullmatch(what, told) is not None for told in self.told)

    def feedback(self) -> list[tuple[str, str, str]]:
        """All that was said of actions: execution, finished, and the details as one text."""
        found = []
        for exchange in self.exchanges:
            if exchange.method == "POST":
                status = exchange.said["status"]
                text = "; ".join(status.get("details") or [])
                found.append((status["execution"], status["result"]["finished"], text))
        return found


def _resource(path: str) -> str:
    rest = path.partition("?")[0].split("/")[5:]
    if not rest:
        return "base"
    if rest[-1] == "feedback":
        return "feedback" if rest[0] == "deploymentBase" else "cancel-feedback"
    return "artifact" if rest[0] == "softwaremodules" else rest[0]


@asynccontextmanager
async def wire(gateway_url: str) -> AsyncIterator[Wire]:
    """A wire to this gateway, until the block ends."""
    state = Wire()
    async with aiohttp.ClientSession(auto_decompress=False) as session:

        async def passing(request: web.Request) -> web.StreamResponse:
            return await _pass(state, session, gateway_url, request)

        app = web.Application(client_max_size=2**20)
        app.router.add_route("*", "/{path:.*}", passing)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        state.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield state
        finally:
            await runner.cleanup()


async def _pass(
    state: Wire, session: aiohttp.ClientSession, gateway_url: str, request: web.Request
) -> web.StreamResponse:
    body = await request.read()
    while re.fullmatch(state.hold, f"{request.method} {_resource(request.raw_path)}"):
        state.waiting.set()
        await asyncio.sleep(LOOK_SECONDS)
    headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP}
    async with session.request(
        request.method,
        gateway_url + request.raw_path,
        data=body or None,
        headers={**headers, "Host": request.headers["Host"]},
        skip_auto_headers=("Content-Type", "User-Agent", "Accept", "Accept-Encoding"),
        allow_redirects=False,
    ) as answer:
        seen = {name.lower(): value for name, value in request.headers.items()}
        state.exchanges.append(Exchange(request.method, request.raw_path, answer.status, body, seen))
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP}
        if _resource(request.raw_path) != "artifact":
            document = await answer.read()
            if state.alter is not None and request.method == "GET" and answer.status == 200:
                document = orjson.dumps(state.alter(orjson.loads(document)))
            return web.Response(status=answer.status, body=document, headers=kept)
        response = web.StreamResponse(status=answer.status, headers=kept)
        response.content_length = int(answer.headers["Content-Length"])
        await response.prepare(request)
        if request.method == "GET":
            await _stream(state, answer, response)
        return response


async def _stream(state: Wire, answer: aiohttp.ClientResponse, response: web.StreamResponse) -> None:
    """The bytes of an artifact."""
    try:
        async for piece in answer.content.iter_chunked(PIECE_BYTES):
            await response.write(piece)
            state.downloading.set()
            if state.slow:
                await asyncio.sleep(PAUSE_SECONDS)
        await response.write_eof()
    except ConnectionError:
        pass  # the client hung up

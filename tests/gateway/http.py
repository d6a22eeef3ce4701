"""A gateway on a port of its own, and a vehicle that talks to it."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
from starlette.applications import Starlette
from uvicorn.server import ServerState

from gateway.server import create_server
from runtime.settings import Settings

TENANT = "DEFAULT"


@dataclass(frozen=True)
class Answer:
    """A response, read to its end."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def link(self) -> dict[str, str]:
        """The links of a poll's answer."""
        return {name: link["href"] for name, link in self.json.get("_links", {}).items()}


@dataclass(frozen=True)
class Client:
    """Speaks HTTP to the gateway."""

    session: aiohttp.ClientSession
    url: str

    async def send(self, method: str, path: str, **options: Any) -> Answer:
        """`path` is absolute, or below the gateway's address."""
        where = path if path.startswith("http") else self.url + path
        async with self.session.request(method, where, **options) as response:
            return Answer(response.status, response.headers, await response.read())


@dataclass(frozen=True)
class Vehicle:
    """One vehicle's side of the protocol."""

    client: Client
    vin: str
    token: str

    @property
    def home(self) -> str:
        return f"/{TENANT}/controller/v1/{self.vin}"

    async def send(self, method: str, path: str = "", **options: Any) -> Answer:
        """`path` is below this vehicle's base, or an absolute link."""
        headers = {"Authorization": f"TargetToken {self.token}"} | options.pop("headers", {})
        where = path if path.startswith("http") else self.home + path
        return await self.client.send(method, where, headers=headers, **options)

    async def poll(self) -> Answer:
        return await self.send("GET")

    async def feedback(
        self,
        action: int,
        execution: str,
        finished: str = "none",
        *details: str,
        channel: str = "deploymentBase",
    ) -> Answer:
        status = {"execution": execution, "result": {"finished": finished}, "details": list(details)}
        body = {"id": str(action), "status": status}
        return await self.send("POST", f"/{channel}/{action}/feedback", json=body)


@asynccontextmanager
async def served(app: Starlette, settings: Settings) -> AsyncIterator[str]:
    """The application under uvicorn's protocol, without its once-a-tenth-of-a-second housekeeping."""
    config = create_server(app, settings).config
    config.load()
    protocol: Any = config.http_protocol_class
    state = ServerState()
    listener = socket.create_server(("127.0.0.1", 0))
    async with app.router.lifespan_context(app):
        server = await asyncio.get_running_loop().create_server(
            lambda: protocol(config=config, server_state=state, app_state={}), sock=listener, ssl=config.ssl
        )
        try:
            scheme = "https" if config.ssl else "http"
            yield f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.close()
            for connection in list(state.connections):
                connection.shutdown()
            if state.tasks:
                await asyncio.wait(state.tasks, timeout=10)

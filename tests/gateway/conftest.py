"""A gateway over HTTP with a database of its own, for one test."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.app import create_app
from gateway.pool import Pool, create_pool
from runtime.settings import Settings
from tests.gateway.http import TENANT, Client, Vehicle, served
from tests.gateway.world import TOKEN, World

VIN = "5YJYGDEE0MF000001"

NewVehicle = Callable[..., tuple[Vehicle, int]]
#: Gives a client of a gateway with other settings.
Gateway = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture(autouse=True)
def _log_lines_reach_caplog() -> Iterator[None]:
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.KeyValueRenderer(key_order=["event"]),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    yield
    structlog.reset_defaults()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "artifacts").mkdir()
    return Settings(data_dir=tmp_path, tenant=TENANT)


@pytest.fixture
def world(database: str, settings: Settings) -> Iterator[World]:
    world = World(database, settings.artifacts)
    yield world
    world.close()


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    async with create_pool(database) as pool:
        yield pool


@pytest.fixture
def gateway(pool: Pool, settings: Settings) -> Gateway:
    """`async with gateway(**settings) as client`: a gateway with other settings than the default ones."""

    @asynccontextmanager
    async def serve(**changes: Any) -> AsyncIterator[Client]:
        mine = Settings(**settings.model_dump() | changes)
        async with served(create_app(pool, mine), mine) as url, aiohttp.ClientSession() as session:
            yield Client(session, url)

    return serve


@pytest.fixture
async def client(gateway: Gateway) -> AsyncIterator[Client]:
    async with gateway() as client:
        yield client


@pytest.fixture
def new_vehicle(world: World, client: Client) -> NewVehicle:
    """`new_vehicle(vin)`: a vehicle of the fleet and its id."""

    def make(vin: str = VIN) -> tuple[Vehicle, int]:
        return Vehicle(client, vin, TOKEN), world.vehicle(vin)

    return make


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch) -> asyncio.Queue[str]:
    """The methods of the requests that take a task."""
    methods: asyncio.Queue[str] = asyncio.Queue()
    start = HttpToolsProtocol._start_asgi_task

    def counted(self: HttpToolsProtocol, cycle: Any, app: Any) -> None:
        methods.put_nowait(cycle.scope["method"])
        start(self, cycle, app)

    monkeypatch.setattr(HttpToolsProtocol, "_start_asgi_task", counted)
    return methods

"""A gateway over HTTP with a database of its own, for one test."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import aiohttp
import pytest
import structlog

from gateway.app import create_app
from gateway.fleet import Pool
from gateway.server import create_pool
from runtime.settings import Settings
from tests.gateway.http import TENANT, Client, Vehicle, served
from tests.gateway.world import TOKEN, World

VIN = "5YJYGDEE0MF000001"

NewVehicle = Callable[..., tuple[Vehicle, int]]


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
async def client(pool: Pool, settings: Settings) -> AsyncIterator[Client]:
    async with served(create_app(pool, settings), settings) as url, aiohttp.ClientSession() as session:
        yield Client(session, url)


@pytest.fixture
def new_vehicle(world: World, client: Client) -> NewVehicle:
    """`new_vehicle(vin)`: a vehicle of the fleet and its id."""

    def make(vin: str = VIN) -> tuple[Vehicle, int]:
        return Vehicle(client, vin, TOKEN), world.vehicle(vin)

    return make

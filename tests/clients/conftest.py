"""Real update clients against the running system. What cannot be had here is reported as not run."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from commands.client import Campaigns
from commands.local import System
from runtime.processes import Processes
from tests.clients.debian import NotAvailable, Programs, unpack
from tests.clients.fleet import OneVehicle
from tests.clients.keys import Signer, signer
from tests.clients.wire import Wire, wire
from tests.system.conftest import campaigns, environment, garage, gateway, running, system_settings, worker
from tests.system.garage import Garage

__all__ = ["campaigns", "environment", "garage", "gateway", "running", "system_settings", "worker"]

PACKAGES = (
    *("swupdate", "cpio", "openssl"),
    *("rauc", "squashfs-tools", "dbus-daemon", "python3-gi", "python3-gbulb", "python3-aiohttp"),
)


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    """The programs of the update clients, from Debian."""
    try:
        return unpack(PACKAGES, tmp_path_factory.mktemp("debian"))
    except NotAvailable as reason:
        pytest.skip(f"not run: {reason}")


@pytest.fixture(scope="session")
def trusted(programs: Programs, tmp_path_factory: pytest.TempPathFactory) -> Signer:
    """Whose signature the vehicles trust."""
    return signer(programs, tmp_path_factory.mktemp("trusted"))


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    """The clients of one test; none outlives it."""
    with Processes(tmp_path / "logs") as processes:
        yield processes


@pytest_asyncio.fixture
async def line(running: System, gateway: object) -> AsyncIterator[Wire]:
    """The wire of one test's client."""
    async with wire(running.gateway_url) as line:
        yield line


@pytest.fixture(scope="session")
def stranger(programs: Programs, tmp_path_factory: pytest.TempPathFactory) -> Signer:
    """Whose signature they do not trust."""
    return signer(programs, tmp_path_factory.mktemp("stranger"))


@pytest.fixture
def fleet(campaigns: Campaigns, garage: Garage) -> OneVehicle:
    """A fleet of one vehicle."""
    return OneVehicle(campaigns, garage, garage.build(1))

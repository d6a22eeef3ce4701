"""One running system for the module's tests: real servers, a worker and a gateway as child processes."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from commands.client import Campaigns
from commands.local import System, system
from runtime.processes import Child, free_port
from runtime.settings import Settings, load_settings
from runtime.temporal import connect
from tests.system.garage import Garage


@pytest.fixture(scope="session")
def system_settings(server_dir: Path) -> Settings:
    """Short intervals: a tick of half a second, a lease of four seconds, a poll a second."""
    return load_settings(
        data_dir=server_dir / "system",
        gateway_port=free_port(),
        tick=timedelta(seconds=0.5),
        lease=timedelta(seconds=4),
        poll_interval=timedelta(seconds=1),
        poll_interval_idle=timedelta(seconds=1),
        log_level="WARNING",
    )


@pytest.fixture(scope="session")
def running(system_settings: Settings) -> Iterator[System]:
    """The system, with the environment of this process pointing at it while a test uses it."""
    with system(system_settings, port=free_port(), ui_port=free_port()) as started:
        yield started


@pytest.fixture(scope="session")
def worker(running: System) -> "Restartable":
    """The worker, for a test to kill and start again."""
    return Restartable(running.start_worker)


@pytest.fixture(scope="session")
def gateway(running: System) -> "Restartable":
    """The gateway, for a test to kill and start again."""
    return Restartable(running.start_gateway)


class Restartable:
    """A child process that can be killed and started again."""

    def __init__(self, start: Callable[[], Child]) -> None:
        self._start = start
        self._child = start()

    def kill(self) -> None:
        """SIGKILL: it has no chance to finish anything."""
        self._child.kill()

    def start(self) -> None:
        """Start it again."""
        self._child = self._start()


@pytest.fixture
def environment(running: System, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What a command or a script needs to reach the running system."""
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    return {**os.environ, **running.environment}


@pytest_asyncio.fixture
async def campaigns(
    worker: "Restartable", gateway: "Restartable", environment: dict[str, str]
) -> AsyncIterator[Campaigns]:
    """The operator's view of the running system."""
    settings = load_settings()
    yield Campaigns(await connect(settings), settings)


@pytest.fixture
def garage(running: System, system_settings: Settings) -> Garage:
    """Fleets and packages for the running system."""
    return Garage(running, system_settings)

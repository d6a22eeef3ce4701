"""``python -m gateway`` as a process."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from campaign.assignment import Target
from tests.gateway.conftest import VIN
from tests.gateway.http import Client, Vehicle
from tests.gateway.world import TOKEN, World

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def gateway_process(**environment: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "gateway"],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


async def listening(port: int) -> bool:
    """Whether new connections are taken."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def answered(url: str, **options: Any) -> int:
    """The status, once something listens."""
    while True:
        try:
            async with aiohttp.ClientSession() as session, session.get(url, **options) as response:
                return response.status
        except aiohttp.ClientConnectorError:
            continue


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_process_serves_until_the_signal_and_ends_well(
    world: World, tmp_path: Path, number: signal.Signals
) -> None:
    world.vehicle(VIN)
    port = free_port()
    with gateway_process(
        RINGMASTER_DATABASE_URL=world.url,
        RINGMASTER_GATEWAY_PORT=str(port),
        RINGMASTER_DATA_DIR=str(tmp_path),
    ) as process:
        url = f"http://127.0.0.1:{port}"
        assert await answered(f"{url}/health") == 200
        headers = {"Authorization": f"TargetToken {TOKEN}"}
        assert await answered(f"{url}/DEFAULT/controller/v1/{VIN}", headers=headers) == 200
        process.send_signal(number)
        output, _ = process.communicate(timeout=20)
        assert process.returncode == 0, output
        assert "gateway_serving" in output
        assert "gateway_stopped" in output
        assert VIN not in output


@pytest.mark.parametrize("before", [0, 2], ids=["the first", "the third, read by its shape"])
async def test_a_report_under_way_at_the_signal_is_recorded_and_answered(
    world: World, tmp_path: Path, before: int
) -> None:
    vehicle = world.vehicle(VIN)
    action = world.assign(vehicle, world.campaign(world.file()), Target.DOWNLOADING)
    port = free_port()
    with gateway_process(
        RINGMASTER_DATABASE_URL=world.url,
        RINGMASTER_GATEWAY_PORT=str(port),
        RINGMASTER_DATA_DIR=str(tmp_path),
    ) as process:
        url = f"http://127.0.0.1:{port}"
        assert await answered(f"{url}/health") == 200
        async with aiohttp.ClientSession() as session:
            reporter = Vehicle(Client(session, url), VIN, TOKEN)
            for _ in range(before):
                assert (await reporter.feedback(action, "proceeding")).status == 200
            with world.locked_campaigns() as waiting:
                post = asyncio.create_task(reporter.feedback(action, "closed", "failure"))
                while not waiting():  # noqa: ASYNC110  (the event is in another process)
                    await asyncio.sleep(0)
                process.send_signal(signal.SIGTERM)
                while await listening(port):
                    pass
            assert (await post).status == 200
        output, _ = process.communicate(timeout=20)
        assert process.returncode == 0, output
    assert world.state(vehicle) is Target.FAILED


def test_a_database_without_our_tables_is_refused_in_one_line(empty_database: str, tmp_path: Path) -> None:
    with gateway_process(
        RINGMASTER_DATABASE_URL=empty_database, RINGMASTER_DATA_DIR=str(tmp_path)
    ) as process:
        output, _ = process.communicate(timeout=20)
    assert process.returncode == 3
    assert "starter.py migrate" in output.splitlines()[-1]
    assert "Traceback" not in output


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no resource module: nothing to raise")
def test_a_gateway_takes_as_many_connections_as_the_system_allows() -> None:
    program = (
        "import resource; from gateway.__main__ import _allow_connections;"
        "most = resource.getrlimit(resource.RLIMIT_NOFILE)[1];"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, most)); _allow_connections();"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE) == (most, most))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("True", "")

"""``starter.py dev``: one command for everything, one Ctrl-C to stop it, and nothing lost in between."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from runtime.processes import free_port
from tests.system.garage import ROOT, program

pytestmark = pytest.mark.timeout(180)


@asynccontextmanager
async def dev(folder: Path, port: int) -> AsyncIterator[dict[str, str]]:
    """A running ``starter.py dev``; stopped by Ctrl-C, as a person would."""
    environment = {
        **os.environ,
        "RINGMASTER_DATA_DIR": str(folder),
        "RINGMASTER_GATEWAY_PORT": str(free_port()),
        "TEMPORAL_ADDRESS": f"127.0.0.1:{port}",
    }
    words = ["dev", "--temporal-port", str(port), "--ui-port", str(free_port())]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-u", "starter.py", *words, cwd=ROOT, env=environment, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    lines: list[str] = []
    async with asyncio.timeout(60):
        while not (lines and lines[-1].startswith("Ctrl-C")):
            line = await process.stdout.readline()
            assert line, "dev ended before it was up"
            lines.append(line.decode())
    yield environment
    process.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(process.wait(), 60) == 0
    assert not _alive(folder), "a process was left behind"


async def test_ctrl_c_stops_all_and_a_restart_loses_nothing(server_dir: Path) -> None:
    folder, port = server_dir / "dev", free_port()
    async with dev(folder, port) as environment:
        for words in (
            ["fleet", "import", "examples/fleet-sample.jsonl"],
            ["package", "add", "examples/winter-package.yaml"],
            ["launch", "examples/winter-optimization.yaml"],
        ):
            status, _, errors = await program(environment, sys.executable, "starter.py", *words)
            assert status == 0, errors
    async with dev(folder, port) as environment:
        words = ["status", "Winter Optimization", "--json"]
        status, out, errors = await program(environment, sys.executable, "starter.py", *words)
        assert status == 0, errors
    assert json.loads(out)["state"] == "Draft"
    assert sum(phase["size"] for phase in json.loads(out)["phases"]) >= 2


def _alive(folder: Path) -> list[str]:
    """The processes that still work in the folder."""
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if str(folder) in line]

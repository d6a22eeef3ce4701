"""``python -m benchmarks.over_http``: a whole campaign with everything real but the vehicles.

Temporal, PostgreSQL, a worker, gateways, and the simulated fleet that speaks DDI, all on the same cores. Each
vehicle polls, reads the description, fetches the file, reports a handful of times and tells of itself. The
simulated vehicles take most of the processor: what is shown is that the whole of it works at this size, and
what the gateways spend on a vehicle. All of 50,000: --vehicles 50000.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.launch import add_package, launch, until_stage
from benchmarks.processor import used
from benchmarks.sheet import RESULTS, Sheet
from commands.client import Campaigns
from commands.local import ROOT, System, system
from runtime.processes import Child, free_port
from runtime.settings import Settings, load_settings
from runtime.temporal import connect as temporal
from store.connect import Connection, connect
from store.fleet import issue_tokens
from store.fleet_import import import_fleet

console = Console(stderr=True)

#: A canary, then everybody; nobody waits between them.
_PHASES = [{"rollout_percent": percent, "promotion": {"requires": "none"}} for percent in (5, 100)]

_STATES = "SELECT state, count(*) FROM assignment WHERE campaign_id = %s GROUP BY state"
_TALLIED = "SELECT state, sum(vehicles) FROM tally WHERE campaign_id = %s AND vehicles > 0 GROUP BY state"
_REPORTS = "SELECT count(*) FROM report WHERE campaign_id = %s"


def main(
    vehicles: Annotated[int, typer.Option(help="Vehicles of the campaign.")] = 2_000,
    simulators: Annotated[int, typer.Option(help="Processes that play the vehicles.")] = 2,
    spread: Annotated[float, typer.Option(help="Seconds over which the first polls are spread.")] = 20,
    poll_seconds: Annotated[float, typer.Option(help="Between two polls; twice that for the idle.")] = 15,
    patience_minutes: Annotated[int, typer.Option(help="How long it may take.")] = 60,
    out: Annotated[Path, typer.Option(help="Where the figures go.")] = RESULTS / "over_http.json",
) -> None:
    """Measure a whole campaign over HTTP."""
    sheet = Sheet(f"A campaign of {vehicles:,} vehicles over HTTP")
    with tempfile.TemporaryDirectory(prefix="over-http-") as folder:
        settings = load_settings(
            data_dir=Path(folder),
            gateway_port=free_port(),
            tick=timedelta(seconds=1),
            poll_interval=timedelta(seconds=poll_seconds),
            poll_interval_idle=timedelta(seconds=2 * poll_seconds),
            log_level="ERROR",
        )
        with system(settings, port=free_port(), ui_port=free_port()) as running:
            os.environ.update(running.environment)
            running.start_worker()
            gateway = running.start_gateway()
            with connect(running.database_url) as connection:
                files = _fill(connection, settings, vehicles, simulators)
                patience = timedelta(minutes=patience_minutes)
                asyncio.run(_measure(sheet, running, connection, gateway, files, vehicles, spread, patience))
    sheet.show()
    sheet.write(out)


def _fill(connection: Connection, settings: Settings, vehicles: int, parts: int) -> list[Path]:
    """Import a fleet and issue its tokens; the records in as many files as there are simulators."""
    console.print(f"{vehicles:,} vehicles …")
    file = settings.data_dir / "fleet.jsonl"
    command = [sys.executable, "-m", "simulator", "fleet", "--vehicles", str(vehicles), "--out", str(file)]
    subprocess.run(command, check=True, cwd=ROOT)
    import_fleet(connection, file)
    issue_tokens(connection, settings.data_dir / "tokens.jsonl")
    add_package(connection, settings.artifacts)
    lines = file.read_text().splitlines(keepends=True)
    files = [settings.data_dir / f"fleet-{part}.jsonl" for part in range(parts)]
    for part, path in enumerate(files):
        path.write_text("".join(lines[part::parts]))
    return files


async def _measure(
    sheet: Sheet,
    running: System,
    connection: Connection,
    gateway: Child,
    files: list[Path],
    vehicles: int,
    spread: float,
    patience: timedelta,
) -> None:
    settings = load_settings()
    found = Campaigns(await temporal(settings), settings)
    began = time.perf_counter()
    launched = await launch(found, "Model_Y", phases=_PHASES)
    with used([gateway.pid]) as processor:
        for file in files:
            _simulate(running, settings, file, spread)
        await until_stage(found, launched, "Completed", patience)
        seconds = time.perf_counter() - began
    campaign = launched.status.campaign_id
    for statement in (_STATES, _TALLIED):
        states = connection.execute(statement, [campaign]).fetchall()
        if states != [("succeeded", vehicles)]:
            raise RuntimeError(f"not all of {vehicles} vehicles have succeeded: {states}")
    [[reports]] = connection.execute(_REPORTS, [campaign]).fetchall()
    sheet.add("from launch to completion", seconds, "s")
    sheet.add("vehicles per second", vehicles / seconds, "/s")
    sheet.add("reports of a vehicle", reports / vehicles)
    sheet.add("processor time of the gateway for a vehicle", 1000 * processor.total / vehicles, "ms")


def _simulate(running: System, settings: Settings, file: Path, spread: float) -> None:
    options = {
        "--fleet": str(file),
        "--tokens": str(settings.data_dir / "tokens.jsonl"),
        "--gateway": running.gateway_url,
        "--pace": "1000",
        "--spread": str(spread),
        "--connections": "256",
    }
    command = [sys.executable, "-m", "simulator", "run", *(word for pair in options.items() for word in pair)]
    running.processes.start(file.stem, command, env=running.environment)


if __name__ == "__main__":
    typer.run(main)

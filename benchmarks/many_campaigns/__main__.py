"""``python -m benchmarks.many_campaigns``: campaigns open at once on one worker, and a pause in one of them.

A real worker process (``worker.py``), the embedded Temporal and the embedded PostgreSQL, with the settings
as they are by default. The vehicles do not poll: what a vehicle costs is measured elsewhere. First one
campaign is alone and is paused again and again; then all the others join it and roll out, and pauses in
some of them are measured beside those.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median, quantiles
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.footprint import busy_seconds, children, resident_mib
from benchmarks.launch import add_package
from benchmarks.many_campaigns.opening import fill, open_campaigns
from benchmarks.many_campaigns.stopping import pauses
from benchmarks.many_campaigns.ticking import Ticking, watch
from benchmarks.sheet import RESULTS, Sheet
from commands.local import System, system
from runtime.processes import free_port
from runtime.settings import Settings, load_settings
from runtime.temporal import connect as temporal
from store.connect import Connection, connect

console = Console(stderr=True)
app = typer.Typer(add_completion=False)

FULL = 1_000


@app.command()
def main(
    campaigns: Annotated[int, typer.Option(min=2, help="Campaigns open at once.")] = 100,
    full: Annotated[bool, typer.Option("--full", help=f"{FULL} campaigns (some ten minutes).")] = False,
    vehicles: Annotated[int, typer.Option(min=1, help="Vehicles of each campaign.")] = 20,
    stops: Annotated[int, typer.Option(min=2, help="Pauses measured, alone and among all.")] = 20,
    seconds: Annotated[float, typer.Option(help="How long the ticks are watched.")] = 20.0,
    out: Annotated[Path, typer.Option(help="Where the figures go.")] = RESULTS / "many_campaigns.json",
) -> None:
    """Measure many campaigns on one worker."""
    if full:
        campaigns, stops, seconds = FULL, 40, 120.0
    with tempfile.TemporaryDirectory(prefix="many-campaigns-") as folder:
        settings = load_settings(data_dir=Path(folder), log_level="WARNING")
        with system(settings, port=free_port(), ui_port=free_port()) as running:
            worker = running.start_worker()
            with connect(running.database_url) as connection:
                fill(connection, campaigns, vehicles)
                add_package(connection, settings.artifacts)
                pids = _pids(settings, worker.pid)
                sheet = asyncio.run(_measure(settings, running, connection, campaigns, stops, seconds, pids))
    sheet.show()
    sheet.write(out)


def _pids(settings: Settings, worker: int) -> Mapping[str, int]:
    postmaster = int((settings.postgres_dir / "postmaster.pid").read_text().split()[0])
    return {"worker": worker, "Temporal": children(os.getpid(), "temporal")[0], "PostgreSQL": postmaster}


async def _measure(
    settings: Settings,
    running: System,
    connection: Connection,
    campaigns: int,
    stops: int,
    seconds: float,
    pids: Mapping[str, int],
) -> Sheet:
    client = await temporal(settings, target_host=running.environment["TEMPORAL_ADDRESS"])
    sheet = Sheet(f"{campaigns} campaigns at once")

    console.print(f"{stops} pauses of a campaign that is alone …")
    first = await open_campaigns(client, settings, connection, [0])
    alone = await pauses(client, connection, first, stops)
    bare = resident_mib(pids["worker"])

    console.print(f"{campaigns - 1} campaigns join it …")
    began = time.monotonic()
    ids = first + await open_campaigns(client, settings, connection, range(1, campaigns))
    sheet.add("campaigns brought to rolling out", campaigns / (time.monotonic() - began), "/s")

    console.print(f"their ticks for {seconds:g} s …")
    before = {name: busy_seconds(pid) for name, pid in pids.items()}
    ticking = await watch(connection, seconds)
    _add_ticking(sheet, ticking)
    for name, pid in pids.items():
        sheet.add(f"cores that {name} takes", (busy_seconds(pid) - before[name]) / ticking.seconds)

    console.print(f"{stops} pauses among them …")
    _add_pauses(sheet, alone, await pauses(client, connection, ids, stops))
    running.processes.check()
    sheet.add("memory of the worker with one campaign", bare, "MiB")
    sheet.add(
        "memory of the worker at its highest", resident_mib(pids["worker"], peak=True), "MiB", at_most=400
    )
    return sheet


def _add_ticking(sheet: Sheet, seen: Ticking) -> None:
    sheet.add("campaigns open", seen.campaigns)
    sheet.add(
        "campaigns that deliver, at the worst moment", seen.delivering, floor=seen.campaigns, at_least=1
    )
    sheet.add("ticks of all campaigns", seen.per_second, "/s")
    sheet.add("from tick to tick of a campaign, median", seen.typical, "s")
    sheet.add("from tick to tick of a campaign, longest", seen.longest, "s")
    sheet.add("least that a lease had left", seen.least_left, "s", at_least=0)


def _add_pauses(sheet: Sheet, alone: list[float], among: list[float]) -> None:
    sheet.add("a pause shuts the gate, median", median(among), "s", at_most=0.5)
    sheet.add("the same beside a campaign that is alone", median(among), "s", floor=median(alone), at_most=2)
    sheet.add("a pause, 95 of 100", quantiles(among, n=20)[-1], "s", floor=quantiles(alone, n=20)[-1])
    sheet.add("a pause, slowest", max(among), "s", floor=max(alone))


if __name__ == "__main__":
    app()

"""``python -m benchmarks.whole_campaign``: from launch to completion, beside two of a tenth of the size.

Real Temporal, real PostgreSQL, a real worker. The fleet polls, is admitted, fetches and reports through the
code of the gateway, without HTTP, in a few processes. All of 1,000,000: --vehicles 1000000.
"""

import asyncio
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import fleet
from benchmarks.launch import add_package, launch, until_stage
from benchmarks.sheet import RESULTS, Sheet
from benchmarks.whole_campaign.drive import drive
from benchmarks.whole_campaign.spent import Spent, together
from commands.client import Campaigns
from commands.local import System, system
from runtime.processes import free_port
from runtime.settings import Settings, load_settings
from runtime.temporal import connect as temporal
from store.connect import Connection, connect

console = Console(stderr=True)

#: The cost of a vehicle is compared with that in a campaign of a tenth of the size.
SMALLER = 10

#: Where that is judged: a tenth of less fits into the server's buffers, and vehicles come in random order.
FULL = 1_000_000

#: Vehicles that install at once, at the most; campaigns have at most 10,000 where they say nothing else.
IN_FLIGHT = 8_000

#: A test fleet, a canary, and all others; nobody waits between them.
_PHASES = [{"rollout_percent": percent, "promotion": {"requires": "none"}} for percent in (1, 10, 100)]

#: What a gateway does once for each vehicle; how often it polls is a matter of the ticks.
_ONCE = ("admit", "begin", "report")

_VINS = "SELECT vin FROM vehicle WHERE model = %s ORDER BY lot"
_COUNTED = "SELECT state, count(*) FROM assignment WHERE campaign_id = %s GROUP BY state"
_TALLIED = "SELECT state, sum(vehicles) FROM tally WHERE campaign_id = %s AND vehicles > 0 GROUP BY state"
_INSTALLED = "SELECT count(*) FROM software_change WHERE campaign_id = %s"
_SIZE = "SELECT pg_database_size(current_database())"


@dataclass(frozen=True)
class Run:
    """One campaign: seconds by part, what the gateways spent, and the size of the database after it."""

    vehicles: int
    seconds: dict[str, float]
    spent: Spent
    database_bytes: int


def main(
    vehicles: Annotated[int, typer.Option(help="Vehicles of the campaign.")] = 50_000,
    gateways: Annotated[int, typer.Option(help="Processes that drive the fleet.")] = 2,
    out: Annotated[Path, typer.Option(help="Where the figures go.")] = RESULTS / "whole_campaign.json",
) -> None:
    """Measure a whole campaign."""
    sheet = Sheet(f"A campaign of {vehicles:,} vehicles from launch to completion")
    # The machine's speed moves within the minutes of the large campaign: small ones before it and after it.
    few = vehicles // SMALLER
    in_flight = min(IN_FLIGHT, few // 2) // gateways
    before, large, after = (_run(size, gateways, in_flight) for size in (few, vehicles, few))
    _tell(sheet, large, [before, after])
    sheet.show()
    sheet.write(out)


def _run(vehicles: int, gateways: int, in_flight: int) -> Run:
    """A campaign on servers and a database of its own."""
    with tempfile.TemporaryDirectory(prefix="whole-campaign-") as folder:
        settings = load_settings(
            database_url=None, data_dir=Path(folder), tick=timedelta(seconds=1), log_level="WARNING"
        )
        with system(settings, port=free_port(), ui_port=free_port()) as running:
            running.start_worker()
            with connect(running.database_url) as connection:
                add_package(connection, settings.artifacts)
                return asyncio.run(_campaign(settings, running, connection, vehicles, gateways, in_flight))


def _tell(sheet: Sheet, large: Run, small: Sequence[Run]) -> None:
    taken = sum(large.seconds.values())
    sheet.add("from launch to completion", taken, "s")
    sheet.add("vehicles per second, all of it", large.vehicles / taken, "/s")
    for part, seconds in large.seconds.items():
        sheet.add(f"of it: {part}", seconds, "s")
    sheet.add("offers that stood no more at the begin", large.spent.refused, at_most=0)
    for stage, seconds in sorted(large.spent.seconds.items(), key=lambda item: -item[1]):
        sheet.add(
            f"share of the gateways' time: {stage}", 100 * seconds / sum(large.spent.seconds.values()), "%"
        )
    # A small campaign waits for ticks as long as a large one, so what is compared is the work. That of the
    # processor is moved less by what else the machine does meanwhile.
    smaller = together([each.spent for each in small])
    name = f"{', '.join(_ONCE)}: a vehicle at {SMALLER} x the size"
    goal = 1.3 if large.vehicles >= FULL else None
    for kind, ours, floors in (
        ("", large.spent.seconds, smaller.seconds),
        (", time of the processor", large.spent.processor, smaller.processor),
    ):
        floor = _once(floors, sum(each.vehicles for each in small))
        sheet.add(f"{name}{kind}", _once(ours, large.vehicles), "us", floor=floor, at_most=goal)
    for when, each in zip(("before", "after"), small, strict=True):
        sheet.add(f"of it the small one {when}", _once(each.spent.seconds, each.vehicles), "us")
    sheet.add("database", large.database_bytes / 2**20, "MiB")


def _once(seconds: Mapping[str, float], vehicles: int) -> float:
    """Microseconds of a vehicle in what is done once for it."""
    return 1e6 * sum(seconds[stage] for stage in _ONCE) / vehicles


async def _campaign(
    settings: Settings,
    running: System,
    connection: Connection,
    vehicles: int,
    gateways: int,
    in_flight: int,
) -> Run:
    """A campaign of so many vehicles that gateways serve, each with so many in flight."""
    console.print(f"{vehicles:,} vehicles …")
    fleet.fill(connection, "Model_A", vehicles)
    vins = [row[0] for row in connection.execute(_VINS, ["Model_A"])]
    client = await temporal(
        settings,
        target_host=running.environment["TEMPORAL_ADDRESS"],
        namespace=running.environment["TEMPORAL_NAMESPACE"],
    )
    found = Campaigns(client, settings)
    began = time.perf_counter()
    launched = await launch(found, "Model_A", phases=_PHASES)
    active = time.perf_counter()
    with ProcessPoolExecutor(gateways) as pool:
        loop = asyncio.get_running_loop()
        work = [
            loop.run_in_executor(pool, drive, running.database_url, vins[place::gateways], in_flight)
            for place in range(gateways)
        ]
        spent = together(await asyncio.gather(*work))
    driven = time.perf_counter()
    await until_stage(found, launched, "Completed")
    completed = time.perf_counter()
    _check(connection, launched.status.campaign_id, vehicles)
    row = connection.execute(_SIZE).fetchone()
    assert row is not None
    seconds = {
        "launch and selection": active - began,
        "rolling out": driven - active,
        "from the last report to Completed": completed - driven,
    }
    return Run(vehicles, seconds, spent, row[0])


def _check(connection: Connection, campaign: int, vehicles: int) -> None:
    """All have succeeded, every count says so, and so does the software of the fleet."""
    for statement in (_COUNTED, _TALLIED):
        states = connection.execute(statement, [campaign]).fetchall()
        if states != [("succeeded", vehicles)]:
            raise RuntimeError(f"not all of {vehicles} vehicles have succeeded: {states}")
    if connection.execute(_INSTALLED, [campaign]).fetchone() != (vehicles,):
        raise RuntimeError("software was installed that the history of the fleet does not have")


if __name__ == "__main__":
    typer.run(main)

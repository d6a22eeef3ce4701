"""``make returning``: 1,000,000 vehicles in ten minutes, at that rate for a part of the time, then faster.

One gateway process over real HTTP, PostgreSQL and the vehicles share the cores. One vehicle in ten comes
with a report of an installation that ended while it was cut off. Prints a table and writes JSON.
"""

import asyncio
import json
import os
import platform
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles
from threading import Event, Thread
from typing import Annotated, Any, TextIO

import typer
import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks import fleet
from benchmarks.launch import add_package, launch
from benchmarks.returning.vehicles import Crowd, Returning, Seen
from campaign.action import action_id
from commands.client import Campaigns
from commands.local import System, system
from runtime.processes import free_port
from runtime.settings import load_settings
from runtime.temporal import connect as temporal
from store.connect import Connection, connect

console = Console(stderr=True)

FLEET, WITHIN_SECONDS = 1_000_000, 600
#: One in so many has a report.
REPORTING = 10

#: What the vehicles had begun before they were cut off; their tokens are their VINs.
_CUT_OFF = f"UPDATE assignment SET {fleet.INSTALLING} WHERE campaign_id = %s"
_TOKENS = "UPDATE vehicle SET token_hash = sha256(vin::bytea)"
_SUCCEEDED = "SELECT count(*) FROM assignment WHERE campaign_id = %s AND state = 'succeeded'"
_TALLIED = "SELECT coalesce(sum(vehicles), 0) FROM tally WHERE campaign_id = %s AND state = 'succeeded'"


def main(
    seconds: Annotated[int, typer.Option(help="How long vehicles come back at the fleet's rate.")] = 60,
    faster: Annotated[int, typer.Option(help="How much faster as many come then.")] = 8,
    out: Annotated[Path, typer.Option(help="Where the figures go.")] = Path(".ringmaster/returning.json"),
) -> None:
    """Measure a fleet's return. The whole of it: --seconds 600."""
    vehicles = FLEET * seconds // WITHIN_SECONDS
    with tempfile.TemporaryDirectory(prefix="returning-") as folder:
        settings = load_settings(data_dir=Path(folder), gateway_port=free_port(), log_level="ERROR")
        with system(settings, port=free_port(), ui_port=free_port()) as running:
            os.environ.update(running.environment)
            running.start_worker()
            with connect(running.database_url) as connection:
                console.print(f"{2 * vehicles} vehicles are made, one in ten has an update under way …")
                crowds, campaign = _crowds(connection, settings.artifacts, vehicles)
                gateway = running.start_gateway()
                figures: dict[str, Any] = {
                    "rate": _measure(connection, campaign, crowds[0], seconds, running, gateway.pid),
                    "storm": _measure(
                        connection, campaign, crowds[1], seconds / faster, running, gateway.pid
                    ),
                }
    machine: dict[str, Any] = {"cores": os.cpu_count(), "python": platform.python_version()}
    figures |= machine | {"at": datetime.now(UTC).isoformat(timespec="seconds")}
    _show(figures)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(figures, indent=2))


def _crowds(
    connection: Connection, artifacts: Path, vehicles: int
) -> tuple[tuple[list[Returning], list[Returning]], int]:
    """Two crowds of so many vehicles, and the campaign of those that report."""
    fleet.fill(connection, "Model_A", 2 * vehicles // REPORTING)
    fleet.fill(connection, "Model_B", 2 * vehicles - 2 * vehicles // REPORTING)
    connection.execute(_TOKENS)
    add_package(connection, artifacts)
    campaign = asyncio.run(_launch())
    connection.execute(_CUT_OFF, [campaign])
    connection.execute("VACUUM ANALYZE")
    rows = connection.execute("SELECT vin, model FROM vehicle ORDER BY lot")
    action = action_id(campaign, 1)
    all_of_them = [Returning(vin, action if model == "Model_A" else None) for vin, model in rows]
    return (all_of_them[:vehicles], all_of_them[vehicles:]), campaign


async def _launch() -> int:
    settings = load_settings()
    launched = await launch(Campaigns(await temporal(settings), settings), "Model_A")
    return launched.status.campaign_id


def _measure(
    connection: Connection,
    campaign: int,
    vehicles: Sequence[Returning],
    seconds: float,
    running: System,
    pid: int,
) -> dict[str, Any]:
    console.print(f"{len(vehicles)} vehicles come back within {seconds:g} s …")
    before = _one(connection, _SUCCEEDED, campaign)
    port = int(running.gateway_url.rsplit(":", 1)[1])
    with _memory(pid) as memory:
        seen = uvloop.run(Crowd(port).come_back(vehicles, seconds))
    told = sum(vehicle.action is not None for vehicle in vehicles)
    succeeded, tallied = (_one(connection, query, campaign) for query in (_SUCCEEDED, _TALLIED))
    return {
        "vehicles": len(vehicles),
        "came per second": len(vehicles) / seconds,
        **_summary(seen),
        "reports to tell": told,
        "reports in the database": succeeded - before,
        "counters equal what they count": tallied == succeeded,
        "gateway MiB before": memory[0],
        "gateway MiB at most": max(memory),
    }


def _summary(seen: Seen) -> dict[str, Any]:
    facts = {key: value for key, value in asdict(seen).items() if key not in ("polls", "reports")}
    for name, times in (("poll", seen.polls), ("report", seen.reports)):
        cuts = quantiles(times, n=100) if len(times) > 1 else [0.0] * 99
        facts[f"{name} ms p50"], facts[f"{name} ms p99"] = cuts[49] * 1000, cuts[98] * 1000
    facts["served per second"] = len(seen.polls) / seen.seconds
    facts["wrong"] = {str(status): count for status, count in seen.wrong.items()}
    return facts


def _one(connection: Connection, query: str, campaign: int) -> int:
    row = connection.execute(query, [campaign]).fetchone()
    assert row is not None
    return int(row[0])


@contextmanager
def _memory(pid: int) -> Iterator[list[float]]:
    """The resident size of a process in MiB, looked at until the block ends; the first one is before it."""
    # Opened once: while the vehicles hold all the files this process may have, it could not be opened.
    with Path(f"/proc/{pid}/status").open() as status:
        sizes, over = [_resident(status)], Event()

        def look() -> None:
            while not over.wait(timeout=0.5):
                sizes.append(_resident(status))

        thread = Thread(target=look)
        thread.start()
        try:
            yield sizes
        finally:
            over.set()
            thread.join()


def _resident(status: TextIO) -> float:
    status.seek(0)
    line = next(line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def _show(figures: dict[str, Any]) -> None:
    table = Table("figure", "at the rate", "in a storm", title="A fleet comes back", title_justify="left")
    for name in figures["rate"]:
        values = (figures[part][name] for part in ("rate", "storm"))
        table.add_row(name, *(f"{each:.1f}" if isinstance(each, float) else str(each) for each in values))
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)

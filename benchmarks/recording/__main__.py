"""``python -m benchmarks.recording``: durable reports per second, without HTTP, beside pgbench's inserts.

Real PostgreSQL, two cores for all. Every vehicle says three times that it installs, and then that it has.
"""

import asyncio
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import fleet
from benchmarks.launch import add_package
from benchmarks.pgbench import CLIENTS, inserts_per_second
from benchmarks.recording.stories import STORY, tell
from benchmarks.rollout import roll_out
from benchmarks.sheet import RESULTS, Sheet
from runtime.database import database_url, migrate
from runtime.settings import load_settings
from store.connect import Connection, connect

#: What one gateway collects under load: little, much, and all that it takes.
GROUPS = (30, 100, 500)

_FETCHED = f"""
UPDATE assignment SET {fleet.INSTALLING.replace("'installing'", "'downloading'")} WHERE campaign_id = %s
"""
_VEHICLES = "SELECT vehicle_id FROM assignment WHERE campaign_id = %s ORDER BY vehicle_id"
_WRONG = "SELECT count(*) FROM assignment WHERE campaign_id = %s AND state <> 'succeeded'"


def main(
    vehicles: Annotated[int, typer.Option(help="Vehicles per kind of group.")] = 10_000,
    others: Annotated[int, typer.Option(help="Vehicles that are in the fleet besides.")] = 100_000,
    seconds: Annotated[int, typer.Option(help="How long pgbench inserts.")] = 10,
    out: Annotated[Path, typer.Option(help="Where the figures go.")] = RESULTS / "recording.json",
) -> None:
    """Measure what recording reports yields."""
    sheet = Sheet(f"Durable reports per second, {len(STORY)} per vehicle")
    with tempfile.TemporaryDirectory(prefix="recording-") as folder:
        settings = load_settings(data_dir=Path(folder), log_level="ERROR")
        with database_url(settings) as url:
            migrate(url)
            with connect(url) as connection:
                add_package(connection, settings.artifacts)
                fleet.fill(connection, "Others_X", others)
                _measure(sheet, url, connection, vehicles, seconds)
    sheet.show()
    sheet.write(out)


def _measure(sheet: Sheet, url: str, connection: Connection, vehicles: int, seconds: int) -> None:
    # What a commit waits for the disk: a small group on one connection can do no better than one at a time.
    alone = inserts_per_second(url, max(1, seconds // 3), clients=1)
    sheet.add("one pgbench insert at a time takes", 1e6 / alone, "us")
    floor = inserts_per_second(url, seconds)
    sheet.add(f"pgbench inserts, {CLIENTS} clients", floor, "/s")
    kinds = [(group, 1) for group in GROUPS] + [(GROUPS[1], 2)]
    for letter, (group, connections) in zip("ABCD", kinds, strict=True):
        campaign, ids = _ready(url, connection, f"Model_{letter}", vehicles)
        rate = asyncio.run(tell(url, campaign, ids, group, connections))
        wrong = connection.execute(_WRONG, [campaign]).fetchone()
        if wrong != (0,):
            raise RuntimeError(f"not all vehicles have succeeded: {wrong}")
        name = f"reports in groups of {group}, {connections} connection{'s'[: connections - 1]}"
        sheet.add(name, rate, "/s", floor=floor, at_least=0.5)
        sheet.add(f"{name}: a report takes", 1e6 / rate, "us")


def _ready(url: str, connection: Connection, model: str, vehicles: int) -> tuple[int, list[int]]:
    """A campaign whose vehicles have all fetched their files, and these vehicles."""
    fleet.fill(connection, model, vehicles)
    campaign = roll_out(url, model)
    connection.execute(_FETCHED, [campaign])
    connection.execute("VACUUM ANALYZE assignment")
    return campaign, [row[0] for row in connection.execute(_VEHICLES, [campaign])]


if __name__ == "__main__":
    typer.run(main)

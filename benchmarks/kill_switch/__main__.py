"""``make kill-switch``: the stop under full load, by a report and by an operator, and what judging costs.

Real Temporal, real PostgreSQL, a real worker; gateways are processes that do a gateway's database work
without its HTTP, so that two cores can carry the work of many. A campaign turns bad while another one
selects its vehicles: all of a large fleet with --others 1000000.
"""

import asyncio
import os
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import fleet
from benchmarks.kill_switch import breach, cost, pauses
from benchmarks.kill_switch.inbox import Inbox, inbox
from benchmarks.kill_switch.offers import note_all
from benchmarks.launch import add_package, launch
from benchmarks.sheet import RESULTS, Sheet
from campaign.guards import STANDARD_GUARDS
from commands.client import Campaigns
from commands.local import System, system
from runtime.processes import free_port
from runtime.settings import load_settings
from runtime.temporal import connect as temporal
from store.connect import Connection, connect

console = Console(stderr=True)


def main(
    gateways: Annotated[int, typer.Option(help="Processes that do a gateway's work.")] = 4,
    vehicles: Annotated[int, typer.Option(help="Vehicles of a campaign that is stopped.")] = 30_000,
    others: Annotated[int, typer.Option(help="Vehicles the other campaign selects.")] = 200_000,
    groups: Annotated[int, typer.Option(help="Groups of reports of each kind, for the cost.")] = 60,
    times: Annotated[int, typer.Option(help="Pauses.")] = 5,
    out: Annotated[Path, typer.Option(help="Where the figures go.")] = RESULTS / "kill_switch.json",
) -> None:
    """Measure the stop under load."""
    with inbox() as url, tempfile.TemporaryDirectory(prefix="kill-switch-") as folder:
        os.environ["RINGMASTER_NOTIFY_URLS"] = url
        settings = load_settings(data_dir=Path(folder), log_level="WARNING")
        tick = settings.tick.total_seconds()
        sheet = Sheet(f"The stop under load, {gateways} gateways, a tick of {tick:g} s")
        with system(settings, port=free_port(), ui_port=free_port()) as running:
            os.environ.update(running.environment)
            running.start_worker()
            with connect(running.database_url) as connection:
                calm = 3 * groups * cost.REPORTS + 1
                _fill(connection, settings.artifacts, {"A": vehicles, "B": others, "C": calm, "D": vehicles})
                asyncio.run(_measure(sheet, running, connection, gateways, groups, times))
    sheet.show()
    sheet.write(out)


def _fill(connection: Connection, artifacts: Path, fleets: dict[str, int]) -> None:
    for letter, count in fleets.items():
        console.print(f"filling: {count} vehicles …")
        fleet.fill(connection, f"Model_{letter}", count)
    add_package(connection, artifacts)


async def _measure(
    sheet: Sheet, running: System, connection: Connection, gateways: int, groups: int, times: int
) -> None:
    settings = load_settings()
    found = Campaigns(await temporal(settings), settings)
    await _cost(sheet, running, found, groups)
    note_all(connection)
    await _pauses(sheet, running, connection, found, gateways, times)
    await _breach(sheet, running, connection, found, gateways)


async def _cost(sheet: Sheet, running: System, found: Campaigns, groups: int) -> None:
    """Taken on a campaign whose guards never trip, so that all groups are judged alike."""
    console.print("what judging costs …")
    never = {"limit": "0.9", "accept": "0.4"}
    guards = [guard.model_dump(mode="json") | never for guard in STANDARD_GUARDS if guard.mode != "count"]
    calm = await launch(found, "Model_C", guards=guards)
    taken = await cost.measure(running.database_url, calm.status.campaign_id, groups)
    await found.command(calm.workflow_id, "abort", "bench", "")
    sheet.add(f"{cost.REPORTS} reports without a failure", taken[cost.NONE], "ms")
    sheet.add(
        f"{cost.REPORTS} reports with a failure, judged; floor: not judged",
        taken[cost.JUDGED],
        "ms",
        floor=taken[cost.UNJUDGED],
        at_most=1.1,
    )


async def _pauses(
    sheet: Sheet, running: System, connection: Connection, found: Campaigns, gateways: int, times: int
) -> None:
    console.print("an operator pauses under full admission load …")
    launched = await launch(found, "Model_D")
    seen = await pauses.measure(connection, running.database_url, found, launched, "Model_D", gateways, times)
    await found.command(launched.workflow_id, "abort", "bench", "")
    sheet.add("offers around the pauses", seen.offers)
    sheet.add("offers after a pause's commit", seen.offers_after, at_most=0)
    sheet.add(f"from the order to the pause's commit, longest of {times}", max(seen.seconds), "s", at_most=1)


async def _breach(
    sheet: Sheet, running: System, connection: Connection, found: Campaigns, gateways: int
) -> None:
    console.print("every installation fails while another campaign selects its vehicles …")
    bad = await launch(found, "Model_A")
    Inbox.came.clear()
    models = ("Model_A", "Model_B")
    seen = await breach.measure(connection, running.database_url, found, bad, models, gateways)
    tick = load_settings().tick.total_seconds()
    sheet.add("polls per second meanwhile", seen.polls_per_second, "/s")
    sheet.add("the other campaign was selecting", seen.was_selecting)
    sheet.add("offers before the stop", seen.offers_before)
    sheet.add("offers after the stop's commit", seen.offers_after, at_most=0)
    sheet.add("the gate was shut by the report itself", seen.by_the_report, at_least=1)
    sheet.add("from the first failure to the stop", seen.to_the_stop, "s")
    sheet.add("from the stop to Paused", seen.to_paused, "s", at_most=tick)
    sheet.add("from the stop to the notification", seen.to_the_notice, "s", at_most=tick)


if __name__ == "__main__":
    typer.run(main)

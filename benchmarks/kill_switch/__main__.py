"""``make kill-switch``: a campaign turns bad under full load while another one selects a million vehicles.

Real Temporal, real PostgreSQL, a real worker; gateways are processes that do a gateway's database work
without its HTTP, so that two cores can carry the work of many. Prints a table and writes JSON.
"""

import asyncio
import json
import os
import platform
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from multiprocessing import Manager
from pathlib import Path
from threading import Thread
from typing import Annotated, Any, ClassVar

import typer
from rich.console import Console
from rich.table import Table

from benchmarks import fleet
from benchmarks.kill_switch import cost, load
from benchmarks.launch import LOOK, add_package, launch, until_stage
from campaign.guards import STANDARD_GUARDS
from commands.client import Campaigns, Launched
from commands.local import System, system
from runtime.processes import free_port
from runtime.settings import load_settings
from runtime.temporal import connect as temporal
from store.connect import Connection, connect

console = Console(stderr=True)

#: Every offer ever made, with the moment under the campaign's lock at which it was made.
_AUDIT = (
    "CREATE TABLE bench_offer (campaign_id int, at timestamptz)",
    "CREATE FUNCTION bench_offer() RETURNS trigger LANGUAGE plpgsql AS "
    "'BEGIN INSERT INTO bench_offer VALUES (NEW.campaign_id, NEW.offered_at); RETURN NULL; END'",
    "CREATE TRIGGER bench_offer AFTER UPDATE ON assignment FOR EACH ROW "
    "WHEN (OLD.state <> 'offered' AND NEW.state = 'offered') EXECUTE FUNCTION bench_offer()",
)

_STOP = "SELECT shut_at, breach IS NOT NULL FROM campaign WHERE id = %s"


class Inbox(BaseHTTPRequestHandler):
    """Takes notifications and notes when the first one came."""

    came: ClassVar[list[datetime]] = []

    def do_POST(self) -> None:
        """A notification; those of a pause are what is waited for."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if b"Paused" in body:
            self.came.append(datetime.now(UTC))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def main(
    gateways: Annotated[int, typer.Option(help="Processes that do a gateway's work.")] = 4,
    vehicles: Annotated[int, typer.Option(help="Vehicles of the campaign that turns bad.")] = 30_000,
    others: Annotated[int, typer.Option(help="Vehicles the other campaign selects.")] = 1_000_000,
    out: Annotated[Path, typer.Option(help="Where the figures go.")] = Path(".ringmaster/kill-switch.json"),
) -> None:
    """Measure the stop under load."""
    inbox = HTTPServer(("127.0.0.1", 0), Inbox)
    Thread(target=inbox.serve_forever, daemon=True).start()
    os.environ["RINGMASTER_NOTIFY_URLS"] = f"json://127.0.0.1:{inbox.server_port}"
    with tempfile.TemporaryDirectory(prefix="kill-switch-") as folder:
        settings = load_settings(data_dir=Path(folder), tick=timedelta(seconds=1), log_level="WARNING")
        with system(settings, port=free_port(), ui_port=free_port()) as running:
            os.environ.update(running.environment)
            running.start_worker()
            with connect(running.database_url) as connection:
                _fill(connection, settings.artifacts, vehicles, others)
                figures = asyncio.run(_measure(running, connection, gateways))
    _show(figures)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(figures, indent=2, default=str))


def _fill(connection: Connection, artifacts: Path, vehicles: int, others: int) -> None:
    console.print(f"filling: {vehicles} and {others} vehicles …")
    for model, count in (("Model_A", vehicles), ("Model_B", others), ("Model_C", 40_000)):
        fleet.fill(connection, model, count)
    add_package(connection, artifacts)
    for statement in _AUDIT:
        connection.execute(statement)


async def _measure(running: System, connection: Connection, gateways: int) -> dict[str, Any]:
    settings = load_settings()
    found = Campaigns(await temporal(settings), settings)
    # The cost is taken on a campaign whose guards never trip, so that all groups are judged alike.
    never = {"limit": "0.9", "accept": "0.4"}
    guards = [guard.model_dump(mode="json") | never for guard in STANDARD_GUARDS if guard.mode != "count"]
    calm = await launch(found, "Model_C", guards=guards)
    campaign = calm.status.campaign_id
    figures: dict[str, Any] = {"judging": await cost.measure(running.database_url, campaign, groups=60)}
    await found.command(calm.workflow_id, "abort", "bench", "")
    bad = await launch(found, "Model_A")
    figures |= await _stop_under_load(running, connection, found, bad, gateways)
    return figures | _machine(gateways)


async def _stop_under_load(
    running: System, connection: Connection, found: Campaigns, bad: Launched, gateways: int
) -> dict[str, Any]:
    campaign = bad.status.campaign_id
    vins = [
        row[0] for row in connection.execute("SELECT vin FROM vehicle WHERE model = 'Model_A' ORDER BY id")
    ]
    with Manager() as shared, ProcessPoolExecutor(gateways) as pool:
        failing, stop = shared.Event(), shared.Event()
        work = [
            pool.submit(load.run, running.database_url, vins[place::gateways], failing, stop)
            for place in range(gateways)
        ]
        await _until(lambda: _offers(connection, campaign) > 500)
        console.print("another campaign selects its vehicles …")
        other = asyncio.create_task(_select_others(found))
        await _until(lambda: _selecting(connection))
        before = datetime.now(UTC)
        failing.set()
        console.print("every installation fails from now on …")
        await _until(lambda: bool(_stopped(connection, campaign)[0]))
        still_selecting = _selecting(connection)
        shut_at, breached = _stopped(connection, campaign)
        await until_stage(found, bad, "Paused")
        paused = datetime.now(UTC)
        await _until(lambda: bool(Inbox.came))
        # Who would still be admitted would be by now.
        polled_until = time.monotonic() + 3
        await _until(lambda: time.monotonic() > polled_until)
        stop.set()
        sums = [each.result() for each in work]
        await other
    status = await found.status(bad.workflow_id)
    return {
        "offers before the stop": _offers(connection, campaign),
        "offers after the stop": _offers_after(connection, campaign, shut_at),
        "closed by the report itself": breached,
        "the other campaign was selecting": still_selecting,
        "seconds from the first failure to the stop": (shut_at - before).total_seconds(),
        "seconds from the stop to Paused": (paused - shut_at).total_seconds(),
        "seconds from the stop to the notification": (Inbox.came[0] - shut_at).total_seconds(),
        "polls per second": sum(each["polls"] / each["seconds"] for each in sums),
        "reports": sum(each["reports"] for each in sums),
        "exposed at the stop": status.breach.exposed.sentence if status.breach else None,
        "why": status.why,
    }


async def _select_others(found: Campaigns) -> Launched:
    return await launch(found, "Model_B")


async def _until(condition: Any) -> None:
    async with asyncio.timeout(300):
        while not condition():  # noqa: ASYNC110  (the condition is another process's)
            await asyncio.sleep(LOOK)


def _offers(connection: Connection, campaign: int) -> int:
    row = connection.execute("SELECT count(*) FROM bench_offer WHERE campaign_id = %s", [campaign]).fetchone()
    return int(row[0]) if row else 0


def _offers_after(connection: Connection, campaign: int, moment: datetime) -> int:
    row = connection.execute(
        "SELECT count(*) FROM bench_offer WHERE campaign_id = %s AND at > %s", [campaign, moment]
    ).fetchone()
    return int(row[0]) if row else 0


def _selecting(connection: Connection) -> bool:
    """Whether some campaign's selection runs, that is, has not committed."""
    row = connection.execute(
        "SELECT count(*) FROM campaign WHERE state = 'SelectingVehicles' AND selected_at IS NULL"
    ).fetchone()
    return bool(row and row[0])


def _stopped(connection: Connection, campaign: int) -> tuple[datetime, bool]:
    row = connection.execute(_STOP, [campaign]).fetchone()
    assert row is not None
    return row[0], row[1]


def _machine(gateways: int) -> dict[str, Any]:
    return {
        "gateways": gateways,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _show(figures: dict[str, Any]) -> None:
    table = Table("figure", "value", title="The stop under load", title_justify="left")
    for name, value in figures.items():
        if isinstance(value, dict):
            for kind, milliseconds in value.items():
                table.add_row(f"{cost.REPORTS} reports, {kind}", f"{milliseconds:.2f} ms")
        else:
            table.add_row(name, f"{value:.2f}" if isinstance(value, float) else str(value))
    judged = figures["judging"]
    ratio = judged["a failure, judged"] / judged["a failure, not judged"]
    table.add_row("judging costs a group with a failure", f"{(ratio - 1) * 100:.0f} %")
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)

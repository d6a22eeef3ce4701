"""``python -m benchmarks.long_campaign``: two weeks in four phases, and what they leave in history.

Real are: the workflow, the worker process with all its activities, PostgreSQL with all rows and triggers,
and the Temporal server, which skips the time in which nothing happens. The database's clock skips with it
(clock.py); vehicles report by statements of the database (fleet.py). Two things are other than in
production: ticks lie further apart, because each costs its real time however long it has waited, so that
the first checkpoints of a phase, minutes apart in production, fall together here; and a history has events
that say that time was skipped, which are not counted. A small fleet goes first: the length of the history
must not depend on the number of vehicles.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError
from temporalio.testing import TimeSkippingConfig, WorkflowEnvironment

from benchmarks.footprint import resident_mib
from benchmarks.launch import add_package, until_stage
from benchmarks.long_campaign import clock, fleet
from benchmarks.sheet import RESULTS, Sheet
from campaign.definition import parse
from campaign.lifecycle import State
from commands.client import Campaigns
from commands.local import ROOT
from runtime.converter import data_converter
from runtime.database import database_url, migrate
from runtime.embedded_temporal import temporal_program
from runtime.processes import Processes
from runtime.settings import Settings, load_settings
from store.connect import Connection, connect
from workflows import search

console = Console(stderr=True)
app = typer.Typer(add_completion=False)

FULL = 1_000_000

PHASES = (("test fleet", "0.1"), ("canary", "1"), ("regional", "20"), ("global", "100"))

#: How much of a phase's time is its bake.
BAKING = 0.25

#: Skipping is off by default, takes a second of real time each without the second, and its events count
#: towards a fresh history: without the third there would be one that no campaign has in production.
SKIPPING = (
    "frontend.WorkflowTimeSkippingEnabled=true",
    'history.timerProcessorMaxTimeShift="1ms"',
    "limit.historyCount.suggestContinueAsNew=50000",
)

#: What the skipping leaves in a history: that it was asked for, and that it was done.
_SKIPPING = (
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED,
)
_SCHEDULED = EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED

#: How often a campaign is looked at, in real time.
_LOOK_SECONDS = 15


@dataclass(frozen=True)
class Left:
    """What a campaign leaves in its history, without what says that time was skipped."""

    events: int
    size: int
    supervisions: int
    days: float
    took: float


@app.command()
def main(
    vehicles: Annotated[int, typer.Option(min=2_000, help="Vehicles of the large fleet.")] = 20_000,
    few: Annotated[int, typer.Option(min=1_000, help="Vehicles of the small one.")] = 1_000,
    full: Annotated[bool, typer.Option("--full", help=f"{FULL} vehicles.")] = False,
    days: Annotated[float, typer.Option(help="How long a campaign lasts.")] = 14.0,
    tick: Annotated[float, typer.Option(help="Minutes from tick to tick.")] = 60.0,
    out: Annotated[Path, typer.Option(help="Where the figures go.")] = RESULTS / "long_campaign.json",
) -> None:
    """Measure a long campaign."""
    if full:
        vehicles, tick = FULL, 60.0
    with tempfile.TemporaryDirectory(prefix="long-campaign-") as folder:
        every = timedelta(minutes=tick)
        settings = load_settings(data_dir=Path(folder), tick=every, lease=4 * every, log_level="WARNING")
        with database_url(settings) as url:
            migrate(url)
            with connect(url) as connection:
                phase = timedelta(days=days) / len(PHASES)
                clock.install(connection)
                add_package(connection, settings.artifacts)
                sheet = asyncio.run(_measure(settings, url, connection, phase, [few, vehicles]))
    sheet.show()
    sheet.write(out)


async def _measure(
    settings: Settings, url: str, connection: Connection, phase: timedelta, sizes: list[int]
) -> Sheet:
    fleet.let_report(connection, phase * (1 - BAKING))
    sheet = Sheet(f"a campaign over {sizes[-1]} vehicles in {len(PHASES)} phases")
    async with _server() as environment:
        address = environment.client.service_client.config.target_host
        with Processes(settings.data_dir / "logs") as processes:
            worker = processes.start("worker", _WORKER, env=_environment(settings, url, address))
            found = []
            for model, vehicles in zip(("Model_A", "Model_B"), sizes, strict=True):
                console.print(f"a campaign over {vehicles} vehicles …")
                fleet.fill(connection, model, vehicles)
                found.append(await _run(environment, settings, model, phase * BAKING))
                fleet.check(connection, len(found), vehicles)
                processes.check()
            memory = resident_mib(worker.pid, peak=True)
    few, many = found
    configurations = connection.execute("SELECT count(*) FROM configuration WHERE campaign_id = 2").fetchone()
    sheet.add("configurations", configurations[0] if configurations else 0)
    sheet.add("days of the campaign", many.days, "d")
    sheet.add("supervisions in the history", many.supervisions)
    sheet.add("events of the run", many.events, at_most=1_500)
    # Where some fail the rate that is shown changes, at the most once with each supervision.
    sheet.add(f"the same beside {sizes[0]} vehicles", many.events, floor=few.events, at_most=1.15)
    sheet.add("history of the run", many.size / 1024, "KiB", floor=few.size / 1024)
    sheet.add("memory of the worker at its highest", memory, "MiB", at_most=300)
    sheet.add("real time", many.took, "s")
    return sheet


_WORKER = [sys.executable, "-m", "benchmarks.long_campaign.worker"]


def _environment(settings: Settings, url: str, address: str) -> dict[str, str]:
    return {
        "RINGMASTER_DATABASE_URL": url,
        "RINGMASTER_TICK": str(settings.tick.total_seconds()),
        "RINGMASTER_LEASE": str(settings.lease.total_seconds()),
        "RINGMASTER_DATA_DIR": str(settings.data_dir),
        "RINGMASTER_LOG_LEVEL": settings.log_level,
        "TEMPORAL_ADDRESS": address,
        "PYTHONPATH": str(ROOT),
    }


@asynccontextmanager
async def _server() -> AsyncIterator[WorkflowEnvironment]:
    async with await WorkflowEnvironment.start_time_skipping_v2(
        ts_config=TimeSkippingConfig(max_session_skip_count=40_000),
        data_converter=data_converter,
        dev_server_existing_path=str(temporal_program()),
        dev_server_log_level="error",
        dev_server_extra_args=[word for each in SKIPPING for word in ("--dynamic-config-value", each)],
        search_attributes=[search.STATE, search.PHASE, search.TYPE, search.PRIORITY, search.FAILURE_RATE],
    ) as environment:
        yield environment


async def _run(environment: WorkflowEnvironment, settings: Settings, model: str, bake: timedelta) -> Left:
    """Run a campaign to its end."""
    document = _document(model, bake)
    found = Campaigns(environment.client, settings)
    began = time.monotonic()
    with environment.with_time_skipping_disabled():
        launched = await found.launch(document, parse(document, datetime.now(UTC)))
        await found.command(launched.workflow_id, "approve", "bench", "")
        await until_stage(found, launched, "Active")
    handle = environment.client.get_workflow_handle(launched.workflow_id)
    while (await handle.describe()).status is WorkflowExecutionStatus.RUNNING:
        # It waits for an event, and gives up when a tick over many rows lets none come for a while.
        with suppress(RPCError, TimeoutError):
            async with asyncio.timeout(_LOOK_SECONDS):
                await environment.fast_forward(handle)
        status = await found.status(launched.workflow_id)
        if status.stage == State.PAUSED.stage:
            # Nobody is here to answer, and it would tick on for ever.
            raise RuntimeError(f"the campaign was paused: {status.why}")
    await handle.result()
    events = list((await handle.fetch_history()).events)
    own = [each for each in events if each.event_type not in _SKIPPING]
    return Left(
        events=len(own),
        size=sum(each.ByteSize() for each in own),
        supervisions=sum(
            each.event_type == _SCHEDULED
            and each.activity_task_scheduled_event_attributes.activity_type.name == "supervise"
            for each in own
        ),
        days=(events[-1].event_time.ToDatetime() - events[0].event_time.ToDatetime()) / timedelta(days=1),
        took=time.monotonic() - began,
    )


def _document(model: str, bake: timedelta) -> dict[str, Any]:
    return {
        "name": f"Long {model}",
        "package": "Pkg_v2.4",
        "criteria": model,
        # A ring of a few vehicles proves nothing; who is asked then is not the matter here.
        "promotion": {"on_inconclusive": "advance"},
        "phases": [
            {"name": name, "rollout_percent": percent, "wait_time": f"PT{bake.total_seconds():.0f}S"}
            for name, percent in PHASES
        ],
    }


if __name__ == "__main__":
    app()

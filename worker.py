"""A Ringmaster worker: settings -> store -> activities -> Temporal worker. Runs until SIGINT or SIGTERM.

Where Temporal is: ``TEMPORAL_ADDRESS``, ``TEMPORAL_NAMESPACE``, ``TEMPORAL_API_KEY``, ``TEMPORAL_TLS_*`` or
a profile in temporal.toml, as for the ``temporal`` CLI. The rest: ``RINGMASTER_*`` (runtime/settings.py).
"""

import asyncio
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import structlog
from sqlalchemy import Engine
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.delivery import Delivery
from activities.notification import Notification
from activities.rota import Rota
from activities.supervision import Supervision
from activities.targeting import Targeting
from runtime.database import check_schema, database_url
from runtime.errors import RuntimeFault, SettingsError
from runtime.leaving import leave
from runtime.logging import configure_logging
from runtime.search_attributes import ensure_search_attributes
from runtime.settings import Settings, load_settings
from runtime.temporal import connect
from store.connect import engine
from store.stops import stops
from workflows import search
from workflows.campaign import CampaignWorkflow

#: Activities at once. A campaign under supervision holds a slot for the few milliseconds of its tick; what
#: waits for others, such as a slow notification channel, must leave slots for the gates.
SLOTS = 100

#: Connections kept; as many again are made under load.
CONNECTIONS = 10

#: Statements that SQLAlchemy keeps in compiled form. Those that are composed, door and selection, differ from
#: campaign to campaign and are used once: five hundred, its default, are some 100 MiB of a worker's memory.
COMPILED = 20

#: Ticks of all campaigns together, whatever their number: with Temporal and PostgreSQL beside it they take a
#: third of two cores (docs/performance.md). With more than eighty campaigns each is ticked less often.
TICKS_PER_SECOND = 40

#: Ticks that have a connection at the same time; more would wait for the interpreter, and gates with them.
TICKS_AT_ONCE = 4

#: How long a thread keeps the interpreter from others, in seconds. A gate write needs it again after each of
#: its statements; Python's five milliseconds each time are most of what it takes beside many ticks.
SWITCH_SECONDS = 0.001

#: Longer than a gate write may take, so that a worker that is asked to stop finishes what it began.
GRACE = timedelta(seconds=12)

#: The sandbox need not import our own module anew for each campaign; it would keep 100 kB of it each.
RESTRICTIONS = SandboxRestrictions.default.with_passthrough_modules("workflows")

#: How long a signal waits for a worker that has died before another one takes the campaign over. The SDK's
#: ten seconds are long for a pause.
HANDOVER = timedelta(seconds=3)

log = structlog.get_logger()


def build_engine(url: str) -> Engine:
    """The connections of a worker."""
    return engine(url, pool_size=CONNECTIONS, max_overflow=CONNECTIONS, query_cache_size=COMPILED)


def build_worker(client: Client, database: Engine, settings: Settings, threads: ThreadPoolExecutor) -> Worker:
    """A worker with all workflows and activities, not yet running."""
    targeting = Targeting(database)
    delivery = Delivery(database, settings.lease)
    rota = Rota(settings.tick, TICKS_PER_SECOND)
    supervision = Supervision(database, settings.lease, rota, TICKS_AT_ONCE)
    notification = Notification(settings.notify_urls)
    return Worker(
        client,
        task_queue=settings.task_queue,
        workflows=[CampaignWorkflow],
        activities=[
            targeting.register,
            targeting.select_targets,
            delivery.open_gate,
            delivery.shut_gate,
            delivery.show_state,
            delivery.finish,
            delivery.change_limits,
            delivery.exclude_cohort,
            delivery.write_journal,
            supervision.supervise,
            notification.notify,
        ],
        workflow_runner=SandboxedWorkflowRunner(restrictions=RESTRICTIONS),
        activity_executor=threads,
        max_concurrent_activities=SLOTS,
        graceful_shutdown_timeout=GRACE,
        sticky_queue_schedule_to_start_timeout=HANDOVER,
    )


async def pass_on_stops(client: Client, url: str) -> None:
    """Have campaigns look at once when their gate was shut by a report, not at their next tick."""
    async for workflow_id in stops(url):
        try:
            await client.get_workflow_handle(workflow_id).signal(CampaignWorkflow.look)
        except RPCError as error:
            # It has ended, or Temporal is away: then the tick brings it.
            log.info("word of a stop was not passed on", campaign=workflow_id, why=error.message)


async def run(settings: Settings) -> None:
    """Work until asked to stop.

    Raises:
        RuntimeFault: no Temporal server, wrong namespace, no database or another schema; one line each.
    """
    with database_url(settings) as url, ThreadPoolExecutor(SLOTS) as threads:
        check_schema(url)
        client = await connect(settings)
        await ensure_search_attributes(client, search.REGISTERED)
        database = build_engine(url)
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with build_worker(client, database, settings, threads):
            log.info("worker is up", namespace=client.namespace, task_queue=settings.task_queue)
            word = asyncio.create_task(pass_on_stops(client, url))
            await stop.wait()
            log.info("worker is stopping")
            word.cancel()
            await asyncio.wait([word])
        database.dispose()


def main() -> int:
    """Run from the environment; 0 after a stop, 2 for a wrong setting, 3 when something is unreachable."""
    try:
        settings = load_settings()
        configure_logging(settings)
        sys.setswitchinterval(SWITCH_SECONDS)
        asyncio.run(run(settings))
    except (RuntimeFault, ValueError) as error:
        sys.stderr.write(f"worker: {error}\n")
        return 2 if isinstance(error, (SettingsError, ValueError)) else 3
    return 0


if __name__ == "__main__":
    leave(main())

"""A campaign whose gate was shut by a report or a withdrawal says so at once, not at its next tick."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from campaign.lifecycle import State
from runtime.settings import Settings
from store.stops import stops
from store.withdrawals import withdraw
from tests.store.fleet import Fleet, cars, closing, connected, until
from tests.workflows.campaigns import Stage, definition
from tests.workflows.world import World
from worker import SLOTS, build_engine, build_worker, pass_on_stops
from workflows.campaign import CampaignWorkflow

#: In the time of a test no tick comes but the one with which a phase begins.
TICK = timedelta(hours=1)

LISTENING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle' "
    "AND query IN ('LISTEN ringmaster_stop', 'SELECT')"
)


@pytest.fixture
def fleet(database: str) -> Iterator[Fleet]:
    fleet = Fleet(database)
    yield fleet
    fleet.close()


@pytest.fixture
async def rolling(temporal_env: WorkflowEnvironment, fleet: Fleet) -> AsyncIterator[WorkflowHandle[Any, Any]]:
    """A campaign of three vehicles after its first tick, with a worker that listens."""
    fleet.add(cars(3))
    engine = build_engine(fleet.url)
    settings = Settings(task_queue=uuid.uuid4().hex, tick=TICK, lease=4 * TICK)
    with ThreadPoolExecutor(SLOTS) as threads:
        async with build_worker(temporal_env.client, engine, settings, threads):
            word = asyncio.create_task(pass_on_stops(temporal_env.client, fleet.url))
            handle = await temporal_env.client.start_workflow(
                "CampaignWorkflow", definition(), id=settings.task_queue, task_queue=settings.task_queue
            )
            await handle.signal("approve")
            await until(lambda: bool(fleet.value("SELECT bool_or(released_at IS NOT NULL) FROM phase")))
            await until(lambda: bool(fleet.value(LISTENING)))
            yield handle
            word.cancel()
            await asyncio.wait([word])
            await handle.terminate()
    engine.dispose()


async def until_paused(handle: WorkflowHandle[Any, Any]) -> str:
    """Why it has paused."""
    async with asyncio.timeout(20):
        while True:
            status = await handle.query(CampaignWorkflow.status)
            if status.state == "Paused":
                return status.why


async def test_a_report_that_shuts_the_gate_pauses_the_campaign_before_the_next_tick(
    rolling: WorkflowHandle[Any, Any], fleet: Fleet
) -> None:
    campaign, vehicle = (
        fleet.value("SELECT min(id) FROM campaign"),
        fleet.value("SELECT min(id) FROM vehicle"),
    )
    async with connected(fleet.url) as gateway:
        await gateway.start(vehicle)
        await gateway.record(*closing(campaign, [vehicle], "failure"))
    assert "1 of 1 failed" in await until_paused(rolling)


async def test_a_withdrawal_pauses_the_campaign_before_the_next_tick(
    rolling: WorkflowHandle[Any, Any], fleet: Fleet
) -> None:
    withdraw(fleet.engine, "Pkg", "ann", "it bricks", datetime.now(UTC))
    assert "withdrawn everywhere by ann" in await until_paused(rolling)


async def test_word_of_a_stop_makes_the_workflow_look_and_changes_nothing_when_there_is_none(
    stage: Stage,
) -> None:
    campaign = await stage.in_state(State.ROLLING_OUT, World({1: 10}, healthy=False, tick=TICK))
    for _ in range(3):
        before = campaign.world.count("supervise")
        await campaign.signal("look")
        await campaign.world.until_called("supervise", before + 1)
        assert await campaign.stage() == "Active/RollingOut"


async def test_another_listener_takes_over_from_one_that_is_lost(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.stops._QUIET", timedelta(milliseconds=20))
    fleet.add(cars(1))
    campaign = fleet.launch()
    first, second = stops(fleet.url), stops(fleet.url)
    tell = f"SELECT pg_notify('ringmaster_stop', workflow_id) FROM campaign WHERE id = {campaign}"
    word = asyncio.ensure_future(anext(first))
    await until(lambda: fleet.value(LISTENING) == 1)
    heir = asyncio.ensure_future(anext(second))
    fleet.run(tell)
    assert await word == fleet.value("SELECT workflow_id FROM campaign")
    assert not heir.done()
    await first.aclose()
    async with asyncio.timeout(20):
        while not heir.done():
            fleet.run(tell)
            await asyncio.sleep(0)
    assert heir.result() == word.result()
    await second.aclose()

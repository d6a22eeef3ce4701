"""The history grows with phases and decisions, never with vehicles, and never holds one's name."""

import uuid
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import pytest_asyncio
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from campaign.lifecycle import State
from campaign.pace import checkpoint_after
from campaign.supervision import Mode
from runtime.embedded_temporal import temporal_program
from runtime.settings import Settings
from tests.store.fleet import Fleet, car
from tests.workflows.campaigns import Campaign, Stage, definition, soon
from tests.workflows.reading import vins
from tests.workflows.record_histories import LONG_HISTORY, runs
from tests.workflows.world import World
from worker import SLOTS, build_engine, build_worker
from workflows import search

CONTINUED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW


def health_checks(time: timedelta) -> int:
    """How many health checks a phase of this length writes into the history."""
    age, count = timedelta(0), 0
    while age < time:
        age, count = age + checkpoint_after(age), count + 1
    return count


async def test_two_weeks_in_four_phases_stay_under_1500_events(stage: Stage) -> None:
    checks = health_checks(timedelta(days=3.5))
    assert checks >= 20
    # No wait in real time: the checks of each phase come at once, as many as its share of two weeks has.
    world = World(dict.fromkeys(range(1, 5), 100), checkpoints=checks)
    campaign = await stage.start(definition(4), world=world)
    await campaign.signal("approve")
    await campaign.result()
    assert world.count("supervise") >= 4 * checks
    assert len(await campaign.events()) < 1_500


# Each vehicle that a tick has released is updated in that moment, without a gateway.
AT_ONCE = """
CREATE FUNCTION update_all() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE assignment SET state = 'succeeded', attempt = 1
    WHERE campaign_id = NEW.campaign_id AND phase = NEW.number AND state = 'pending';
    RETURN NULL;
END $$;
CREATE TRIGGER updated_at_once AFTER UPDATE OF released_at ON phase
    FOR EACH ROW EXECUTE FUNCTION update_all();
"""


async def test_a_history_has_no_vin_and_the_same_length_for_ten_vehicles_and_for_two_thousand(
    temporal_env: WorkflowEnvironment, database: str, request: pytest.FixtureRequest
) -> None:
    fleet, engine = Fleet(database), build_engine(database)
    request.addfinalizer(engine.dispose)
    request.addfinalizer(fleet.close)
    fleet.add(car(number, model="Small") for number in range(10))
    fleet.add(car(number, model="Large") for number in range(10, 2010))
    fleet.run(AT_ONCE)
    settings = Settings(task_queue=uuid.uuid4().hex, tick=timedelta(seconds=0.1), lease=timedelta(seconds=30))
    histories: dict[str, WorkflowHistory] = {}
    with ThreadPoolExecutor(SLOTS) as threads:
        async with build_worker(temporal_env.client, engine, settings, threads):
            for model, size in (("Small", 10), ("Large", 2000)):
                handle = await temporal_env.client.start_workflow(
                    "CampaignWorkflow",
                    definition(2, criteria=model) | {"name": f"{model} car"},
                    id=f"{settings.task_queue}-{model}",
                    task_queue=settings.task_queue,
                )
                await handle.signal("approve")
                assert await soon(handle.result()) == {"succeeded": size}
                histories[model] = await handle.fetch_history()
    scheduled = {
        model: [
            event.activity_task_scheduled_event_attributes.activity_type.name
            for event in history.events
            if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
        ]
        for model, history in histories.items()
    }
    assert scheduled["Small"] == scheduled["Large"]
    small, large = (history.to_json() for history in histories.values())
    assert abs(len(large) - len(small)) < len(small) / 20
    assert vins(large) == []
    assert fleet.value("SELECT count(*) FROM journal WHERE event = 'processed'") == 4
    assert fleet.value("SELECT bool_or(gate_open) FROM campaign") is False


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def impatient_env() -> AsyncIterator[WorkflowEnvironment]:
    """A server that suggests a fresh history after 20 events."""
    async with await WorkflowEnvironment.start_local(
        data_converter=pydantic_data_converter,
        dev_server_existing_path=str(temporal_program()),
        dev_server_log_level="error",
        dev_server_extra_args=list(LONG_HISTORY),
        search_attributes=[search.STATE, search.PHASE, search.TYPE, search.PRIORITY, search.FAILURE_RATE],
    ) as environment:
        yield environment


@pytest.fixture
async def impatient(impatient_env: WorkflowEnvironment) -> AsyncIterator[Stage]:
    stage = Stage(impatient_env)
    yield stage
    await stage.clear()


def orders_of_the_gate(campaign: Campaign) -> list[int]:
    """The fencing numbers of all writes of the gate."""
    names = ("show_state", "open_gate", "shut_gate", "finish")
    return [call.order.seq for call in campaign.world.calls if call.name in names]


async def test_a_long_history_begins_anew_with_a_phase_and_the_story_goes_on(impatient: Stage) -> None:
    campaign = await impatient.start(definition(3), world=World({1: 10, 2: 20, 3: 30}))
    await campaign.signal("approve", {"by": "ann"})
    assert await campaign.result() == {"succeeded": 60}
    world, found = campaign.world, await runs(campaign)
    assert len(found) >= 3
    assert [history.events[-1].event_type == CONTINUED for history in found] == [True] * (len(found) - 1) + [
        False
    ]
    assert (world.count("register"), world.count("select_targets"), world.count("finish")) == (1, 1, 1)
    assert [order.state for order in world.orders("open_gate")] == [State.ROLLING_OUT] * 3
    seqs = orders_of_the_gate(campaign)
    assert seqs == sorted(set(seqs))
    assert len({line.key for line in world.journal}) == len(world.journal)
    assert [line.event for line in world.journal if line.event == "phase"] == ["phase"] * 3
    status = await campaign.status()
    assert (status.state, status.phase) == ("Completed", 3)
    assert "approve by ann" in [note.text for note in status.notes]
    assert (await campaign.attributes())["CampaignState"] == "Completed"


async def test_orders_and_breaches_are_remembered_over_a_fresh_history(impatient: Stage) -> None:
    world = World({1: 10, 2: 20})
    campaign = await impatient.start(definition(2, "PT24H"), world=world)
    await campaign.signal("approve")
    await world.until_watched(Mode.BAKING)
    await world.happens(world.fail, 1, failed=1, of=10)
    await world.until_watched(Mode.HOLDING)
    before = len(world.calls)
    world.report(1, succeeded=10)
    await campaign.signal("resume")
    await world.until_watched(Mode.BAKING, begun_after=before)
    await campaign.signal("promote", {"by": "ann"})
    await world.until_watched(Mode.BAKING, 2)
    assert len(await runs(campaign)) >= 2
    status = await campaign.status()
    assert (status.state, status.phase, status.breaches, status.window) == ("Active/Baking", 2, 1, 2)
    assert "promote by ann" in [note.text for note in status.notes]


async def test_warnings_and_the_last_resume_are_remembered_over_a_fresh_history(impatient: Stage) -> None:
    world = World({1: 10, 2: 20})
    campaign = await impatient.start(definition(2, "PT24H"), world=world)
    await campaign.signal("approve")
    await world.until_watched(Mode.BAKING)
    await world.happens(world.fail, 1, failed=1, of=10)
    await world.until_watched(Mode.HOLDING)
    world.report(1, succeeded=10)
    before = len(world.calls)
    await campaign.signal("resume", {"by": "ann", "reason": "known"})
    await world.until_watched(Mode.BAKING, begun_after=before)
    await world.happens(world.warn, "not_ok")
    await world.until(lambda: "Warning: Winter" in [notice.title for notice in world.notices])
    before = len(await runs(campaign))
    await campaign.signal("promote")
    await world.until_watched(Mode.BAKING, 2)
    assert len(await runs(campaign)) > before
    assert world.orders("supervise")[-1].warned == ("1/not_ok",)
    await world.happens(world.fail, 2, failed=1, of=20)
    await world.until_watched(Mode.HOLDING, 2)
    status = await campaign.status()
    assert "(stop number 2, in evidence window 2, after the resume by ann: known)" in status.why
    assert [window.number for window in status.windows] == [1]
    await world.until(lambda: len(world.notices) == 3)
    titles = ["Paused: Winter", "Warning: Winter", "Paused: Winter"]
    assert [notice.title for notice in world.notices] == titles


async def test_a_history_does_not_begin_anew_while_people_are_being_told(impatient: Stage) -> None:
    world = World({1: 10, 2: 20}, held={"notify"})
    campaign = await impatient.start(definition(2, "PT24H"), world=world)
    await campaign.signal("approve")
    await world.until_watched(Mode.BAKING)
    await world.happens(world.fail, 1, failed=1, of=10)
    await world.until_watched(Mode.HOLDING)
    await world.until_called("notify")
    before, begun = len(world.calls), len(await runs(campaign))
    world.report(1, succeeded=10)
    await campaign.signal("resume")
    await world.until_watched(Mode.BAKING, begun_after=before)
    await campaign.signal("promote")
    await world.until_watched(Mode.BAKING, 2)
    assert len(await runs(campaign)) == begun
    await world.release("notify")
    await campaign.signal("promote")
    await campaign.result()
    assert [notice.title for notice in world.notices] == ["Paused: Winter", "Completed: Winter"]

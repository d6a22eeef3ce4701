"""An order and a finding that reach the workflow in one task: the order wins, and nothing is wedged."""

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.worker import Worker

from campaign.lifecycle import State
from campaign.supervision import Mode
from tests.workflows.campaigns import Campaign, Stage

TASK_FAILED = EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
COMPLETED = EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED


async def finding_and_order(stage: Stage, campaign: Campaign, order: str) -> None:
    """Let the supervision find what the world holds, and send the order, before any workflow task runs."""
    client, queue = stage.environment.client, campaign.handle.id
    async with stage.without_worker(campaign):
        before = await campaign.count(COMPLETED)
        async with Worker(client, task_queue=queue, activities=campaign.world.activities):
            while await campaign.count(COMPLETED) == before:
                pass
        await campaign.signal(order)


@pytest.mark.parametrize(("order", "leads_to"), [("pause", "Paused"), ("abort", "Aborted")])
@pytest.mark.parametrize("found", ["breach", "processed"])
async def test_an_order_wins_over_a_finding_of_the_same_moment(
    found: str, order: str, leads_to: str, stage: Stage
) -> None:
    campaign = await stage.in_state(State.ROLLING_OUT)
    if found == "breach":
        campaign.world.fail(1, failed=1, of=10)
    else:
        campaign.world.report(1, succeeded=10)
    await finding_and_order(stage, campaign, order)
    shut = "shut_gate" if order == "pause" else "finish"
    await campaign.world.until_called(shut)
    assert await campaign.stage() == leads_to
    assert not campaign.world.gate_open


async def proof_awaited(stage: Stage, found: str, order: str) -> Campaign:
    """What a campaign does that awaits its proof, when it is told something just as something is found."""
    campaign = await stage.waiting(phases=3)
    world = campaign.world
    if found == "proven":
        world.prove()
    elif found == "warning":
        world.warn("not_ok")
    elif found == "withdrawn":
        world.withdraw("carol")
    else:
        world.fail(1, failed=1, of=10)
    await finding_and_order(stage, campaign, order)
    return campaign


@pytest.mark.parametrize(("order", "leads_to"), [("pause", "Paused"), ("abort", "Aborted")])
@pytest.mark.parametrize("found", ["proven", "warning", "breach", "withdrawn"])
async def test_a_stop_wins_over_what_is_found_while_proof_is_awaited(
    found: str, order: str, leads_to: str, stage: Stage
) -> None:
    campaign = await proof_awaited(stage, found, order)
    await campaign.world.until_called("shut_gate" if order == "pause" else "finish")
    status = await campaign.status()
    assert (status.state, status.phase) == (leads_to, 1)
    assert status.why.startswith(f"{leads_to.lower()} by operator")
    assert not campaign.world.gate_open
    assert campaign.world.count("open_gate") == 1
    assert await campaign.count(TASK_FAILED) == 0


@pytest.mark.parametrize("found", ["breach", "withdrawn"])
async def test_promote_does_not_pass_by_a_stop_of_the_same_moment(found: str, stage: Stage) -> None:
    campaign = await proof_awaited(stage, found, "promote")
    await campaign.world.until_watched(Mode.HOLDING)
    status = await campaign.status()
    assert (status.state, status.phase) == ("Paused", 1)
    assert campaign.world.count("open_gate") == 1
    # The order is used up: the resume leads back to the wait.
    campaign.world.withdraw("")
    before = len(campaign.world.calls)
    await campaign.signal("resume")
    await campaign.world.until_awaiting_proof(begun_after=before)


async def test_promote_and_a_proof_of_the_same_moment_end_one_phase(stage: Stage) -> None:
    campaign = await stage.waiting(phases=3)
    world = campaign.world
    world.prove()
    await finding_and_order(stage, campaign, "promote")
    await world.until_watched(Mode.PROVING, 2)
    await campaign.result()
    texts = world.texts()
    assert [order.seq for order in world.orders("open_gate")] == [seq for what, seq in world.gate_log[:3]]
    assert texts.count("promote by operator") == 1
    assert [text for text in texts if "has ended" in text and text.startswith("phase 1")] == []
    assert len([line for line in world.journal if line.event == "phase"]) == 3


async def test_promote_and_a_warning_of_the_same_moment_end_the_phase_and_the_warning_is_told(
    stage: Stage,
) -> None:
    campaign = await proof_awaited(stage, "warning", "promote")
    await campaign.world.until_awaiting_proof(2)
    await campaign.world.until(lambda: "Warning: Winter" in [each.title for each in campaign.world.notices])
    assert [each.title for each in campaign.world.notices].count("Warning: Winter") == 1

"""Request Cancellation, the big button of the Temporal UI, is an abort: the gate is shut before the end."""

import pytest
from temporalio.client import (
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowUpdateStage,
)
from temporalio.exceptions import CancelledError

from campaign.lifecycle import State
from tests.workflows.campaigns import STANDING, Campaign, Stage, definition, soon
from tests.workflows.world import World


async def ends_canceled(campaign: Campaign) -> None:
    with pytest.raises(WorkflowFailureError) as caught:
        await campaign.result()
    assert isinstance(caught.value.cause, CancelledError)
    assert (await soon(campaign.handle.describe())).status is WorkflowExecutionStatus.CANCELED


@pytest.mark.parametrize("state", STANDING, ids=str)
async def test_a_cancellation_shuts_the_gate_and_ends_as_canceled(stage: Stage, state: State) -> None:
    campaign = await stage.in_state(state)
    world = campaign.world
    await campaign.handle.cancel()
    await ends_canceled(campaign)
    assert (world.state, world.gate_open) == (State.ABORTED, False)
    assert world.gate_log[-1][0] == "shut"
    assert world.count("finish") == 1
    assert "abort by Temporal: cancellation was requested" in world.texts()
    status = await campaign.status()
    assert (status.state, status.why) == ("Aborted", "aborted by Temporal: cancellation was requested")


async def test_a_cancellation_loses_no_line_of_the_journal(stage: Stage) -> None:
    campaign = await stage.start(definition(), world=World({1: 10}, broken={"show_state"}))
    await campaign.world.until_called("show_state")
    await campaign.handle.cancel()
    await ends_canceled(campaign)
    assert "passed the door; 10 vehicles in 1 phases" in campaign.world.texts()


@pytest.mark.parametrize("name", ["open_gate", "finish"])
async def test_a_cancellation_while_the_database_is_away_waits_until_the_gate_is_shut(
    stage: Stage, name: str
) -> None:
    campaign = await stage.start(definition(), world=World({1: 10}, healthy=False, broken={name}))
    await campaign.signal("approve")
    await campaign.world.until_called("open_gate")
    campaign.world.broken.add("finish")
    await campaign.handle.cancel()
    await campaign.world.until_called("finish")
    assert (await soon(campaign.handle.describe())).status is WorkflowExecutionStatus.RUNNING
    await campaign.world.release("finish")
    await ends_canceled(campaign)
    assert campaign.world.gate_log[-1][0] == "shut"


async def test_a_cancellation_during_an_abort_does_not_leave_the_gate_open(stage: Stage) -> None:
    campaign = await stage.in_state(State.ROLLING_OUT)
    campaign.world.held.add("finish")
    await campaign.signal("abort", {"by": "ann"})
    await campaign.world.until_called("finish")
    await campaign.handle.cancel()
    assert (await campaign.status()).why == "aborted by ann"
    assert campaign.world.gate_open
    await campaign.world.release("finish")
    assert await campaign.result() == {"expired": 10}
    assert not campaign.world.gate_open
    assert campaign.world.count("finish") == 1


async def test_a_campaign_that_was_never_registered_can_be_cancelled(stage: Stage) -> None:
    campaign = await stage.start(definition(), world=World({1: 10}, broken={"register"}))
    await campaign.world.until_called("register")
    await campaign.handle.cancel()
    await ends_canceled(campaign)
    assert campaign.world.count("finish") == 0


@pytest.mark.parametrize("update", ["registered", "abort"])
async def test_who_waits_for_an_answer_does_not_keep_a_cancelled_campaign_from_ending(
    stage: Stage, update: str
) -> None:
    campaign = await stage.start(definition(), world=World({1: 10}, broken={"register"}))
    await campaign.world.until_called("register")
    name, args = ("registered", []) if update == "registered" else ("command", [{"action": "abort"}])
    waiting = await soon(
        campaign.handle.start_update(name, args=args, wait_for_stage=WorkflowUpdateStage.ACCEPTED)
    )
    await campaign.handle.cancel()
    assert dict(await soon(waiting.result()))["state"] == "Aborted"
    await soon(campaign.handle.describe())
    with pytest.raises(WorkflowFailureError):
        await campaign.result()

"""Updates: orders with an answer, refused by a validator before they cost anything."""

import asyncio
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from campaign.lifecycle import Event, State, possible, why_not
from campaign.supervision import Mode
from tests.workflows.campaigns import STANDING, Campaign, Stage, soon
from tests.workflows.world import World

UPDATES = (
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED,
)


async def refusal(campaign: Campaign, update: str, *given: Any) -> str:
    """Why an update was refused, which cost no event."""
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await soon(campaign.handle.execute_update(update, args=given))
    assert await campaign.count(*UPDATES) == 0
    assert isinstance(caught.value.cause, ApplicationError)
    return caught.value.cause.message


@pytest.mark.parametrize("state", STANDING, ids=str)
async def test_a_senseless_command_is_refused_with_why_and_leaves_no_event(
    stage: Stage, state: State
) -> None:
    campaign = await stage.in_state(state)
    for event in (Event.APPROVE, Event.PAUSE, Event.RESUME, Event.PROMOTE):
        if not possible(state, event):
            assert await refusal(campaign, "command", {"action": event.value}) == why_not(state, event)
    assert await campaign.stage() == str(state)


@pytest.mark.parametrize(
    "given",
    [
        [],
        [None],
        ["stop"],
        [5],
        [[]],
        [{}],
        [{"action": "stop"}],
        [{"action": ["pause"]}],
        [{"aktion": "pause"}],
    ],
    ids=str,
)
async def test_a_command_that_names_no_action_is_refused_with_the_known_ones(
    stage: Stage, given: list[Any]
) -> None:
    campaign = await stage.in_state(State.DRAFT)
    why = await refusal(campaign, "command", *given)
    assert "give one of approve, pause, resume, abort, promote" in why


async def test_a_pause_is_answered_only_when_the_gate_is_shut(stage: Stage) -> None:
    campaign = await stage.in_state(State.ROLLING_OUT, World({1: 10}, held={"shut_gate"}, in_offer=2))
    answer = asyncio.create_task(campaign.command("pause", by="ann", reason="brakes"))
    await campaign.world.until_called("shut_gate")
    assert await campaign.stage() == "Paused"
    assert not answer.done()
    await campaign.world.release("shut_gate")
    status = await soon(answer)
    assert not campaign.world.gate_open
    assert (status.state, status.why) == ("Paused", "paused by ann: brakes")
    assert status.exposure is not None
    assert status.exposure.withdrawn == 2


async def test_a_second_pause_is_answered_by_its_own_shut_gate(stage: Stage) -> None:
    campaign = await stage.in_state(State.PAUSED)
    await campaign.command("resume")
    await campaign.world.until(lambda: campaign.world.gate_open)
    campaign.world.held.add("shut_gate")
    answer = asyncio.create_task(campaign.command("pause"))
    await campaign.world.until_called("shut_gate", 2)
    await campaign.status()
    assert not answer.done()
    await campaign.world.release("shut_gate")
    await soon(answer)
    assert not campaign.world.gate_open


async def test_a_pause_overtaken_by_a_resume_is_answered_too(stage: Stage) -> None:
    campaign = await stage.in_state(State.ROLLING_OUT, World({1: 10}, held={"shut_gate"}))
    answer = asyncio.create_task(campaign.command("pause"))
    await campaign.world.until_called("shut_gate")
    await campaign.signal("resume")
    assert (await soon(answer)).state == "Active/RollingOut"
    await campaign.world.release("shut_gate")
    await campaign.world.until(lambda: campaign.world.window == 2)
    assert campaign.world.gate_open


async def test_an_abort_is_answered_when_the_gate_is_shut_for_good(stage: Stage) -> None:
    campaign = await stage.in_state(State.ROLLING_OUT, World({1: 10}, held={"finish"}))
    answer = asyncio.create_task(campaign.command("abort", by="ann"))
    await campaign.world.until_called("finish")
    await campaign.status()
    assert not answer.done()
    await campaign.world.release("finish")
    assert (await soon(answer)).state == "Aborted"
    assert not campaign.world.gate_open
    await campaign.result()


async def test_the_other_commands_are_answered_at_once(stage: Stage) -> None:
    world = World({1: 10}, held={"select_targets"})
    campaign = await stage.in_state(State.DRAFT, world)
    assert (await campaign.command("approve", by="ann")).state == "Scheduling/SelectingVehicles"
    await world.release("select_targets")
    await world.until_watched(Mode.BAKING)
    assert (await campaign.command("promote")).state == "Active/Baking"
    assert await campaign.result() == {"succeeded": 10}


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ([], "give at least one of in_flight, per_minute and failure_limit"),
        (["5"], "give at least one of"),
        ([{"by": "ann"}], "give at least one of"),
        ([{"in_flight": 0}], "in_flight = 0: Input should be greater than or equal to 1"),
        ([{"per_minute": "many"}], "per_minute = 'many'"),
        ([{"failure_limit": 1}], "failure_limit = 1: Input should be less than 1"),
        ([{"failure_limit": "-0.1"}], "failure_limit = '-0.1'"),
        ([{"failure_limit": "NaN"}], "failure_limit = 'NaN'"),
        ([{"in_fligth": 5}], "in_fligth = 5: unknown key; did you mean 'in_flight'?"),
    ],
)
async def test_wrong_limits_are_refused_with_the_cure(stage: Stage, given: list[Any], why: str) -> None:
    campaign = await stage.in_state(State.DRAFT)
    assert why in await refusal(campaign, "set_limits", *given)
    assert campaign.world.changes == []


async def test_limits_cannot_change_before_the_door_and_after_the_end(stage: Stage) -> None:
    campaign = await stage.start(_DEFINITION, world=World({1: 10}, held={"register", "finish"}))
    assert await refusal(campaign, "set_limits", {"in_flight": 5}) == (
        "limits cannot change: the campaign is Draft"
    )
    await campaign.world.release("register")
    await campaign.signal("abort")
    await campaign.world.until_called("finish")
    assert await refusal(campaign, "set_limits", {"in_flight": 5}) == (
        "limits cannot change: the campaign is Aborted"
    )


_DEFINITION = {"name": "Winter", "package": "Pkg", "phases": [{"rollout_percent": 100}]}


async def test_new_limits_say_only_what_changes_and_are_journaled_with_them(stage: Stage) -> None:
    campaign = await stage.in_state(State.ROLLING_OUT)
    for request in ({"in_flight": 5, "by": "ann", "reason": "CDN"}, {"failure_limit": "0.01"}):
        await soon(campaign.handle.execute_update("set_limits", request))
    first, second = campaign.world.changes
    assert (first.from_phase, first.in_flight, first.per_minute, first.failure_limit) == (1, 5, None, None)
    assert (second.in_flight, second.per_minute, str(second.failure_limit)) == (None, None, "0.01")
    assert "limits changed by ann: in_flight = 5 (CDN)" in campaign.world.texts()

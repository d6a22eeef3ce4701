"""Updates: orders with an answer, refused by a validator before they cost anything."""

import asyncio
from typing import Any

import pytest

from campaign.breach import Exposed
from campaign.lifecycle import Event, State, possible, why_not
from campaign.supervision import Mode
from tests.workflows.campaigns import STANDING, Stage, soon
from tests.workflows.world import World


@pytest.mark.parametrize("state", STANDING, ids=str)
async def test_a_senseless_command_is_refused_with_why_and_leaves_no_event(
    stage: Stage, state: State
) -> None:
    campaign = await stage.in_state(state)
    for event in (Event.APPROVE, Event.PAUSE, Event.RESUME, Event.PROMOTE):
        if not possible(state, event):
            assert await campaign.refusal("command", {"action": event.value}) == why_not(state, event)
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
    why = await campaign.refusal("command", *given)
    assert "give one of approve, pause, resume, abort, promote" in why


async def test_a_pause_is_answered_only_when_the_gate_is_shut(stage: Stage) -> None:
    campaign = await stage.in_state(
        State.ROLLING_OUT, World({1: 10}, held={"shut_gate"}, under_way=Exposed(offered=2))
    )
    answer = asyncio.create_task(campaign.command("pause", by="ann", reason="brakes"))
    await campaign.world.until_called("shut_gate")
    assert await campaign.stage() == "Paused"
    assert not answer.done()
    await campaign.world.release("shut_gate")
    status = await soon(answer)
    assert not campaign.world.gate_open
    assert (status.state, status.why) == ("Paused", "paused by ann: brakes")
    assert status.exposure is not None
    assert status.exposure.offered == 2


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

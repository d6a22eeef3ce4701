"""A package that is withdrawn everywhere pauses every campaign that delivers it."""

import pytest

from campaign.lifecycle import State
from campaign.supervision import Mode
from tests.workflows.campaigns import Campaign, Stage

WHY = "paused: the package was withdrawn everywhere by carol: boot loop"


async def standing(stage: Stage, where: str) -> Campaign:
    """A campaign that rolls out, bakes or waits for its proof."""
    if where == "waiting":
        return await stage.waiting()
    return await stage.in_state(State(where), phases=2)


@pytest.mark.parametrize("where", ["RollingOut", "Baking", "waiting"])
async def test_a_withdrawal_pauses_with_its_reason_and_tells_people(stage: Stage, where: str) -> None:
    campaign = await standing(stage, where)
    world, before = campaign.world, len(campaign.world.notices)
    await world.happens(world.withdraw, "carol: boot loop")
    await world.until_watched(Mode.HOLDING)
    status = await campaign.status()
    assert (status.state, status.phase, status.why, status.breaches) == ("Paused", 1, WHY, 0)
    assert not world.gate_open
    assert WHY in world.texts()
    await world.until(lambda: [each.title for each in world.notices[before:]][-1:] == ["Paused: Winter"])
    notice = world.notices[-1]
    assert notice.urgent
    assert notice.body.startswith(f"{WHY}\nthe gate is shut: ")


async def test_a_resume_into_a_package_that_is_still_withdrawn_pauses_again(stage: Stage) -> None:
    campaign = await stage.in_state(State.ROLLING_OUT)
    world = campaign.world
    await world.happens(world.withdraw, "carol: boot loop")
    await world.until_watched(Mode.HOLDING)
    before = len(world.calls)
    await campaign.signal("resume", {"by": "ann"})
    await world.until_watched(Mode.HOLDING, begun_after=before)
    status = await campaign.status()
    assert (status.state, status.why) == ("Paused", WHY)
    assert not world.gate_open
    assert [what for what, _ in world.gate_log] == ["open", "shut", "shut"]
    await world.until(lambda: len(world.notices) == 2)


async def test_a_resume_goes_on_once_the_withdrawal_is_taken_back(stage: Stage) -> None:
    campaign = await stage.in_state(State.ROLLING_OUT)
    world = campaign.world
    await world.happens(world.withdraw, "carol: boot loop")
    await world.until_watched(Mode.HOLDING)
    await world.happens(world.withdraw, "")
    assert await campaign.stage() == "Paused"
    await campaign.signal("resume")
    await world.until(lambda: world.gate_open)
    assert await campaign.stage() == "Active/RollingOut"


async def test_a_breach_of_a_package_that_is_withdrawn_too_is_told_as_the_withdrawal(stage: Stage) -> None:
    campaign = await stage.in_state(State.ROLLING_OUT)
    world = campaign.world
    world.fail(1, failed=1, of=10)
    await world.happens(world.withdraw, "carol: boot loop")
    await world.until_watched(Mode.HOLDING)
    status = await campaign.status()
    assert (status.state, status.why, status.breaches) == ("Paused", WHY, 0)


async def test_a_withdrawal_while_paused_by_a_person_changes_nothing(stage: Stage) -> None:
    campaign = await stage.in_state(State.PAUSED)
    world = campaign.world
    await world.happens(world.withdraw, "carol: boot loop")
    # A warning is heard of by the same supervision: the withdrawal has ended none.
    await world.happens(world.warn, "not_ok")
    await world.until(lambda: bool(world.notices))
    status = await campaign.status()
    assert (status.state, status.why) == ("Paused", "paused by operator")
    assert [notice.title for notice in world.notices] == ["Warning: Winter"]
    assert world.count("shut_gate") == 1

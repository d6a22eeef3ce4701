"""A guard that only tells people: told once in an evidence window, and nothing stops."""

from datetime import timedelta

from campaign.lifecycle import State
from campaign.supervision import Mode
from tests.workflows.campaigns import Campaign, Stage, definition
from tests.workflows.world import World

TITLE = "Warning: Winter"


def told(campaign: Campaign) -> list[str]:
    """The warnings people were sent."""
    return [notice.body for notice in campaign.world.notices if notice.title == TITLE]


def body(*sentences: str, phase: int = 1) -> str:
    return "; ".join(f"phase {phase}: {each}" for each in sentences) + "\nnothing was stopped"


NOT_OK, SILENCE = "not_ok breach: 1 of 10 failed", "silence breach: 1 of 10 failed"


async def test_a_warning_is_noted_and_told_and_stops_nothing(stage: Stage) -> None:
    campaign = await stage.in_state(State.ROLLING_OUT)
    world = campaign.world
    before = len(world.calls)
    await world.happens(world.warn, "not_ok")
    await world.until(lambda: told(campaign) == [body(NOT_OK)] and f"phase 1: {NOT_OK}" in world.texts())
    assert not world.notices[0].urgent
    await world.until_watched(Mode.ROLLING_OUT, begun_after=before)
    status = await campaign.status()
    assert (status.state, status.why, status.breaches) == ("Active/RollingOut", "", 0)
    assert NOT_OK in status.verdicts
    assert NOT_OK in await campaign.details()
    assert world.gate_log == [("open", world.gate_seq)]


async def test_a_warning_is_told_once_however_long_it_lasts_and_through_every_step(skipping: Stage) -> None:
    world = World({1: 10, 2: 10}, tick=timedelta(hours=6), healthy=False)
    world.warn("not_ok")
    campaign = await skipping.start(definition(2, "PT24H"), world=world)
    await campaign.signal("approve")
    await world.until(lambda: bool(told(campaign)))
    await campaign.skip(timedelta(days=3))
    world.hold()
    world.healthy = True
    await campaign.skip(timedelta(days=3))
    await world.until_awaiting_proof()
    await campaign.signal("promote")
    await world.until_watched(Mode.BAKING, 2)
    await campaign.command("pause")
    await world.until_watched(Mode.HOLDING, 2)
    await campaign.skip(timedelta(days=1))
    assert told(campaign) == [body(NOT_OK)]
    assert [line.event for line in world.journal].count("warning") == 1


async def test_another_guard_is_told_by_itself_and_two_at_once_together(stage: Stage) -> None:
    campaign = await stage.in_state(State.ROLLING_OUT)
    world = campaign.world
    await world.happens(world.warn, "not_ok")
    await world.until(lambda: len(told(campaign)) == 1)
    await world.happens(world.warn, "not_ok", "silence")
    await world.until(lambda: len(told(campaign)) == 2)
    assert told(campaign) == [body(NOT_OK), body(SILENCE)]
    other = await stage.in_state(State.ROLLING_OUT)
    await other.world.happens(other.world.warn, "not_ok", "silence")
    await other.world.until(lambda: told(other) == [body(NOT_OK, SILENCE)])


async def test_the_same_guard_is_told_again_in_another_phase(stage: Stage) -> None:
    campaign = await stage.in_state(State.ROLLING_OUT)
    world = campaign.world
    await world.happens(world.warn, "not_ok")
    await world.until(lambda: len(told(campaign)) == 1)
    await world.happens(lambda: world.warn("not_ok", phase=2))
    await world.until(lambda: len(told(campaign)) == 2)
    assert told(campaign) == [body(NOT_OK), body(NOT_OK, phase=2)]


async def test_a_warning_is_told_again_in_the_window_that_a_resume_begins(stage: Stage) -> None:
    campaign = await stage.in_state(State.ROLLING_OUT)
    world = campaign.world
    await world.happens(world.warn, "not_ok")
    await world.until(lambda: len(told(campaign)) == 1)
    await campaign.command("pause")
    await campaign.signal("resume")
    await world.until(lambda: world.window == 2)
    await world.happens(world.warn, "not_ok")
    await world.until(lambda: len(told(campaign)) == 2)
    assert told(campaign) == [body(NOT_OK)] * 2
    assert await campaign.stage() == "Active/RollingOut"


async def test_a_warning_is_told_again_in_the_window_that_an_exclusion_begins(skipping: Stage) -> None:
    world = World({1: 10}, tick=timedelta(hours=6), healthy=False)
    world.warn("not_ok")
    campaign = await skipping.start(definition(), world=world)
    await campaign.signal("approve")
    await world.until(lambda: len(told(campaign)) == 1)
    await campaign.update("exclude", "model=T")
    assert world.window == 2
    world.warn("not_ok")
    # The watch that was under way is told of the new window at its next health check.
    await campaign.skip(timedelta(days=1))
    await world.until(lambda: len(told(campaign)) == 2)
    await campaign.skip(timedelta(days=1))
    await campaign.update("exclude", "model=T")
    await campaign.skip(timedelta(days=1))
    assert (world.window, told(campaign)) == (2, [body(NOT_OK)] * 2)


async def test_a_warning_while_paused_is_told_and_the_pause_stays(stage: Stage) -> None:
    campaign = await stage.in_state(State.PAUSED)
    world = campaign.world
    await world.happens(world.warn, "not_ok")
    await world.until(lambda: told(campaign) == [body(NOT_OK)])
    status = await campaign.status()
    assert (status.state, status.why) == ("Paused", "paused by operator")
    assert not world.gate_open


async def test_a_warning_neither_shortens_nor_lengthens_a_bake(skipping: Stage) -> None:
    world = World({1: 10}, tick=timedelta(hours=6))
    campaign = await skipping.start(definition(1, "PT24H"), world=world)
    await campaign.signal("approve")
    await world.until_watched(Mode.BAKING)
    await campaign.skip(timedelta(hours=10))
    world.warn("not_ok")
    await campaign.to_the_end()
    assert told(campaign) == [body(NOT_OK)]
    opened, ended = (call.at for name in ("open_gate", "finish") for call in world.calls if call.name == name)
    assert timedelta(0) <= ended - opened - timedelta(hours=24) < timedelta(minutes=1)


async def test_a_warning_that_only_the_last_look_of_a_phase_sees_is_told_and_the_phase_ends(
    skipping: Stage,
) -> None:
    world = World({1: 10, 2: 10}, tick=timedelta(days=100))
    campaign = await skipping.start(definition(2, "PT24H"), world=world)
    await campaign.signal("approve")
    await world.until_watched(Mode.BAKING)
    world.warn("not_ok")
    await campaign.skip(timedelta(hours=25))
    await world.until_watched(Mode.BAKING, 2)
    await world.until(lambda: told(campaign) == [body(NOT_OK)])
    assert (await campaign.status()).phase == 2

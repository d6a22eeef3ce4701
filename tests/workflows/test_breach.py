"""A guard that is breached, or a gate that is not ours any more, pauses the campaign and says why."""

from typing import Any

import pytest

from activities.messages import GateOrder
from campaign.breach import Exposed
from campaign.lifecycle import State
from campaign.supervision import Mode
from tests.workflows.campaigns import Campaign, Stage
from tests.workflows.world import World


async def breached(stage: Stage, world: World | None = None) -> Campaign:
    campaign = await stage.in_state(State.ROLLING_OUT, world)
    await campaign.world.happens(campaign.world.fail, 1, failed=1, of=10)
    await campaign.world.until_watched(Mode.HOLDING)
    return campaign


async def test_a_breach_pauses_with_its_numbers_and_tells_people(stage: Stage) -> None:
    under_way = Exposed(offered=3, downloading=2, installing=1, harmed=1)
    campaign = await breached(stage, World({1: 10}, under_way=under_way))
    status = await campaign.status()
    why = "paused by a guard: phase 1 (ring 1): failure_rate breach: 1 of 10 failed (10 % > 2 %)"
    assert (status.state, status.why, status.breaches) == ("Paused", why, 1)
    assert status.breach == campaign.world.breach
    assert status.exposure == under_way
    assert status.next == ("resume: go on, with a new evidence window", "abort: end it")
    assert why in campaign.world.texts()
    await campaign.world.until(lambda: bool(campaign.world.notices))
    notice = campaign.world.notices[0]
    assert (notice.title, notice.urgent) == ("Paused: Winter", True)
    assert notice.body.splitlines()[:3] == [
        why,
        "under way at the stop: 3 offered, 2 downloading and 1 installing; 1 harmed so far",
        "the gate is shut: nobody is admitted, 3 offers were withdrawn; 2 downloading and 1 installing "
        "vehicles finish what they began",
    ]
    assert f"--workflow-id {campaign.handle.id} --name resume" in notice.body


async def test_the_gate_is_shut_before_people_are_told(stage: Stage) -> None:
    campaign = await breached(stage)
    await campaign.world.until_called("notify")
    names = [call.name for call in campaign.world.calls]
    assert names.index("shut_gate") < names.index("notify")


async def test_a_channel_that_fails_delays_neither_the_pause_nor_what_follows(stage: Stage) -> None:
    campaign = await breached(stage, World({1: 10}, broken={"notify"}))
    await campaign.world.until_called("notify", 2)
    assert await campaign.stage() == "Paused"
    assert not campaign.world.gate_open
    await campaign.signal("resume")
    await campaign.world.until(lambda: campaign.world.gate_open)
    await campaign.world.release("notify")


async def test_resume_opens_a_new_window_with_a_higher_fence(stage: Stage) -> None:
    campaign = await breached(stage)
    await campaign.signal("resume", {"by": "ann", "reason": "known cause"})
    await campaign.world.until(lambda: campaign.world.gate_open)
    first, second = campaign.world.orders("open_gate")
    [shut] = campaign.world.orders("shut_gate")
    assert first.seq < shut.seq < second.seq
    assert (first.new_window, second.new_window) == (False, True)
    status = await campaign.status()
    assert (status.state, status.why, status.breach) == ("Active/RollingOut", "", None)
    assert "resume by ann: known cause" in campaign.world.texts()


async def test_the_next_breach_is_counted(stage: Stage) -> None:
    campaign = await breached(stage)
    await campaign.signal("resume")
    await campaign.world.until(lambda: campaign.world.gate_open)
    before = len(campaign.world.calls)
    await campaign.world.happens(campaign.world.fail, 1, failed=2, of=10)
    await campaign.world.until_watched(Mode.HOLDING, begun_after=before)
    status = await campaign.status()
    assert status.breaches == 2
    assert status.why.startswith(
        "paused by a guard (stop number 2, in evidence window 2, "
        "after the resume by operator): phase 1 (ring 1): "
    )


@pytest.mark.parametrize(
    ("name", "given", "who"),
    [("resume", {"by": "ann", "reason": "known"}, "ann: known"), ("exclude", "hw_id=EVO15", "operator")],
)
async def test_a_stop_after_a_resume_says_whose_resume_it_was(
    stage: Stage, name: str, given: Any, who: str
) -> None:
    campaign = await breached(stage)
    world = campaign.world
    assert "stop number" not in (await campaign.status()).why
    await (campaign.signal if name == "resume" else campaign.update)(name, given)
    await world.until(lambda: world.gate_open)
    before = len(world.calls)
    await world.happens(world.fail, 1, failed=2, of=10)
    await world.until_watched(Mode.HOLDING, begun_after=before)
    why = f"paused by a guard (stop number 2, in evidence window 2, after the resume by {who}): phase 1"
    assert (await campaign.status()).why.startswith(why)
    await world.until(lambda: len(world.notices) == 2)
    assert world.notices[1].body.startswith(why)


async def test_a_stop_in_the_next_window_shows_what_was_known_of_the_first(stage: Stage) -> None:
    campaign = await breached(stage)
    world, first = campaign.world, campaign.world.breach
    assert first is not None
    await campaign.signal("resume")
    await world.until(lambda: world.gate_open)
    before = len(world.calls)
    await world.happens(world.fail, 1, failed=2, of=10)
    await world.until_watched(Mode.HOLDING, begun_after=before)
    status = await campaign.status()
    assert status.breach is not None
    assert (status.window, status.breach.window) == (2, 2)
    assert [(window.number, window.sentences) for window in status.windows] == [(1, (first.sentence,))]
    assert "- evidence window 1, until " in await campaign.details()


async def test_a_breach_while_paused_by_a_person_is_noted_once_and_told(stage: Stage) -> None:
    campaign = await stage.in_state(State.PAUSED)
    await campaign.world.happens(campaign.world.fail, 1, failed=1, of=10)
    await campaign.world.until(lambda: bool(campaign.world.notices))
    status = await campaign.status()
    assert (status.state, status.breaches) == ("Paused", 1)
    assert status.why.startswith("paused by operator; since then phase 1 (ring 1)")
    assert campaign.world.notices[0].title == "Breach while paused: Winter"
    await campaign.world.until(lambda: any("while paused" in text for text in campaign.world.texts()))
    assert len([text for text in campaign.world.texts() if "while paused" in text]) == 1


async def test_a_person_who_pauses_is_not_told_of_the_own_pause(stage: Stage) -> None:
    campaign = await stage.in_state(State.PAUSED)
    assert campaign.world.count("notify") == 0


#: Where a campaign stands whose gate is open.
OPEN = [State.ROLLING_OUT, State.BAKING, "awaiting proof"]


async def standing(stage: Stage, where: State | str) -> Campaign:
    return await (stage.in_state(where) if isinstance(where, State) else stage.waiting())


@pytest.mark.parametrize("state", OPEN, ids=str)
async def test_a_gate_shut_from_outside_pauses(stage: Stage, state: State | str) -> None:
    campaign = await standing(stage, state)
    await campaign.world.happens(setattr, campaign.world, "gate_open", False)
    await campaign.world.until_watched(Mode.HOLDING)
    status = await campaign.status()
    assert (status.state, status.why) == ("Paused", "paused: the gate was shut from outside this workflow")


@pytest.mark.parametrize("state", OPEN, ids=str)
async def test_a_gate_written_by_another_run_pauses_until_a_person_takes_over(
    stage: Stage, state: State | str
) -> None:
    campaign = await standing(stage, state)
    await campaign.world.happens(setattr, campaign.world, "gate_seq", 1000)
    await campaign.world.until_watched(Mode.HOLDING)
    status = await campaign.status()
    assert status.state == "Paused"
    assert status.why == "paused: another run of this campaign has written the gate; resume to take over"
    await campaign.signal("resume")
    await campaign.world.until(lambda: campaign.world.gate_open)
    orders: list[GateOrder] = campaign.world.orders("open_gate")
    assert orders[-1].seq > 1000


async def test_a_gate_opened_by_another_run_during_a_pause_is_shut_again(stage: Stage) -> None:
    campaign = await stage.in_state(State.PAUSED)

    def open_it() -> None:
        campaign.world.gate_open, campaign.world.gate_seq = True, 1000

    before = len(campaign.world.calls)
    await campaign.world.happens(open_it)
    await campaign.world.until_watched(Mode.HOLDING, begun_after=before)
    assert await campaign.stage() == "Paused"
    assert not campaign.world.gate_open
    await campaign.signal("resume")
    await campaign.world.until(lambda: campaign.world.gate_open)
    assert campaign.world.gate_seq > 1000

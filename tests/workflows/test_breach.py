"""A guard that is breached, or a gate that is not ours any more, pauses the campaign and says why."""

import pytest

from activities.messages import GateOrder
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
    campaign = await breached(stage, World({1: 10}, in_offer=3))
    status = await campaign.status()
    why = "paused by a guard: phase 1 (ring 1): failure_rate breach: 1 of 10 failed (10 % > 2 %)"
    assert (status.state, status.why, status.breaches) == ("Paused", why, 1)
    assert status.breach == campaign.world.breach
    assert status.exposure is not None
    assert status.exposure.withdrawn == 3
    assert status.next == ("resume: go on, with a new evidence window", "abort: end it")
    assert why in campaign.world.texts()
    await campaign.world.until(lambda: bool(campaign.world.notices))
    notice = campaign.world.notices[0]
    assert (notice.title, notice.urgent) == ("Paused: Winter", True)
    assert notice.body.splitlines()[:2] == [why, "3 offers withdrawn, 0 had started"]
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
    assert status.why.startswith("paused by a guard (breach number 2): phase 1 (ring 1)")


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


@pytest.mark.parametrize("state", [State.ROLLING_OUT, State.BAKING], ids=str)
async def test_a_gate_shut_from_outside_pauses(stage: Stage, state: State) -> None:
    campaign = await stage.in_state(state)
    await campaign.world.happens(setattr, campaign.world, "gate_open", False)
    await campaign.world.until_watched(Mode.HOLDING)
    status = await campaign.status()
    assert (status.state, status.why) == ("Paused", "paused: the gate was shut from outside this workflow")


@pytest.mark.parametrize("state", [State.ROLLING_OUT, State.BAKING], ids=str)
async def test_a_gate_written_by_another_run_pauses_until_a_person_takes_over(
    stage: Stage, state: State
) -> None:
    campaign = await stage.in_state(state)
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

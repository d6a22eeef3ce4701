"""A phase ends by proof: where there is none, the campaign waits for a person, and says so once."""

from datetime import timedelta

import pytest
from temporalio.client import WorkflowFailureError

from campaign.lifecycle import State
from campaign.supervision import Mode
from tests.workflows.campaigns import Campaign, Stage, definition
from tests.workflows.world import UNPROVEN, World

WAITING = "Waiting for a person: Winter"
WHY = "ring 1 waits for a person: too few to prove anything"

#: What a phase says that is ended by its proof, and not by a person.
PROOF = "phase 1 has ended: enough is proven"


def told(campaign: Campaign) -> list[str]:
    """The titles of the notices so far."""
    return [notice.title for notice in campaign.world.notices]


async def test_a_phase_that_proves_too_little_waits_for_a_person_and_says_so(stage: Stage) -> None:
    campaign = await stage.waiting()
    status = await campaign.status()
    assert (status.state, status.phase, status.why) == ("Active/Baking", 1, WHY)
    assert status.promotion == UNPROVEN.sentence
    assert status.next[0] == "promote: end the wait now"
    assert f"**{WHY}**" in await campaign.details()
    await campaign.world.until(lambda: bool(campaign.world.notices) and WHY in campaign.world.texts())
    [notice] = campaign.world.notices
    assert (notice.title, notice.urgent) == (WAITING, True)
    assert notice.body.splitlines()[:2] == [WHY, f"go on: python starter.py promote {campaign.handle.id}"]
    assert campaign.world.gate_open
    assert campaign.world.count("open_gate") == 1


async def test_a_phase_that_nothing_is_known_of_waits_too(stage: Stage) -> None:
    world = World({1: 10, 2: 10}, promotion=None)
    campaign = await stage.start(definition(2), world=world)
    await campaign.signal("approve")
    await world.until_awaiting_proof()
    assert (await campaign.status()).why == "ring 1 waits for a person: nothing is known of its proof"


async def test_a_phase_that_is_proven_waits_for_nobody(stage: Stage) -> None:
    campaign = await stage.start(definition(2), world=World({1: 10, 2: 10}))
    await campaign.signal("approve")
    await campaign.result()
    assert told(campaign) == ["Completed: Winter"]
    assert PROOF in campaign.world.texts()
    assert "phase 2 has ended: enough is proven" in campaign.world.texts()


async def test_promote_ends_the_wait_for_proof_and_its_reason_is_noted(stage: Stage) -> None:
    campaign = await stage.waiting()
    await campaign.signal("promote", {"by": "ann", "reason": "ten cars are all there are"})
    await campaign.world.until_awaiting_proof(2)
    status = await campaign.status()
    assert (status.state, status.phase) == ("Active/Baking", 2)
    assert "promote by ann: ten cars are all there are" in campaign.world.texts()
    assert not any(text.startswith("phase 1 has ended") for text in campaign.world.texts())


async def test_promote_ends_the_wait_of_one_phase_only(stage: Stage) -> None:
    campaign = await stage.waiting(phases=3)
    await campaign.signal("promote")
    await campaign.world.until_awaiting_proof(2)
    assert (await campaign.status()).why == "ring 2 waits for a person: too few to prove anything"
    assert [order.state for order in campaign.world.orders("open_gate")] == [State.ROLLING_OUT] * 2


async def test_promote_in_the_bake_needs_no_proof(stage: Stage) -> None:
    campaign = await stage.in_state(State.BAKING, World({1: 10, 2: 10}, promotion=UNPROVEN), phases=2)
    await campaign.signal("promote")
    await campaign.world.until_watched(Mode.BAKING, 2)
    assert told(campaign) == []


async def test_a_later_proof_ends_the_wait_by_itself(stage: Stage) -> None:
    campaign = await stage.waiting()
    await campaign.world.happens(campaign.world.prove)
    assert await campaign.result() == {"succeeded": 20}
    assert PROOF in campaign.world.texts()
    assert sorted(told(campaign)) == ["Completed: Winter", WAITING]


async def test_failures_in_the_wait_for_proof_pause(stage: Stage) -> None:
    campaign = await stage.waiting()
    await campaign.world.happens(campaign.world.fail, 1, failed=1, of=10)
    await campaign.world.until_watched(Mode.HOLDING)
    status = await campaign.status()
    assert (status.state, status.phase, status.breaches) == ("Paused", 1, 1)
    assert "1 of 10 failed (10 % > 2 %)" in status.why
    assert not campaign.world.gate_open
    assert campaign.world.count("open_gate") == 1


async def test_promote_does_not_pass_by_failures_that_no_tick_has_seen(stage: Stage) -> None:
    campaign = await stage.waiting()
    campaign.world.fail(1, failed=1, of=10)
    await campaign.signal("promote")
    await campaign.world.until_watched(Mode.HOLDING)
    status = await campaign.status()
    assert (status.state, status.phase) == ("Paused", 1)
    assert campaign.world.count("open_gate") == 1


async def test_the_last_phase_waits_too_and_is_completed_by_promote(stage: Stage) -> None:
    campaign = await stage.waiting(phases=1)
    assert (await campaign.status()).why == WHY
    assert campaign.world.count("finish") == 0
    await campaign.signal("promote")
    assert await campaign.result() == {"succeeded": 10}
    status = await campaign.status()
    assert (status.state, status.why) == ("Completed", "all phases are done")


async def test_the_last_phase_is_completed_by_a_later_proof(stage: Stage) -> None:
    campaign = await stage.waiting(phases=1)
    await campaign.world.happens(campaign.world.prove)
    assert await campaign.result() == {"succeeded": 10}
    assert (await campaign.status()).state == "Completed"


async def test_a_wait_of_two_weeks_is_told_once_and_costs_few_events(skipping: Stage) -> None:
    world = World({1: 10, 2: 10}, tick=timedelta(hours=12), promotion=UNPROVEN)
    campaign = await skipping.start(definition(2), world=world)
    await campaign.signal("approve")
    await world.until_awaiting_proof()
    await campaign.skip(timedelta(days=14))
    assert (await campaign.status()).why == WHY
    assert told(campaign) == [WAITING]
    assert [line.event for line in world.journal].count("waiting") == 1
    proving = [order for order in world.orders("supervise") if order.mode is Mode.PROVING]
    # One look at the beginning; then a health check at each tick.
    assert 20 <= len({order.checkpoint_at for order in proving}) <= 35
    # Each check is a handful of events, and each skip of the test's server one.
    assert len(await campaign.events()) < 350
    await campaign.signal("promote")
    await world.until_awaiting_proof(2)


async def test_what_is_known_is_shown_while_it_bakes_and_held_only_when_the_time_is_over(
    skipping: Stage,
) -> None:
    world = World({1: 10, 2: 10}, tick=timedelta(hours=6), promotion=UNPROVEN)
    campaign = await skipping.start(definition(2, "PT24H"), world=world)
    await campaign.signal("approve")
    await world.until_watched(Mode.BAKING)
    await campaign.skip(timedelta(hours=20))
    status = await campaign.status()
    assert status.why.startswith("baking ring 1: watched until ")
    assert status.promotion == UNPROVEN.sentence
    assert told(campaign) == []
    await campaign.skip(timedelta(hours=5))
    await world.until_awaiting_proof()
    assert (await campaign.status()).why == WHY
    await world.until(lambda: told(campaign) == [WAITING])


@pytest.mark.parametrize(("order", "leads_to"), [("pause", "Paused"), ("abort", "Aborted")])
async def test_a_stop_in_the_wait_for_proof_is_obeyed(stage: Stage, order: str, leads_to: str) -> None:
    campaign = await stage.waiting()
    status = await campaign.command(order, by="ann")
    assert (status.state, status.phase) == (leads_to, 1)
    assert not campaign.world.gate_open


async def test_a_wait_for_proof_goes_on_after_a_pause_and_is_told_again(stage: Stage) -> None:
    campaign = await stage.waiting()
    await campaign.command("pause")
    before = len(campaign.world.calls)
    await campaign.signal("resume")
    await campaign.world.until_awaiting_proof(begun_after=before)
    assert (await campaign.status()).why == WHY
    await campaign.world.until(lambda: told(campaign) == [WAITING, WAITING])
    assert campaign.world.window == 2


async def test_a_cancellation_in_the_wait_for_proof_shuts_the_gate_and_ends_no_phase(stage: Stage) -> None:
    campaign = await stage.waiting()
    await campaign.handle.cancel()
    with pytest.raises(WorkflowFailureError):
        await campaign.result()
    assert (campaign.world.state, campaign.world.gate_open) == (State.ABORTED, False)
    assert PROOF not in campaign.world.texts()


async def test_a_worker_that_comes_back_goes_on_waiting_without_telling_again(stage: Stage) -> None:
    campaign = await stage.waiting()
    await campaign.world.until(lambda: told(campaign) == [WAITING])
    async with stage.without_worker(campaign):
        pass
    assert (await campaign.status()).why == WHY
    await campaign.signal("promote")
    await campaign.world.until_awaiting_proof(2)
    await campaign.world.until(lambda: len(told(campaign)) == 2)
    assert [line.text for line in campaign.world.journal].count(WHY) == 1

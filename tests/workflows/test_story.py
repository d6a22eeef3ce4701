"""The story of a campaign and its waits, where hours pass in milliseconds.

The health checks of these tests are hours apart, so an end may be seen up to one of them late; what must be
exact is a timer's.
"""

from datetime import UTC, datetime, timedelta

from campaign.assignment import Tally, Target
from campaign.lifecycle import State
from campaign.supervision import Mode
from tests.workflows.campaigns import Campaign, Stage, definition
from tests.workflows.world import World

HOUR = timedelta(hours=1)
#: What the server's own timers and a busy machine may add; no test measures finer.
SLACK = timedelta(minutes=1)


def world(phases: int = 1) -> World:
    return World({number: 10 * number for number in range(1, phases + 1)}, tick=12 * HOUR)


def first(campaign: Campaign, name: str, state: State | None = None) -> datetime:
    """When an activity was first begun (for a state)."""
    return next(
        call.at
        for call in campaign.world.calls
        if call.name == name and (state is None or call.order.state is state)
    )


async def test_a_healthy_campaign_goes_through_all_its_states_in_order(skipping: Stage) -> None:
    start = datetime.now(UTC) + 30 * HOUR
    campaign = await skipping.start(
        definition(2, "PT24H", start_date=start.isoformat()), world=world(phases=2)
    )
    await campaign.world.until(lambda: campaign.world.state is State.DRAFT)
    assert (await campaign.status()).why == "waiting for approval"
    await campaign.skip(10 * HOUR)
    assert await campaign.stage() == "Draft"
    await campaign.signal("approve", {"by": "ann"})
    await campaign.world.until(lambda: campaign.world.state is State.QUEUED)
    assert (await campaign.status()).why == f"queued until {start:%Y-%m-%d %H:%M} UTC"
    assert await campaign.to_the_end() == {"succeeded": 30}
    states = [
        order.state for name in ("show_state", "open_gate", "finish") for order in campaign.world.orders(name)
    ]
    assert states == [
        State.DRAFT, State.SELECTING, State.QUEUED, State.ROLLING_OUT, State.ROLLING_OUT, State.COMPLETED,
    ]  # fmt: skip
    opened = [call.at for call in campaign.world.calls if call.name == "open_gate"]
    assert timedelta(0) <= opened[0] - start < SLACK
    assert timedelta(0) <= opened[1] - opened[0] - 24 * HOUR < SLACK
    assert timedelta(0) <= first(campaign, "finish") - opened[1] - 24 * HOUR < SLACK
    assert [line.event for line in campaign.world.journal] == [
        "registered", "approve", "selected", "phase", "processed", "promote", "phase", "processed", "promote",
    ]  # fmt: skip
    assert [notice.title for notice in campaign.world.notices] == ["Completed: Winter"]


async def test_a_start_date_shortly_past_starts_at_once(stage: Stage) -> None:
    start = (datetime.now(UTC) - timedelta(minutes=4)).isoformat()
    campaign = await stage.start(definition(start_date=start))
    await campaign.signal("approve")
    assert await campaign.result() == {"succeeded": 10}
    assert campaign.world.orders("show_state")[-1].state is State.QUEUED


async def test_a_pause_stops_the_clock_of_a_wait(skipping: Stage) -> None:
    campaign = await skipping.start(definition(wait="PT24H"), world=world())
    await campaign.signal("approve")
    await campaign.world.until_watched(Mode.BAKING)
    began = first(campaign, "open_gate")
    await campaign.skip(10 * HOUR)
    await campaign.signal("pause")
    await campaign.world.until_watched(Mode.HOLDING)
    await campaign.skip(50 * HOUR)
    assert await campaign.stage() == "Paused"
    before = len(campaign.world.calls)
    await campaign.signal("resume")
    await campaign.world.until_watched(Mode.BAKING, begun_after=before)
    await campaign.to_the_end()
    assert timedelta(0) <= first(campaign, "finish") - began - 74 * HOUR < SLACK
    assert campaign.world.count("open_gate") == 2


async def test_failures_during_the_wait_pause_the_campaign(skipping: Stage) -> None:
    campaign = await skipping.start(definition(2, "PT24H"), world=world(phases=2))
    await campaign.signal("approve")
    await campaign.world.until_watched(Mode.BAKING)
    await campaign.skip(6 * HOUR)
    campaign.world.fail(1, failed=1, of=10)
    await campaign.skip(12 * HOUR)
    status = await campaign.status()
    assert (status.state, status.phase, status.breaches) == ("Paused", 1, 1)
    assert "1 of 10 failed (10 % > 2 %)" in status.why
    assert not campaign.world.gate_open
    assert [order.state for order in campaign.world.orders("open_gate")] == [State.ROLLING_OUT]


async def test_a_failure_after_the_last_health_check_of_a_wait_is_still_seen(skipping: Stage) -> None:
    quiet = World({1: 10, 2: 10}, tick=200 * HOUR)
    campaign = await skipping.start(definition(2, "PT24H"), world=quiet)
    await campaign.signal("approve")
    await quiet.until_watched(Mode.BAKING)
    quiet.fail(1, failed=1, of=10)
    await campaign.skip(25 * HOUR)
    await quiet.until_watched(Mode.HOLDING)
    assert await campaign.stage() == "Paused"
    assert quiet.count("open_gate") == 1


async def test_promote_ends_the_wait_at_once(skipping: Stage) -> None:
    campaign = await skipping.start(definition(2, "PT240H"), world=world(phases=2))
    await campaign.signal("approve")
    await campaign.world.until_watched(Mode.BAKING)
    await campaign.skip(10 * HOUR)
    await campaign.signal("promote", {"by": "ann", "reason": "good enough"})
    await campaign.world.until_watched(Mode.BAKING, 2)
    opened = [call.at for call in campaign.world.calls if call.name == "open_gate"]
    assert timedelta(0) <= opened[1] - opened[0] - 10 * HOUR < SLACK
    assert "promote by ann: good enough" in campaign.world.texts()
    assert not any(text.startswith("phase 1 has ended") for text in campaign.world.texts())


async def test_promote_ends_one_wait_only(skipping: Stage) -> None:
    campaign = await skipping.start(definition(2, "PT24H"), world=world(phases=2))
    await campaign.signal("approve")
    await campaign.world.until_watched(Mode.BAKING)
    await campaign.signal("promote")
    await campaign.world.until_watched(Mode.BAKING, 2)
    await campaign.skip(23 * HOUR)
    assert await campaign.stage() == "Active/Baking"


async def test_promote_does_not_pass_by_failures(stage: Stage) -> None:
    campaign = await stage.in_state(State.BAKING, phases=2)
    campaign.world.fail(1, failed=1, of=10)
    await campaign.signal("promote")
    await campaign.world.until_watched(Mode.HOLDING)
    assert await campaign.stage() == "Paused"
    assert campaign.world.count("open_gate") == 1


async def test_a_pause_never_ends_by_itself(skipping: Stage) -> None:
    paused = World({1: 10}, tick=200 * 24 * HOUR, healthy=False)
    campaign = await skipping.in_state(State.PAUSED, paused)
    await campaign.skip(timedelta(days=1000))
    assert await campaign.stage() == "Paused"
    assert not paused.gate_open


async def test_nothing_known_at_the_deadline_pauses_instead_of_going_on(skipping: Stage) -> None:
    silent = World({1: 10}, tick=24 * HOUR, healthy=False)
    campaign = await skipping.start(definition(), world=silent)
    await campaign.signal("approve")
    await silent.until_watched(Mode.ROLLING_OUT)
    await campaign.skip(timedelta(days=15))
    status = await campaign.status()
    assert status.state == "Paused"
    assert status.why == "paused: no vehicle of ring 1 has reported an outcome by its deadline"
    assert silent.notices[0].urgent
    await campaign.signal("resume")
    await silent.until_called("open_gate", 2)
    assert [order.new_deadline for order in silent.orders("open_gate")] == [False, True]


async def test_a_deadline_with_outcomes_goes_on_without_the_vehicles_that_never_came(skipping: Stage) -> None:
    slow = World({1: 10}, tick=24 * HOUR, healthy=False)
    campaign = await skipping.start(definition(), world=slow)
    await campaign.signal("approve")
    await slow.until_watched(Mode.ROLLING_OUT)
    slow.report(1, succeeded=6)
    assert await campaign.to_the_end() == {"expired": 4, "succeeded": 6}
    assert slow.tallies[1] == Tally(by_state={Target.SUCCEEDED: 6, Target.EXPIRED: 4})

"""A tick says nothing, or what the workflow must decide; it never takes silence for health."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.testing import ActivityEnvironment

from activities.messages import Supervised
from activities.rota import Rota
from activities.supervision import WATCHING, Supervision
from campaign.assignment import Target
from campaign.glimpse import Glimpse
from campaign.supervision import Finding, Mode, Watch
from store.tables import WithdrawalRow
from tests.store.fleet import SHA256, Fleet, plain, watch

LEASE = timedelta(seconds=30)
INTERVAL = timedelta(seconds=3)


def tick(fleet: Fleet, order: Watch, rota: Rota | None = None) -> Supervised:
    supervision = Supervision(fleet.engine, LEASE, rota or Rota(INTERVAL, 50), 1)
    return ActivityEnvironment().run(supervision.supervise, order)


def nothing_found(fleet: Fleet, order: Watch, rota: Rota | None = None) -> ApplicationError:
    with pytest.raises(ApplicationError) as caught:
        tick(fleet, order, rota)
    return caught.value


def test_a_tick_that_finds_nothing_is_a_benign_error_that_is_tried_again_and_tells_what_it_saw(
    fleet: Fleet,
) -> None:
    campaign = fleet.launch()
    fleet.put(campaign, Target.SUCCEEDED, sorted(fleet.states(campaign))[:4])
    error = nothing_found(fleet, watch(campaign))
    assert (error.type, error.category) == (WATCHING, ApplicationErrorCategory.BENIGN)
    assert not error.non_retryable
    # From tick to tick: what this one has cost is not waited for again.
    assert error.next_retry_delay is not None
    assert timedelta(0) < error.next_retry_delay < INTERVAL
    [seen] = error.details
    assert isinstance(seen, Glimpse)
    phase = seen.phase(1)
    assert phase is not None
    assert phase.tally.by_state == {Target.SUCCEEDED: 4, Target.PENDING: 6}
    assert error.message == (
        "rolling_out: phase 1 4 of 10 over, 0 in flight; "
        "installation_success_rate continue: 0 of 4 failed; pauses at 2"
    )


def test_a_tick_renews_the_lease_of_an_open_gate(fleet: Fleet) -> None:
    campaign = fleet.launch()
    fleet.run("UPDATE campaign SET lease_until = now() - interval '1 hour'")
    nothing_found(fleet, watch(campaign))
    left = fleet.value("SELECT lease_until - now() FROM campaign")
    assert LEASE - timedelta(seconds=10) < left <= LEASE


def test_a_lease_lasts_over_four_ticks_however_far_apart_many_campaigns_draw_them(fleet: Fleet) -> None:
    campaign = fleet.launch()
    slow = Rota(INTERVAL, per_second=1 / 60)
    slow.pause()
    error = nothing_found(fleet, watch(campaign), slow)
    assert error.next_retry_delay is not None
    assert timedelta(seconds=50) < error.next_retry_delay < timedelta(seconds=63)
    left = fleet.value("SELECT lease_until - now() FROM campaign")
    assert 4 * error.next_retry_delay <= left <= timedelta(seconds=4 * 63)


@pytest.mark.parametrize("mode", [Mode.ROLLING_OUT, Mode.BAKING])
def test_a_breach_is_found_and_the_gate_is_shut_in_the_same_transaction(fleet: Fleet, mode: Mode) -> None:
    campaign = fleet.launch(guards=plain())
    fleet.put(campaign, Target.FAILED, sorted(fleet.states(campaign))[:1])
    found = tick(fleet, watch(campaign, mode=mode))
    assert found.finding is Finding.BREACH
    assert found.seen.breach is not None
    assert "1 of 1 failed" in found.seen.breach.sentence
    assert not fleet.gate_open(campaign)


def test_a_phase_that_is_done_is_found(fleet: Fleet) -> None:
    campaign = fleet.launch()
    fleet.put(campaign, Target.SUCCEEDED)
    assert tick(fleet, watch(campaign)).finding is Finding.PROCESSED


def test_a_phase_that_is_watched_is_found_when_it_is_proven(fleet: Fleet) -> None:
    campaign = fleet.launch()
    fleet.put(campaign, Target.SUCCEEDED)
    found = tick(fleet, watch(campaign, mode=Mode.PROVING))
    assert found.finding is Finding.PROVEN
    assert found.seen.promotion is not None
    assert found.seen.promotion.sentence == "the last phase is over and no guard objects"


def test_a_guard_that_only_tells_people_is_found_once(fleet: Fleet) -> None:
    told = {"name": "any", "metric": "failure_rate", "mode": "count", "action": "notify"}
    campaign = fleet.launch(guards=[told])
    fleet.put(campaign, Target.FAILED, sorted(fleet.states(campaign))[:1])
    assert tick(fleet, watch(campaign)).finding is Finding.WARNING
    assert fleet.gate_open(campaign)
    nothing_found(fleet, watch(campaign, warned=("1/any",)))


def test_a_withdrawal_is_found(fleet: Fleet) -> None:
    campaign = fleet.launch()
    fleet.insert(WithdrawalRow, sha256=SHA256, actor="ann", reason="brakes fail")
    found = tick(fleet, watch(campaign))
    assert found.finding is Finding.WITHDRAWN
    assert found.seen.withdrawn == "ann: brakes fail"


def test_a_health_check_that_is_due_is_found(fleet: Fleet) -> None:
    campaign = fleet.launch()
    due = datetime.now(UTC) - timedelta(seconds=1)
    assert tick(fleet, watch(campaign, checkpoint_at=due)).finding is Finding.CHECKPOINT


def test_a_gate_of_another_run_is_found_and_its_lease_left_alone(fleet: Fleet) -> None:
    campaign = fleet.launch()
    fleet.open(campaign, 9)
    before = fleet.value("SELECT lease_until FROM campaign")
    assert tick(fleet, watch(campaign)).finding is Finding.SUPERSEDED
    assert fleet.value("SELECT lease_until FROM campaign") == before


def test_a_deadline_without_any_outcome_is_not_a_success(fleet: Fleet) -> None:
    campaign = fleet.launch()
    fleet.run("UPDATE phase SET released_at = now() - interval '15 days'")
    assert tick(fleet, watch(campaign)).finding is Finding.NOTHING_KNOWN


def test_a_database_that_is_away_is_an_error_and_never_health(fleet: Fleet) -> None:
    campaign = fleet.launch()
    fleet.engine = create_engine("postgresql+psycopg://nobody@127.0.0.1:9/none")
    with pytest.raises(OperationalError):
        tick(fleet, watch(campaign))


def test_a_campaign_that_is_not_there_is_an_error_and_never_health(fleet: Fleet) -> None:
    with pytest.raises(Exception, match="there is no campaign"):
        tick(fleet, watch(4711))

"""How fast a phase spreads, when it is done, when it is checked."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign.assignment import STARTED, Tally, Target
from campaign.pace import allowance, checkpoint_after, defer_back_off, processed
from campaign.phase import Limits

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("size", "per_minute", "base", "elapsed", "allowed"),
    [
        (2000, None, 0, timedelta(0), 2000),
        (2000, 60, 0, timedelta(0), 1),
        (2000, 60, 0, timedelta(seconds=1), 2),
        (2000, 60, 0, timedelta(seconds=1.9), 2),
        (2000, 60, 0, MINUTE, 61),
        (2000, 60, 500, MINUTE, 561),
        (2000, 60, 0, timedelta(days=1), 2000),
        (2000, 1, 2000, timedelta(0), 2000),
    ],
)
def test_the_allowance_grows_with_the_rate_up_to_the_size(
    size: int, per_minute: int | None, base: int, elapsed: timedelta, allowed: int
) -> None:
    assert allowance(size, Limits(per_minute=per_minute), base, elapsed) == allowed


@given(st.integers(1, 10**6), st.integers(1, 10**4), st.integers(0, 10**6), st.timedeltas(timedelta(0)))
def test_the_allowance_never_exceeds_the_size_nor_the_rate(
    size: int, rate: int, base: int, elapsed: timedelta
) -> None:
    allowed = allowance(size, Limits(per_minute=rate), base, elapsed)
    assert allowed <= size
    assert allowed - base - 1 <= rate * (elapsed / MINUTE)


def tally(**counts: int) -> Tally:
    return Tally(by_state={Target(state): count for state, count in counts.items()})


@pytest.mark.parametrize(
    ("found", "quorum", "done"),
    [
        (tally(succeeded=10), "100", True),
        (tally(succeeded=9, pending=1), "100", False),
        (tally(succeeded=9, pending=1), "90", True),
        (tally(succeeded=9, pending=1), "90.1", False),
        (tally(succeeded=9, deferred=1), "100", False),
        (tally(succeeded=9, stalled=1), "100", False),
        # An offer that nobody begins on keeps nobody waiting.
        (tally(succeeded=9, offered=1), "50", True),
        (tally(succeeded=9, offered=1), "100", False),
        (tally(succeeded=9, downloading=1), "50", False),
        (tally(succeeded=9, installing=1), "50", False),
        (tally(succeeded=3, failed=2, rolled_back=1, silent=1, cancelled=1, expired=2), "100", True),
        (tally(critical=4, download_failed=3, excluded=2, not_applicable=1), "100", True),
        (tally(excluded=9, pending=1), "100", False),
        (tally(pending=10), "0.1", False),
        (tally(succeeded=1, pending=999), "0.1", True),
    ],
    ids=str,
)
def test_a_phase_is_processed_with_its_quorum_over_and_nobody_under_way(
    found: Tally, quorum: str, done: bool
) -> None:
    assert processed(found, Decimal(quorum)) is done


@given(
    st.dictionaries(st.sampled_from(Target), st.integers(1, 100)),
    st.sampled_from(sorted(STARTED)),
    st.decimals("0.1", 100, places=1),
)
def test_a_phase_with_somebody_under_way_is_never_processed(
    by: dict[Target, int], flying: Target, quorum: Decimal
) -> None:
    assert not processed(Tally(by_state=by | {flying: 1}), quorum)


@pytest.mark.parametrize(
    ("age", "wait"),
    [
        (timedelta(0), MINUTE),
        (timedelta(seconds=59), MINUTE),
        (timedelta(minutes=10), timedelta(minutes=10)),
        (timedelta(hours=6), timedelta(hours=6)),
        (timedelta(days=3), timedelta(hours=6)),
    ],
)
def test_checkpoints_grow_apart_with_the_age_of_the_phase(age: timedelta, wait: timedelta) -> None:
    assert checkpoint_after(age) == wait


def test_two_weeks_cost_some_eighty_checkpoints() -> None:
    age, checkpoints = timedelta(0), 0
    while age < timedelta(days=14):
        age += checkpoint_after(age)
        checkpoints += 1
    assert 50 <= checkpoints <= 80


@pytest.mark.parametrize(
    ("attempt", "wait"),
    [
        (0, timedelta(minutes=5)),
        (1, timedelta(minutes=5)),
        (2, timedelta(minutes=10)),
        (3, timedelta(minutes=20)),
        (9, timedelta(minutes=1280)),
        (10, timedelta(days=1)),
        (127, timedelta(days=1)),
    ],
)
def test_a_deferred_vehicle_waits_twice_as_long_each_time_up_to_a_day(attempt: int, wait: timedelta) -> None:
    assert defer_back_off(attempt) == wait

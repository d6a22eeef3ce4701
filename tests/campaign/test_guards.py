"""The kill switch: failures / attempts > limit, exactly."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign.guards import SEVERITY, Breach, Counts, Guard, Status, Verdict, evaluate, percent, worst

#: failures, attempts, the answer at the default limit of 2 %.
TABLE = [
    (0, 0, Status.NO_DATA),
    (0, 1, Status.CONTINUE),
    (1, 1, Status.BREACH),
    (1, 49, Status.BREACH),
    (1, 50, Status.CONTINUE),
    (1, 51, Status.CONTINUE),
    (2, 99, Status.BREACH),
    (2, 100, Status.CONTINUE),
    (3, 149, Status.BREACH),
    (3, 150, Status.CONTINUE),
    (200, 10_000, Status.CONTINUE),
    (201, 10_000, Status.BREACH),
    (20_000, 1_000_000, Status.CONTINUE),
    (20_001, 1_000_000, Status.BREACH),
]


@pytest.mark.parametrize(("failures", "attempts", "status"), TABLE)
def test_the_plain_rule_is_exact_at_two_percent(failures: int, attempts: int, status: Status) -> None:
    verdict = evaluate(Guard(), Counts(attempts=attempts, failures=failures))
    assert verdict.status is status
    assert (verdict.failures, verdict.attempts, verdict.limit) == (failures, attempts, Decimal("0.02"))


@given(
    st.integers(1, 10**7),
    st.integers(0, 10**7),
    st.decimals(0, "0.999999", allow_nan=False, places=6),
)
def test_a_breach_is_more_than_the_limit_in_whole_numbers(attempts: int, bad: int, limit: Decimal) -> None:
    failures = min(bad, attempts)
    number, denominator = limit.as_integer_ratio()
    status = evaluate(Guard(limit=limit), Counts(attempts=attempts, failures=failures)).status
    assert (status is Status.BREACH) is (failures * denominator > number * attempts)


@given(st.integers(1, 10**6), st.integers(1, 99))
def test_exactly_the_limit_goes_on_and_one_more_does_not(hundreds: int, of_hundred: int) -> None:
    guard = Guard(limit=Decimal(of_hundred) / 100)
    attempts, allowed = 100 * hundreds, of_hundred * hundreds
    assert evaluate(guard, Counts(attempts=attempts, failures=allowed)).status is Status.CONTINUE
    assert evaluate(guard, Counts(attempts=attempts, failures=allowed + 1)).status is Status.BREACH


def test_a_limit_of_zero_tolerates_no_failure() -> None:
    guard = Guard(limit=Decimal(0))
    assert evaluate(guard, Counts(attempts=10**6, failures=0)).status is Status.CONTINUE
    assert evaluate(guard, Counts(attempts=10**6, failures=1)).status is Status.BREACH


@pytest.mark.parametrize(
    ("failures", "attempts", "sentence"),
    [
        (0, 0, "failure_rate no_data: no vehicle has an outcome yet"),
        (0, 9, "failure_rate continue: 0 of 9 failed (0 % <= 2 %)"),
        (1, 49, "failure_rate breach: 1 of 49 failed (2.04 % > 2 %)"),
        (1, 50, "failure_rate continue: 1 of 50 failed (2 % <= 2 %)"),
    ],
)
def test_a_verdict_shows_the_numbers_it_compared(failures: int, attempts: int, sentence: str) -> None:
    assert evaluate(Guard(), Counts(attempts=attempts, failures=failures)).sentence == sentence


def verdict(status: Status, guard: str = "g") -> Verdict:
    return Verdict(guard=guard, status=status, attempts=1, failures=0, limit=Decimal(0), sentence="")


@given(st.lists(st.sampled_from(Status), min_size=1))
def test_the_worst_verdict_wins_and_the_first_of_equals(statuses: list[Status]) -> None:
    verdicts = [verdict(status, str(place)) for place, status in enumerate(statuses)]
    order = ["breach", "degraded", "inconclusive", "no_data", "continue", "healthy"]
    worst_status = min(statuses, key=lambda status: order.index(status.value))
    assert worst(verdicts) is verdicts[statuses.index(worst_status)]


def test_the_order_of_severity_is_written_down() -> None:
    assert [str(status) for status in SEVERITY] == [
        "breach", "degraded", "inconclusive", "no_data", "continue", "healthy",
    ]  # fmt: skip


def test_without_a_verdict_there_is_no_worst() -> None:
    with pytest.raises(ValueError, match="empty"):
        worst([])


@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 100), st.integers(0, 100))
def test_an_evidence_window_counts_from_its_baseline(a: int, b: int, more: int, worse: int) -> None:
    counts = Counts(attempts=a + more, failures=b + worse).since(Counts(attempts=a, failures=b))
    assert (counts.attempts, counts.failures) == (more, worse)


def test_a_late_success_that_corrects_a_failure_of_the_baseline_leaves_no_negative_count() -> None:
    """A vehicle silent before the window began answers after all: one failure less than at the baseline."""
    counts = Counts(attempts=10, failures=0).since(Counts(attempts=10, failures=1))
    assert (counts.attempts, counts.failures) == (0, 0)


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (Fraction(0), "0 %"),
        (Fraction(1, 49), "2.04 %"),
        (Fraction(1), "100 %"),
        (Fraction(1, 30_000), "0.00333 %"),
    ],
)
def test_a_rate_is_shown_without_digits_that_say_nothing(rate: Fraction, text: str) -> None:
    assert percent(rate) == text


def test_a_breach_names_its_phase_and_its_numbers() -> None:
    found = evaluate(Guard(), Counts(attempts=49, failures=1))
    assert Breach(phase=2, phase_name="canary", verdict=found).sentence == (
        "phase 2 (canary): failure_rate breach: 1 of 49 failed (2.04 % > 2 %)"
    )

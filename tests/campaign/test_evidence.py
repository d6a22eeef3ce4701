"""The statistics of the kill switch, and what must hold of every count."""

from math import comb, exp, log, sqrt

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from campaign.evidence import (
    against_target,
    below_limit,
    exact_upper,
    log_chance_of_share,
    trip_count,
    wilson_upper,
)
from campaign.guards import STANDARD_GUARDS, Guard, Metric, Rule
from campaign.verdict import Counts, Status, evaluate

BY_EVIDENCE = [guard for guard in STANDARD_GUARDS if guard.mode is Rule.EVIDENCE]
INSTALL = next(guard for guard in BY_EVIDENCE if guard.metric is Metric.INSTALLATION_SUCCESS)

#: accept, limit: those of the standard guards.
RATES = [(float(guard.accept), float(guard.limit)) for guard in BY_EVIDENCE]
BARS = [10.0, 20.0, 100.0, 400.0, 4000.0, 92_400.0]

SIZES = st.integers(0, 400) | st.integers(0, 20_000) | st.integers(0, 1_000_000)


@st.composite
def counts_near_the_edge(draw: st.DrawFn, guard: Guard) -> Counts:
    """Counts of which many would breach with one failure more or less."""
    started = draw(SIZES)
    finished = started - draw(st.just(0) | st.integers(0, started))
    pause_at = evaluate(guard, Counts(started=started, finished=finished)).pause_at
    assert pause_at is not None
    failed = pause_at + draw(st.integers(-3, 3)) if draw(st.booleans()) else draw(st.integers(0, finished))
    return Counts(started=started, finished=finished, failed=min(max(failed, 0), finished))


def judged(guard: Guard, counts: Counts, **changes: int) -> Status:
    return evaluate(guard, Counts.model_validate(counts.model_dump() | changes)).status


CASES = st.sampled_from(BY_EVIDENCE).flatmap(
    lambda guard: st.tuples(st.just(guard), counts_near_the_edge(guard))
)


@given(CASES)
def test_one_failure_more_never_lifts_a_breach(case: tuple[Guard, Counts]) -> None:
    guard, counts = case
    assume(counts.failed < counts.finished)
    if judged(guard, counts) is Status.BREACH:
        assert judged(guard, counts, failed=counts.failed + 1) is Status.BREACH


@given(CASES)
def test_a_vehicle_under_way_makes_neither_a_breach_nor_health(case: tuple[Guard, Counts]) -> None:
    guard, counts = case
    more = judged(guard, counts, started=counts.started + 1)
    if more in (Status.BREACH, Status.HEALTHY):
        assert judged(guard, counts) is more


@given(CASES)
def test_a_breach_by_evidence_is_always_one_of_the_bare_limit(case: tuple[Guard, Counts]) -> None:
    guard, counts = case
    plain = guard.model_copy(update={"mode": Rule.THRESHOLD})
    if judged(guard, counts) is Status.BREACH:
        assert judged(plain, counts) is Status.BREACH


@given(counts_near_the_edge(INSTALL))
def test_from_nine_failures_on_with_nobody_under_way_evidence_is_the_bare_limit(counts: Counts) -> None:
    assume(counts.finished >= 9)
    everybody = Counts(started=counts.finished, finished=counts.finished, failed=max(counts.failed, 9))
    plain = INSTALL.model_copy(update={"mode": Rule.THRESHOLD})
    breached = judged(INSTALL, everybody) is Status.BREACH
    assert breached is (judged(plain, everybody) is Status.BREACH)


@given(CASES)
def test_a_guard_breaches_at_as_many_failures_as_it_says_and_not_before(case: tuple[Guard, Counts]) -> None:
    guard, counts = case
    verdict = evaluate(guard, counts)
    assert verdict.pause_at is not None
    assert (verdict.status is Status.BREACH) is (counts.failed >= verdict.pause_at)


@given(st.sampled_from(BY_EVIDENCE), st.integers(1, 10**6), st.integers(0, 10**6), st.booleans())
def test_one_failure_alone_never_pauses(guard: Guard, finished: int, under_way: int, complete: bool) -> None:
    counts = Counts(started=finished + under_way, finished=finished, failed=1, complete=complete)
    assert evaluate(guard, counts).status is not Status.BREACH


@given(CASES)
def test_health_and_harm_are_never_proven_at_once(case: tuple[Guard, Counts]) -> None:
    guard, counts = case
    verdict = evaluate(guard, counts)
    assert verdict.evidence is not None
    assert verdict.health is not None
    assert verdict.evidence < guard.bar or verdict.health < guard.health_bar


def likelihood(rate: float, n: int, k: int) -> float:
    return rate**k * (1 - rate) ** (n - k)


@given(st.sampled_from(RATES), st.integers(0, 60), st.integers(0, 60))
def test_evidence_is_the_mean_of_two_ratios_and_health_the_inverse_of_one(
    rates: tuple[float, float], n: int, bad: int
) -> None:
    (accept, limit), k = rates, min(bad, n)
    target = likelihood(accept, n, k)
    mean = (likelihood(limit, n, k) + likelihood(sqrt(limit), n, k)) / 2 / target
    assert against_target(n, k, accept, limit) == pytest.approx(mean, rel=1e-9)
    assert below_limit(n, k, accept, limit) == pytest.approx(target / likelihood(limit, n, k), rel=1e-9)


@pytest.mark.parametrize(("accept", "limit"), RATES)
@pytest.mark.parametrize("n", [1, 10, 200])
def test_the_expected_evidence_is_one_at_the_accepted_rate_and_less_below(
    accept: float, limit: float, n: int
) -> None:
    """Which is why it reaches 100 in fewer than 1 of 100 fleets that are no worse."""

    def expected(rate: float, of: dict[int, float]) -> float:
        return sum(comb(n, k) * likelihood(rate, n, k) * value for k, value in of.items())

    evidence = {k: against_target(n, k, accept, limit) for k in range(n + 1)}
    health = {k: below_limit(n, k, accept, limit) for k in range(n + 1)}
    assert expected(accept, evidence) == pytest.approx(1, rel=1e-9)
    assert expected(accept / 2, evidence) < 1
    assert expected(limit, evidence) > 1
    assert expected(limit, health) == pytest.approx(1, rel=1e-9)
    assert expected(limit * 2, health) < 1


@given(st.sampled_from(RATES), SIZES, st.sampled_from(BARS))
def test_the_trip_count_is_the_fewest_failures_that_reach_the_bar(
    rates: tuple[float, float], started: int, bar: float
) -> None:
    trip = trip_count(started, bar, *rates)
    assert 1 <= trip <= started + 1
    assert against_target(started, trip - 1, *rates) < bar
    assert trip == started + 1 or against_target(started, trip, *rates) >= bar


@pytest.mark.parametrize(("accept", "limit"), RATES)
def test_numbers_beyond_any_float_are_cut_and_not_refused(accept: float, limit: float) -> None:
    most = 2**31 - 1
    assert against_target(most, most, accept, limit) == exp(700)
    assert against_target(most, 0, accept, limit) == 0
    assert below_limit(most, 0, accept, limit) == exp(700)
    assert below_limit(most, most, accept, limit) == exp(-700)


@pytest.mark.parametrize(("accept", "limit"), RATES)
def test_no_count_lies_so_near_the_bar_that_machines_could_disagree(accept: float, limit: float) -> None:
    """For each number of failures, the last ring it pauses and the next: the nearest to the bar of all."""
    distances = []
    failed, vehicles = 1, 0
    while vehicles < 200_000:
        low, high = failed, 400_000
        while low < high:
            middle = (low + high) // 2
            if against_target(middle, failed, accept, limit) < 100:
                high = middle
            else:
                low = middle + 1
        vehicles = low
        for started in (max(vehicles - 1, failed), vehicles):
            distances.append(abs(log(against_target(started, failed, accept, limit)) - log(100)))
        failed += 1
    assert failed > 400
    assert min(distances) > 4e-6


#: vehicles, failed, the most that 95 % leave possible, to as many digits as it has.
UPPER = [
    (5, 0, "45"), (10, 0, "26"), (30, 0, "9.503"), (30, 1, "14.860"), (50, 0, "5.8"), (100, 0, "3.0"),
    (149, 0, "1.990"), (300, 0, "0.99"), (598, 0, "0.4997"), (1_000, 0, "0.30"), (1_000, 3, "0.7735"),
    (10_000, 44, "0.5654"), (1, 0, "95"), (0, 0, "100"), (1, 1, "100"), (7, 7, "100"),
]  # fmt: skip


@pytest.mark.parametrize(("vehicles", "failed", "percent"), UPPER)
def test_the_upper_bound_is_that_of_the_table(vehicles: int, failed: int, percent: str) -> None:
    _, _, decimals = percent.partition(".")
    assert f"{100 * exact_upper(vehicles, failed):.{len(decimals)}f}" == percent


#: confidence, the limit in percent; the vehicles that prove less with 0 to 5 failures.
PROOFS = [
    (0.90, 0.5, [460, 777, 1063, 1335, 1597, 1853]),
    (0.95, 0.5, [598, 947, 1258, 1549, 1829, 2100]),
    (0.99, 0.5, [919, 1325, 1678, 2006, 2318, 2618]),
    (0.95, 2.0, [149, 236, 313, 386, 456, 523]),
]


@pytest.mark.parametrize(("confidence", "limit", "needed"), PROOFS)
def test_so_many_vehicles_prove_a_rate_and_one_fewer_does_not(
    confidence: float, limit: float, needed: list[int]
) -> None:
    for failed, vehicles in enumerate(needed):
        assert 100 * exact_upper(vehicles, failed, confidence) < limit
        assert 100 * exact_upper(vehicles - 1, failed, confidence) > limit


@given(st.integers(1, 300), st.integers(0, 300))
def test_at_the_upper_bound_so_few_failures_are_rare(n: int, bad: int) -> None:
    k = min(bad, n - 1)
    rate = exact_upper(n, k)
    chance = sum(comb(n, i) * likelihood(rate, n, i) for i in range(k + 1))
    assert k / n < rate < 1
    assert chance == pytest.approx(0.05, rel=1e-6)


@given(st.integers(1, 10**6), st.integers(0, 10**6))
def test_the_upper_bounds_lie_above_the_rate_and_grow_with_it(n: int, bad: int) -> None:
    k = min(bad, n - 1)
    assert k / n < wilson_upper(n, k) <= wilson_upper(n, k + 1) <= 1
    assert wilson_upper(n + 1, k) < wilson_upper(n, k)


@pytest.mark.parametrize(
    ("vehicles", "bad", "percent"),
    [(0, 0, "100.000"), (30, 0, "11.352"), (30, 30, "100.000"), (100, 50, "59.617"), (1_000, 3, "0.878")],
)
def test_the_bound_of_wilson_is_the_closed_form(vehicles: int, bad: int, percent: str) -> None:
    assert f"{100 * wilson_upper(vehicles, bad):.3f}" == percent


@given(st.integers(1, 40), st.integers(0, 40), st.integers(0, 40), st.integers(0, 40))
def test_the_chance_of_a_share_is_counted_out(of: int, some: int, bad: int, here: int) -> None:
    group, of_failed = min(some, of), min(bad, of)
    failed = min(here, group, of_failed)
    ways = sum(
        comb(group, k) * comb(of - group, of_failed - k) for k in range(failed, min(group, of_failed) + 1)
    )
    chance = exp(log_chance_of_share(group, failed, of, of_failed))
    assert chance == pytest.approx(ways / comb(of, of_failed), rel=1e-9)


def test_a_chance_too_small_for_a_float_is_still_told_from_another() -> None:
    few, many = (log_chance_of_share(group, 500, 10_000, 500) for group in (500, 1500))
    assert few < many < -745
    assert few == pytest.approx(-log(comb(10_000, 500)), abs=1e-6)

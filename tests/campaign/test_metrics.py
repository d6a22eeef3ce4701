"""What each metric counts: who is bad, who is good, who is under way, and who is in no count at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign.assignment import ATTEMPTS, IN_FLIGHT, STARTED, TERMINAL, WAITING, Tally, Target
from campaign.guards import Guard, Metric
from campaign.metrics import CLOCKED, Overdue, count, total
from campaign.verdict import Counts, Status, evaluate

#: A dot: in no count.
TABLE = """
state            installation_success_rate failure_rate download_failure_rate rollback_rate critical
pending          .                         .            .                     .             .
deferred         .                         .            .                     .             .
stalled          under_way                 under_way    bad                   under_way     under_way
offered          .                         .            .                     .             .
downloading      under_way                 under_way    under_way             under_way     under_way
installing       under_way                 under_way    good                  under_way     under_way
succeeded        good                      good         good                  good          good
failed           bad                       bad          good                  good          good
rolled_back      bad                       bad          good                  bad           good
silent           bad                       bad          good                  good          good
critical         bad                       bad          good                  good          bad
download_failed  .                         bad          bad                   .             .
not_applicable   .                         .            .                     .             .
cancelled        .                         .            .                     .             .
expired          .                         .            .                     .             .
excluded         .                         .            .                     .             .
"""
_HEAD, *_ROWS = map(str.split, TABLE.strip().splitlines())
CLASSES = {
    (Metric(metric), Target(row[0])): word
    for row in _ROWS
    for metric, word in zip(_HEAD[1:], row[1:], strict=True)
}
ONE = {
    ".": Counts(),
    "under_way": Counts(started=1),
    "good": Counts(started=1, finished=1),
    "bad": Counts(started=1, finished=1, failed=1),
}

TALLIES = st.dictionaries(st.sampled_from(Target), st.integers(0, 1_000)).map(lambda by: Tally(by_state=by))
COUNTED = st.sampled_from([metric for metric in Metric if metric not in CLOCKED])


@st.composite
def _overdue(draw: st.DrawFn) -> Overdue:
    quiet, failed = draw(st.integers(0, 1_000)), draw(st.integers(0, 1_000))
    return Overdue(vehicles=quiet + failed + draw(st.integers(0, 1_000)), quiet=quiet, failed=failed)


OVERDUE = _overdue()


def numbers(counts: Counts) -> tuple[int, int, int]:
    return counts.started, counts.finished, counts.failed


def test_the_table_has_every_state_and_every_metric_that_needs_no_clock() -> None:
    metrics = {metric for metric, _ in CLASSES}
    assert metrics | CLOCKED == set(Metric)
    assert not metrics & CLOCKED
    assert {state for _, state in CLASSES} == set(Target)


@pytest.mark.parametrize(("metric", "state"), CLASSES, ids=str)
def test_a_vehicle_is_of_the_class_that_the_table_says(metric: Metric, state: Target) -> None:
    counts = count(metric, Tally(by_state={state: 1}), Overdue())
    assert counts == ONE[CLASSES[metric, state]]


@given(COUNTED, TALLIES, TALLIES)
def test_the_counts_of_two_fleets_add_up(metric: Metric, one: Tally, other: Tally) -> None:
    parts = [numbers(count(metric, tally, Overdue())) for tally in (one, other)]
    both = numbers(count(metric, total([one, other]), Overdue()))
    assert both == tuple(map(sum, zip(*parts, strict=True)))


#: They never began, or what they did is none of the campaign's business.
ASIDE = (WAITING - {Target.STALLED}) | (TERMINAL - ATTEMPTS)


@given(
    st.sampled_from(Metric), TALLIES, OVERDUE,
    st.dictionaries(st.sampled_from(sorted(ASIDE)), st.integers(0, 1_000)),
)  # fmt: skip
def test_who_deferred_was_cancelled_expired_excluded_or_waits_is_in_no_count(
    metric: Metric, tally: Tally, overdue: Overdue, aside: dict[Target, int]
) -> None:
    others = Tally(by_state=tally.by_state | aside)
    assert count(metric, others, overdue) == count(metric, tally, overdue)


def test_those_in_no_count_are_these() -> None:
    assert {state.value for state in ASIDE} == {
        "pending", "deferred", "offered", "not_applicable", "cancelled", "expired", "excluded",
    }  # fmt: skip


@given(COUNTED, TALLIES)
def test_missing_data_is_never_a_success(metric: Metric, tally: Tally) -> None:
    """Whoever counts as good has told of a success, or of a failure of another kind."""
    counts = count(metric, tally, Overdue())
    heard = Target.SUCCEEDED, *(ATTEMPTS - {Target.SUCCEEDED, Target.DOWNLOAD_FAILED})
    if metric is Metric.DOWNLOAD_FAILURE:
        heard = (*heard, Target.INSTALLING)
    assert counts.finished - counts.failed <= tally.of(frozenset(heard))
    if metric in (Metric.INSTALLATION_SUCCESS, Metric.FAILURE):
        assert counts.finished - counts.failed == tally.of(frozenset({Target.SUCCEEDED}))


@pytest.mark.parametrize("metric", Metric, ids=str)
@pytest.mark.parametrize("complete", [False, True])
def test_a_ring_nobody_was_heard_from_is_never_healthy(metric: Metric, complete: bool) -> None:
    quiet = Tally(by_state=dict.fromkeys(ASIDE | {Target.DOWNLOADING}, 10_000))
    guard = Guard.model_validate({"metric": metric})
    assert evaluate(guard, count(metric, quiet, Overdue(), complete=complete)).status is Status.NO_DATA


@given(COUNTED, TALLIES, OVERDUE)
def test_what_takes_a_clock_is_no_business_of_the_other_metrics(
    metric: Metric, tally: Tally, overdue: Overdue
) -> None:
    assert count(metric, tally, overdue) == count(metric, tally, Overdue())


@given(TALLIES, OVERDUE)
def test_silence_counts_the_quiet_and_not_ok_the_failed_as_well_of_those_whose_time_is_up(
    tally: Tally, overdue: Overdue
) -> None:
    silence, not_ok = (count(metric, tally, overdue) for metric in (Metric.SILENCE, Metric.NOT_OK))
    assert numbers(silence) == (overdue.vehicles, overdue.vehicles, overdue.quiet)
    assert numbers(not_ok) == (overdue.vehicles, overdue.vehicles, overdue.quiet + overdue.failed)


@given(st.sampled_from(Metric), TALLIES, OVERDUE, st.integers(0, 10**6), st.booleans())
def test_counts_fit_into_one_another_and_keep_what_they_are_told(
    metric: Metric, tally: Tally, overdue: Overdue, group: int, complete: bool
) -> None:
    counts = count(metric, tally, overdue, group=group, complete=complete)
    assert 0 <= counts.failed <= counts.finished <= counts.started
    assert (counts.group, counts.complete) == (group, complete)


@given(TALLIES)
def test_everybody_who_began_is_under_way_or_has_an_outcome(tally: Tally) -> None:
    counts = count(Metric.FAILURE, tally, Overdue())
    assert counts.started - counts.finished == tally.of(STARTED | {Target.STALLED})
    assert counts.finished == tally.of(ATTEMPTS)
    assert tally.of(STARTED) <= tally.of(IN_FLIGHT)


@given(st.lists(OVERDUE, max_size=4))
def test_those_whose_time_is_up_add_up(parts: list[Overdue]) -> None:
    whole = sum(parts, Overdue())
    assert whole.vehicles == sum(part.vehicles for part in parts)
    assert whole.quiet == sum(part.quiet for part in parts)
    assert whole.failed == sum(part.failed for part in parts)


@given(st.lists(TALLIES, max_size=4))
def test_a_total_has_every_vehicle_of_every_tally(tallies: list[Tally]) -> None:
    for state in Target:
        one = frozenset({state})
        assert total(tallies).of(one) == sum(tally.of(one) for tally in tallies)
    assert total(tallies).size == sum(tally.size for tally in tallies)

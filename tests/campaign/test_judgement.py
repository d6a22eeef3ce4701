"""Judging a phase: the ring, its cohorts and its slices of time; what stops, what warns, who is suspected."""

import random
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign.assignment import Tally, Target
from campaign.breach import Breach, Exposed
from campaign.cohorts import Cohort, Culprit
from campaign.guards import STANDARD_GUARDS, Guard, Metric
from campaign.judgement import (
    Evidence,
    breach,
    headline,
    judge,
    may_trip,
    slice_length,
    suspect,
    trips,
    warnings,
)
from campaign.metrics import NOBODY, Overdue, count, total
from campaign.parts import Parts
from campaign.verdict import RING, Status, Verdict, evaluate

GUARDS = {guard.metric: guard for guard in STANDARD_GUARDS}
INSTALL = GUARDS[Metric.INSTALLATION_SUCCESS]
SILENCE = GUARDS[Metric.SILENCE]
NOT_OK = GUARDS[Metric.NOT_OK]


def tally(**states: int) -> Tally:
    return Tally(by_state={Target(state): vehicles for state, vehicles in states.items()})


def guard(**keys: Any) -> Guard:
    return Guard.model_validate(keys)


def cohorts(**values: Tally) -> Parts[Cohort]:
    """Cohorts of hardware."""
    names = [Cohort.read(f"hw_id={value}") for value in values]
    return Parts.of_each(names, [each.by_state for each in values.values()])


def stretches(*tallies: Tally) -> Parts[int]:
    return Parts.of_each(range(1, len(tallies) + 1), [each.by_state for each in tallies])


def breached(guards: tuple[Guard, ...], evidence: Evidence) -> list[tuple[str, str]]:
    return [
        (verdict.guard, verdict.slice)
        for verdict in judge(guards, evidence)
        if verdict.status is Status.BREACH
    ]


GOOD = tally(succeeded=990, failed=2)


def test_a_cohort_of_one_percent_breaches_while_the_ring_is_fine() -> None:
    """1 % of the ring fails at 30 %, and nobody else."""
    bad = tally(succeeded=14, failed=6)
    evidence = Evidence(tally=total([tally(succeeded=1980), bad]), cohorts=cohorts(A=bad, B=GOOD, C=GOOD))
    ring, cohort = judge([INSTALL], evidence)
    assert (ring.slice, ring.status) == (RING, Status.HEALTHY)
    assert (cohort.slice, cohort.status) == ("hw_id=A", Status.BREACH)
    assert (cohort.started, cohort.failed, cohort.bar) == (20, 6, 600)


def test_a_bad_cohort_is_stopped_before_it_has_harmed_ten_where_the_ring_would_see_nothing() -> None:
    """Rings of 10,000 vehicles of twenty cohorts, one of which is 1 % of them and fails at 30 %."""
    chance, by_cohort, by_ring, harmed = random.Random(7), 0, 0, 0
    for _ in range(20):
        states = {f"C{number}": [0, 0] for number in range(20)}
        for _ in range(10_000):
            name = "C0" if chance.random() < 0.01 else f"C{chance.randrange(1, 20)}"
            failed = chance.random() < (0.3 if name == "C0" else 0.002)
            states[name][failed] += 1
            if not failed:
                continue
            tallies = {name: tally(succeeded=good, failed=bad) for name, (good, bad) in states.items()}
            found = breached((INSTALL,), Evidence(tally=total(tallies.values()), cohorts=cohorts(**tallies)))
            if found:
                by_cohort += (INSTALL.name, "hw_id=C0") in found
                by_ring += (INSTALL.name, RING) in found
                harmed += states["C0"][1]
                break
    assert by_cohort == 20
    assert by_ring == 0
    assert harmed / 20 < 10


def test_a_fault_that_begins_after_many_good_vehicles_breaches_its_slice_of_time() -> None:
    before = (tally(succeeded=4985, failed=15),) * 20
    bad = tally(succeeded=100, failed=12)
    evidence = Evidence(tally=total([*before, bad]), stretches=stretches(*before, bad))
    ring, late = judge([INSTALL], evidence)
    assert (ring.status, ring.started) == (Status.HEALTHY, 100_112)
    assert (late.slice, late.status, late.failed) == ("stretch 21", Status.BREACH, 12)
    assert late.bar == 92_400
    assert breached((INSTALL,), Evidence(tally=total([*before, bad]))) == []


#: The slice, what it has, whether that breaches at 2 x 100 x slice x (slice + 1).
SLICES = [
    (1, tally(succeeded=9, failed=2), False),  # 113:1 would do for the ring; 400:1 is asked
    (1, tally(failed=2), True),
    (2, tally(failed=2), False),
    (2, tally(succeeded=3, failed=3), True),
    (21, tally(succeeded=93, failed=7), False),
    (21, tally(succeeded=92, failed=8), True),
]


@pytest.mark.parametrize(("number", "found", "breaches"), SLICES, ids=str)
def test_each_later_slice_needs_more_evidence(number: int, found: Tally, breaches: bool) -> None:
    clean = tally(succeeded=5_000)
    slices = (*[clean] * (number - 1), found, clean)
    evidence = Evidence(tally=total(slices), stretches=stretches(*slices))
    assert breached((INSTALL,), evidence) == ([(INSTALL.name, f"stretch {number}")] if breaches else [])


def test_the_only_slice_of_a_ring_is_the_ring() -> None:
    bad = tally(succeeded=2, failed=4)
    assert breached((INSTALL,), Evidence(tally=bad, stretches=stretches(bad))) == [(INSTALL.name, RING)]
    both = [(INSTALL.name, RING), (INSTALL.name, "stretch 1")]
    assert breached((INSTALL,), Evidence(tally=bad, stretches=stretches(bad, Tally()))) == both


#: What is watched in a part of the ring, and by what.
PARTS = [
    ("installation_success_rate", "failed", True, True),
    ("failure_rate", "failed", True, True),
    ("rollback_rate", "rolled_back", True, True),
    ("critical", "critical", True, False),
    ("download_failure_rate", "download_failed", True, False),
]


@pytest.mark.parametrize(("metric", "state", "by_cohort", "by_time"), PARTS)
def test_each_metric_is_judged_in_the_parts_that_can_have_more_of_it(
    metric: str, state: str, by_cohort: bool, by_time: bool
) -> None:
    bad, clean = tally(**{state: 6}), tally(succeeded=5_000)
    evidence = Evidence(
        tally=total([bad, clean]), cohorts=cohorts(A=bad, B=clean), stretches=stretches(clean, bad)
    )
    found = breached((guard(name="g", metric=metric),), evidence)
    assert found == [("g", "hw_id=A")] * by_cohort + [("g", "stretch 2")] * by_time


@pytest.mark.parametrize("mode", ["threshold", "group_share", "count"])
def test_a_bare_rule_is_of_the_ring_alone(mode: str) -> None:
    bad, clean = tally(failed=6), tally(succeeded=5_000)
    evidence = Evidence(
        size=5_006,
        tally=total([bad, clean]),
        cohorts=cohorts(A=bad, B=clean),
        stretches=stretches(clean, bad),
    )
    [verdict] = judge([guard(mode=mode, max_count=6)], evidence)
    assert (verdict.slice, verdict.status) == (RING, Status.CONTINUE)


def test_vehicles_under_way_in_a_cohort_count_as_good() -> None:
    clean = tally(succeeded=5_000)
    for waiting, breaches in ((0, True), (2_000, False)):
        part = tally(failed=6, installing=waiting)
        evidence = Evidence(tally=total([part, clean]), cohorts=cohorts(A=part, B=clean))
        assert bool(breached((INSTALL,), evidence)) is breaches


STATES = ["succeeded", "failed", "rolled_back", "silent", "critical", "download_failed", "installing"]
TALLIES = st.dictionaries(st.sampled_from(STATES), st.integers(0, 60)).map(lambda by: tally(**by))


@given(st.lists(TALLIES, min_size=1, max_size=5), st.lists(TALLIES, max_size=3), st.booleans())
def test_there_is_one_verdict_per_guard_on_the_ring_and_of_its_parts_only_breaches(
    hardware: list[Tally], slices: list[Tally], complete: bool
) -> None:
    evidence = Evidence(
        tally=total([*hardware, *slices]),
        complete=complete,
        cohorts=cohorts(**{f"H{number}": each for number, each in enumerate(hardware)}),
        stretches=stretches(*slices),
    )
    verdicts = judge(STANDARD_GUARDS, evidence)
    ring = [verdict for verdict in verdicts if verdict.slice == RING]
    assert ring == [evaluate(each, evidence.ring(each)) for each in STANDARD_GUARDS]
    assert all(verdict.status is Status.BREACH for verdict in verdicts if verdict.slice != RING)
    assert [verdict.guard for verdict in ring] == [each.name for each in STANDARD_GUARDS]


@given(
    st.lists(TALLIES, min_size=2, max_size=5),
    st.sampled_from([Metric.INSTALLATION_SUCCESS, Metric.FAILURE, Metric.ROLLBACK]),
    st.decimals("0.0001", "0.9", places=4),
)
def test_no_part_in_breach_is_overlooked(parts: list[Tally], metric: Metric, limit: Decimal) -> None:
    """Each is judged by itself, as if nothing had been told apart before."""
    watched = guard(name="g", metric=metric, limit=limit, accept=limit / 2, bar=2)
    evidence = Evidence(tally=total(parts), stretches=stretches(*parts))
    found = [(verdict.slice, verdict.status) for verdict in judge([watched], evidence)[1:]]
    by_themselves = [
        (f"stretch {number}", Status.BREACH)
        for number, part in enumerate(parts, start=1)
        if evaluate(
            watched, count(metric, part, NOBODY), bar=2 * watched.bar * number * (number + 1)
        ).status is Status.BREACH
    ]  # fmt: skip
    assert found == by_themselves


def test_a_ring_is_inconclusive_only_when_it_is_complete_and_its_size_is_the_group() -> None:
    few = tally(succeeded=30, pending=970)
    assert judge([INSTALL], Evidence(tally=few))[0].status is Status.CONTINUE
    assert judge([INSTALL], Evidence(tally=few, complete=True))[0].status is Status.INCONCLUSIVE
    share = guard(mode="group_share")
    for size, status in ((30, Status.BREACH), (50, Status.CONTINUE)):
        assert judge([share], Evidence(size=size, tally=tally(failed=1)))[0].status is status


#: Of those whose time is up: how many, quiet, failed; whether silence and whether not-ok breaches.
OVERDUE = [
    (0, 0, 0, False, False),
    (4, 2, 0, True, False),
    (5, 2, 0, False, False),
    (21, 3, 0, True, False),
    (14, 0, 3, False, True),
    (14, 3, 0, True, True),
    (15, 2, 1, False, False),
    (100, 6, 0, False, False),
    (100, 7, 0, True, False),
    (109, 4, 5, False, True),  # neither the quiet nor the failed are enough by themselves
    (1_000, 31, 0, True, True),
    (1_000, 30, 0, False, False),
    (1_000, 10, 21, False, True),
]


@pytest.mark.parametrize(("vehicles", "quiet", "failed", "silence", "not_ok"), OVERDUE)
def test_the_clocked_guards_judge_those_whose_time_is_up(
    vehicles: int, quiet: int, failed: int, silence: bool, not_ok: bool
) -> None:
    evidence = Evidence(
        tally=tally(installing=10_000), overdue=Overdue(vehicles=vehicles, quiet=quiet, failed=failed)
    )
    wanted = [(SILENCE.name, RING)] * silence + [(NOT_OK.name, RING)] * not_ok
    assert breached((SILENCE, NOT_OK), evidence) == wanted


def test_who_has_time_left_is_no_matter_of_silence() -> None:
    [silence] = judge([SILENCE], Evidence(tally=tally(installing=10_000)))
    assert silence.status is Status.NO_DATA


def verdict(status: Status, name: str = "g", part: str = RING) -> Verdict:
    return Verdict(
        guard=name,
        slice=part,
        status=status,
        started=1,
        finished=1,
        failed=1,
        limit=INSTALL.limit,
        sentence="",
    )


PAUSES, TELLS = guard(name="g"), guard(name="n", action="notify")
BAD = Status.BREACH

#: The verdicts in order, which of them stops, which of them warn.
STOPS: list[tuple[list[Verdict], int | None, list[int]]] = [
    ([], None, []),
    ([verdict(status) for status in Status if status is not BAD], None, []),
    ([verdict(Status.HEALTHY), verdict(BAD)], 1, []),
    ([verdict(BAD), verdict(BAD, part="stretch 1")], 0, []),
    ([verdict(BAD, part="hw_id=A"), verdict(BAD, part="stretch 1")], 0, []),
    ([verdict(BAD, part="hw_id=A"), verdict(BAD, part="stretch 1"), verdict(BAD)], 2, []),
    ([verdict(BAD, "n"), verdict(BAD, "n", "hw_id=A")], None, [0, 1]),
    ([verdict(BAD, "n"), verdict(Status.DEGRADED, "n")], None, [0]),
    ([verdict(BAD, "n"), verdict(BAD, part="hw_id=A")], 1, [0]),
    ([verdict(BAD, "somebody else's")], None, []),
]


@pytest.mark.parametrize(("verdicts", "stops", "warns"), STOPS, ids=[str(n) for n in range(len(STOPS))])
def test_the_breach_of_the_ring_goes_first_and_who_only_tells_stops_nothing(
    verdicts: list[Verdict], stops: int | None, warns: list[int]
) -> None:
    found = breach([PAUSES, TELLS], verdicts)
    assert found is (None if stops is None else verdicts[stops])
    assert warnings([PAUSES, TELLS], verdicts) == tuple(verdicts[place] for place in warns)


def test_a_guard_that_only_tells_is_judged_like_any_other() -> None:
    bad = tally(failed=3)
    tells = guard(action="notify")
    verdicts = judge([tells], Evidence(tally=bad))
    assert breach([tells], verdicts) is None
    assert [each.status for each in warnings([tells], verdicts)] == [Status.BREACH]


#: The verdicts of two guards, of which `g` proves; which is shown.
HEADLINES = [
    ([verdict(Status.CONTINUE, "s"), verdict(Status.CONTINUE)], 1),
    ([verdict(Status.NO_DATA, "s"), verdict(Status.HEALTHY)], 1),
    ([verdict(Status.INCONCLUSIVE, "s"), verdict(Status.CONTINUE)], 1),
    ([verdict(Status.DEGRADED, "s"), verdict(Status.CONTINUE)], 0),
    ([verdict(Status.CONTINUE, "s"), verdict(Status.HEALTHY), verdict(BAD, part="hw_id=A")], 2),
    ([verdict(BAD, "s"), verdict(Status.DEGRADED)], 0),
]


@pytest.mark.parametrize(("verdicts", "shown"), HEADLINES, ids=[str(n) for n in range(len(HEADLINES))])
def test_the_headline_is_the_worst_where_that_is_bad_else_that_of_the_update(
    verdicts: list[Verdict], shown: int
) -> None:
    assert headline([guard(name="s", metric="silence"), PAUSES], verdicts) is verdicts[shown]


def suspected(watched: Guard, evidence: Evidence) -> str | None:
    found = suspect(watched, evidence)
    return found.sentence if found else None


def test_the_cohort_that_has_the_failures_is_suspected() -> None:
    bad, others = tally(succeeded=9, failed=41, pending=400), tally(succeeded=940, failed=2, installing=8)
    evidence = Evidence(tally=total([bad, others]), cohorts=cohorts(A=bad, B=others))
    assert suspected(INSTALL, evidence) == (
        "41 of 43 failures are on hw_id=A (41 of its 50 failed, 2 of the other 942)"
    )
    assert suspected(GUARDS[Metric.ROLLBACK], evidence) is None


def test_nobody_is_suspected_where_all_fail_alike() -> None:
    half = tally(succeeded=475, failed=25)
    assert suspected(INSTALL, Evidence(tally=total([half, half]), cohorts=cohorts(A=half, B=half))) is None


BRICKED, FINE = tally(succeeded=5, installing=15), tally(succeeded=500, installing=100)


def silent_cohort(quiet: int, others: int = 0) -> Evidence:
    return Evidence(
        tally=total([BRICKED, FINE]),
        overdue=Overdue(vehicles=520, quiet=quiet + others),
        cohorts=cohorts(A=BRICKED, B=FINE),
        quiet=dict(zip(cohorts(A=BRICKED, B=FINE).names, (quiet, others), strict=True)),
        quiet_total=quiet + others,
    )


@pytest.mark.parametrize("watched", [SILENCE, NOT_OK], ids=str)
def test_the_cohort_that_has_the_quiet_is_suspected_by_the_clocked_guards(watched: Guard) -> None:
    assert suspected(watched, silent_cohort(15, 1)) == (
        "15 of 16 failures are on hw_id=A (15 of its 20 failed, 1 of the other 501)"
    )
    assert suspected(watched, silent_cohort(2, 40)) is None
    assert suspected(INSTALL, silent_cohort(15, 1)) is None


def test_who_answered_since_the_quiet_were_counted_is_quiet_no_more() -> None:
    others = tally(succeeded=600)
    evidence = Evidence(
        tally=total([BRICKED, others]),
        cohorts=cohorts(A=BRICKED, B=others),
        quiet={Cohort.read("hw_id=A"): 17},
        quiet_total=17,
    )
    assert suspected(SILENCE, evidence) == (
        "15 of 15 failures are on hw_id=A (15 of its 20 failed, 0 of the other 600)"
    )


@pytest.mark.parametrize("state", ["failed", "rolled_back", "critical"])
def test_a_failure_is_not_ok_and_not_silent(state: str) -> None:
    bad, others = tally(succeeded=5, **{state: 15}), tally(succeeded=900)
    evidence = Evidence(tally=total([bad, others]), cohorts=cohorts(A=bad, B=others))
    assert suspected(NOT_OK, evidence) is not None
    assert suspected(SILENCE, evidence) is None


@pytest.mark.parametrize("watched", [SILENCE, NOT_OK], ids=str)
def test_who_has_gone_silent_is_both(watched: Guard) -> None:
    bad, others = tally(succeeded=5, silent=15), tally(succeeded=900)
    assert suspected(watched, Evidence(tally=total([bad, others]), cohorts=cohorts(A=bad, B=others)))


@pytest.mark.parametrize(
    ("overdue_after", "length"),
    [
        (timedelta(minutes=36), timedelta(minutes=1)),
        (timedelta(hours=3), timedelta(minutes=5)),
        (timedelta(hours=6), timedelta(minutes=5)),
        (timedelta(days=9), timedelta(minutes=5)),
    ],
)
def test_a_slice_is_a_36th_of_the_time_to_report_and_five_minutes_at_the_most(
    overdue_after: timedelta, length: timedelta
) -> None:
    assert slice_length(overdue_after) == length


def test_a_breach_names_its_phase_its_numbers_and_who_fails() -> None:
    [found] = judge([guard(name="g", mode="threshold")], Evidence(tally=tally(succeeded=48, failed=1)))
    bare = Breach(phase=2, phase_name="canary", verdict=found)
    assert bare.sentence == "phase 2 (canary): g breach: 1 of 49 failed (2.04 % > 2 %)"
    who = Culprit(cohort="hw_id=A", failed=41, finished=50, of_failed=43, of_finished=1000)
    assert bare.model_copy(update={"culprit": who}).sentence == f"{bare.sentence}; {who.sentence}"


def test_those_exposed_are_told_in_one_line() -> None:
    exposed = Exposed(offered=1, downloading=20, installing=300, harmed=4)
    assert exposed.sentence == "1 offered, 20 downloading and 300 installing; 4 harmed so far"


_STATES = st.fixed_dictionaries(
    {}, optional={state.value: st.integers(0, 60) for state in Target if state is not Target.PENDING}
)


@given(
    st.lists(_STATES, min_size=1, max_size=3),
    st.integers(0, 20),
    st.sampled_from(["evidence", "threshold", "group_share", "count"]),
    st.sampled_from(list(Metric)),
)
def test_a_guard_trips_exactly_where_its_verdicts_have_a_breach(
    parts: list[dict[str, int]], telling: int, mode: str, metric: Metric
) -> None:
    tallies = [tally(**each) for each in parts]
    watched = (guard(metric=metric, mode=mode, min_sample=5, max_count=3, bar=2),)
    evidence = Evidence(
        size=200,
        tally=total(tallies),
        overdue=Overdue(vehicles=30, quiet=telling // 2, failed=telling // 4),
        cohorts=cohorts(**dict(zip("ABC", tallies, strict=False))),
        stretches=stretches(*tallies),
        telling=telling,
    )
    assert trips(watched, evidence) is (breach(watched, judge(watched, evidence)) is not None)


_BAD = {"failed", "rolled_back", "silent", "critical", "download_failed", "stalled"}


@given(
    st.lists(st.tuples(_STATES, st.floats(0, 1)), min_size=1, max_size=3),
    st.sampled_from(["evidence", "threshold", "group_share", "count"]),
    st.sampled_from(list(Metric)),
)
def test_what_trips_may_trip_by_all_that_is_bad_and_some_of_the_others(
    parts: list[tuple[dict[str, int], float]], mode: str, metric: Metric
) -> None:
    watched = (guard(metric=metric, mode=mode, min_sample=5, max_count=3, bar=2),)
    whole = [tally(**each) for each, _ in parts]
    least = [
        tally(**{state: many if state in _BAD else int(many * share) for state, many in each.items()})
        for each, share in parts
    ]
    evidence, at_least = (
        Evidence(size=200, tally=total(each), cohorts=cohorts(**dict(zip("ABC", each, strict=False))))
        for each in (whole, least)
    )
    assert may_trip(watched, at_least) or not trips(watched, evidence)


def test_what_is_far_from_a_breach_may_not_trip() -> None:
    few, small = tally(failed=9, succeeded=490), tally(failed=1, succeeded=9)
    watched = (guard(metric="failure_rate", limit="0.02", accept="0.01"),)
    assert not may_trip(watched, Evidence(tally=few, cohorts=cohorts(A=few, B=small)))
    assert may_trip(watched, Evidence(tally=few, cohorts=cohorts(A=tally(failed=9, succeeded=11))))
    plain = (guard(metric="failure_rate", mode="threshold", limit="0.02", min_sample=1_000),)
    assert not may_trip(plain, Evidence(tally=few))
    assert may_trip(plain, Evidence(tally=tally(failed=11, succeeded=490)))  # of more than a sample, perhaps


def test_a_guard_that_only_warns_trips_nothing() -> None:
    watched = (guard(metric="critical", mode="count", action="notify"),)
    evidence = Evidence(size=9, tally=tally(critical=2))
    assert warnings(watched, judge(watched, evidence))
    assert not trips(watched, evidence)
    assert not may_trip(watched, evidence)

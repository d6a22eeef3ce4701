"""Judging a phase: every guard over the whole ring, over each telling cohort and over each stretch of time.

Old vehicles make cumulative counts heavy: a fault that begins after 100,000 good vehicles would stop tens of
thousands late. So those that began in the same stretch of time are judged by themselves too, each later one
at a higher bar, and so is each cohort; together they cost as much risk again as the ring.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from campaign.assignment import HARMED, NO_VEHICLE, STARTED, Tally, Target
from campaign.cohorts import Cohort, Culprit, cohort_bar, culprit
from campaign.guards import Action, Guard, Metric, Rule
from campaign.metrics import CLOCKED, NOBODY, Overdue, bad, count, outcomes
from campaign.parts import NO_PARTS, Name, Parts
from campaign.promotion import proving_guard
from campaign.verdict import RING, Counts, Status, Verdict, breached, evaluate, near_limit, over_limit, worst

#: A slice is as long as a small part of the time after which a vehicle is overdue: the brake learns that much
#: later that its vehicles are quiet, and admits others meanwhile (docs/guards.md).
SLICES_PER_DEADLINE = 36
LONGEST_SLICE = timedelta(minutes=5)

#: What is judged by itself are the vehicles of so many slices, an hour at the most: fewer would show nothing.
SLICES_JUDGED_TOGETHER = 12


def slice_length(overdue_after: timedelta) -> timedelta:
    """How long the vehicles of one slice of time begin after one another."""
    return min(overdue_after / SLICES_PER_DEADLINE, LONGEST_SLICE)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a phase in its present evidence window.

    ``size`` is the phase's, which is ``complete`` when nobody is under way any more; ``tally`` leaves out
    excluded cohorts; ``stretches`` are slices judged together, in the order in which their vehicles began;
    ``cohorts`` are those with a bad vehicle, of ``telling`` ones in all; ``quiet`` are those under way whose
    time is up, by cohort and in all. ``ever`` is the tally of all windows.
    """

    size: int = 0
    complete: bool = False
    tally: Tally = NO_VEHICLE
    ever: Tally = NO_VEHICLE
    overdue: Overdue = NOBODY
    stretches: Parts[int] = field(default_factory=lambda: NO_PARTS)
    cohorts: Parts[Cohort] = field(default_factory=lambda: NO_PARTS)
    telling: int = 0
    quiet: Mapping[Cohort, int] = field(default_factory=dict)
    quiet_total: int = 0

    def ring(self, guard: Guard) -> Counts:
        """The counts of the whole phase for a guard."""
        return count(guard.metric, self.tally, self.overdue, group=self.size, complete=self.complete)


#: Metrics whose bad vehicles a cohort or a slice of time can have more of.
_BY_COHORT = frozenset(Metric) - CLOCKED
_BY_TIME = frozenset({Metric.INSTALLATION_SUCCESS, Metric.FAILURE, Metric.ROLLBACK})


def judge(guards: Sequence[Guard], evidence: Evidence) -> tuple[Verdict, ...]:
    """One verdict per guard over the ring, and those of cohorts and slices of time that are breached."""
    found = []
    for guard in guards:
        found.append(evaluate(guard, evidence.ring(guard)))
        if guard.mode is Rule.EVIDENCE:
            found += _parts(guard, evidence)
    return tuple(found)


def trips(guards: Sequence[Guard], evidence: Evidence) -> bool:
    """Whether ``breach`` finds one among the verdicts of ``judge``: all that most reports of a failure need,
    for a small part of what verdicts with their numbers and sentences cost."""
    return any(_trips(guard, evidence) for guard in guards if guard.action is Action.PAUSE)


def may_trip(guards: Sequence[Guard], at_least: Evidence) -> bool:
    """Whether one that pauses may be breached where all that is bad is known, and of the others only that
    there are at least so many. If not, nothing more need be read: all who are added make rates smaller."""
    return any(
        _may_trip(guard, at_least)
        for guard in guards
        if guard.action is Action.PAUSE and bad(guard.metric, at_least.tally, at_least.overdue)
    )


def _may_trip(guard: Guard, at_least: Evidence) -> bool:
    if guard.mode is Rule.EVIDENCE:
        return _trips(guard, at_least)
    # A breach may ask for a sample, which is larger with more.
    return over_limit(guard, at_least.ring(guard))


def _trips(guard: Guard, evidence: Evidence) -> bool:
    if not bad(guard.metric, evidence.tally, evidence.overdue):
        return False
    if _may_breach(guard, evidence) and breached(guard, evidence.ring(guard)):
        return True
    return guard.mode is Rule.EVIDENCE and any(
        breached(guard, counts, bar) for _, counts, bar in _slices(guard, evidence)
    )


def _may_breach(guard: Guard, evidence: Evidence) -> bool:
    """Whether a breach of the whole phase is worth the counts it is made of."""
    if guard.mode not in (Rule.EVIDENCE, Rule.THRESHOLD) or guard.metric in CLOCKED:
        return True
    return near_limit(guard, *outcomes(guard.metric, evidence.tally))


def _parts(guard: Guard, evidence: Evidence) -> list[Verdict]:
    """Verdicts on the parts in breach: to word one on each would take the whole tick."""
    return [
        evaluate(guard, counts, name, bar)
        for name, counts, bar in _slices(guard, evidence)
        if breached(guard, counts, bar)
    ]


def _slices(guard: Guard, evidence: Evidence) -> Iterator[tuple[str, Counts, float]]:
    """The cohorts and stretches of time with more bad vehicles than the limit allows, each with the bar it is
    judged at. A breach needs that in any case, and most of the hundreds of parts of two weeks have fewer."""
    if guard.metric in _BY_COHORT:
        bar = cohort_bar(guard, max(evidence.telling, len(evidence.cohorts)))
        for cohort, counts in _over(guard, evidence.cohorts):
            yield str(cohort), counts, bar
    if guard.metric in _BY_TIME and len(evidence.stretches) > 1:
        for number, counts in _over(guard, evidence.stretches):
            yield f"stretch {number}", counts, 2.0 * guard.bar * number * (number + 1)


def _over(guard: Guard, parts: Parts[Name]) -> Iterator[tuple[Name, Counts]]:
    for place in near_limit(guard, *outcomes(guard.metric, parts)).nonzero()[0].tolist():
        yield parts.names[place], count(guard.metric, parts.tally(place), NOBODY)


def headline(guards: Sequence[Guard], verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict to show where there is room for one: the worst where that is bad, else the one that stands
    for the success of the update."""
    gravest = worst(verdicts)
    if gravest.status in (Status.BREACH, Status.DEGRADED):
        return gravest
    name = proving_guard(guards).name
    return next((each for each in verdicts if each.guard == name and each.slice == RING), gravest)


def breach(guards: Sequence[Guard], verdicts: Sequence[Verdict]) -> Verdict | None:
    """The verdict that stops the campaign, that of the whole ring before those of its parts."""
    pausing = {guard.name for guard in guards if guard.action is Action.PAUSE}
    found = [each for each in verdicts if each.status is Status.BREACH and each.guard in pausing]
    return min(found, key=lambda each: each.slice != RING, default=None)


def warnings(guards: Sequence[Guard], verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
    """Breaches of guards that only tell people."""
    telling = {guard.name for guard in guards if guard.action is Action.NOTIFY}
    return tuple(each for each in verdicts if each.status is Status.BREACH and each.guard in telling)


def suspect(guard: Guard, evidence: Evidence) -> Culprit | None:
    """The cohort that explains what a guard counts."""
    counts = {
        cohort: _with_quiet(guard, tally, evidence.quiet.get(cohort, 0))
        for cohort, tally in evidence.cohorts.tallies()
    }
    return culprit(guard, _whole(guard, evidence), counts, evidence.telling)


def _whole(guard: Guard, evidence: Evidence) -> Counts:
    return _with_quiet(guard, evidence.tally, evidence.quiet_total)


def _with_quiet(guard: Guard, tally: Tally, quiet: int) -> Counts:
    """The counts of some vehicles; who is overdue has failed, for a guard that watches that."""
    if guard.metric not in CLOCKED:
        return count(guard.metric, tally, NOBODY)
    quiet = min(quiet, tally.of(frozenset({Target.INSTALLING})))
    failures = HARMED if guard.metric is Metric.NOT_OK else frozenset({Target.SILENT})
    finished = tally.of(HARMED | {Target.SUCCEEDED}) + quiet
    started = finished + tally.of(STARTED) - quiet
    return Counts(started=started, finished=finished, failed=tally.of(failures) + quiet)

"""One cohort of twenty fails and the others do not: who is stopped when, and is the culprit named?"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import numpy.typing as npt

from benchmarks.guards.chance import chance
from benchmarks.guards.exposure import instant
from benchmarks.guards.rules import PRODUCT
from benchmarks.guards.staircase import IntArray, Staircase, staircase
from benchmarks.guards.table import Job, Table, percent, rate, vehicles
from campaign.assignment import Tally, Target
from campaign.cohorts import Cohort, Dimension, cohort_bar
from campaign.judgement import Evidence, breach, judge, suspect
from campaign.parts import Parts
from campaign.verdict import Counts

RING = 10_000
COHORTS = tuple(Cohort(dimension=Dimension.HARDWARE, value=f"HW-{number:02}") for number in range(20))
CULPRIT = COHORTS[0]
#: Failure rate of all the others.
OTHERS = 0.002
#: Share of the culprit among the vehicles, and its failure rate; the last one is no culprit.
CASES = ((0.01, 0.3), (0.01, 1.0), (0.03, 0.1), (0.05, 0.05), (0.05, 0.3), (0.2, 0.05), (0.05, 0.005))
_GUARDS = (PRODUCT,)


@dataclass(frozen=True)
class Cell:
    """Chances and means over the runs; ``ring_*`` is the guard over the ring by itself."""

    share: float
    rate: float
    ring_chance: float
    ring_failed: float
    chance: float
    by_cohort: float
    named: float
    wrong: float
    failed: float
    touched: float


@dataclass(frozen=True)
class _Stop:
    """One run: how many failed and how many of the culprit had begun when it stopped or was over."""

    ring_paused: bool
    ring_failed: int
    paused: bool
    by: str | None
    named: str | None
    failed: int
    touched: int


def jobs(runs: int) -> list[Job]:
    """All cells, of ``runs`` times 5."""
    return [partial(minority, share, each, runs * 5) for share, each in CASES]


def minority(share: float, true_rate: float, runs: int) -> list[Cell]:
    """One cell."""
    dice = chance("minority", share, true_rate)
    first = round(RING * share)
    others = np.arange(RING - first) % (len(COHORTS) - 1) + 1
    members = np.concatenate([np.zeros(first, np.int64), others])
    rates = np.full(len(COHORTS), OTHERS)
    rates[0] = true_rate
    stops = []
    for _ in range(runs):
        order = dice.permutation(members)
        stops.append(_run(order, dice.random(RING) < rates[order]))
    return [
        Cell(
            share=share,
            rate=true_rate,
            ring_chance=_mean([stop.ring_paused for stop in stops]),
            ring_failed=_mean([stop.ring_failed for stop in stops]),
            chance=_mean([stop.paused for stop in stops]),
            by_cohort=_mean([stop.by == str(CULPRIT) for stop in stops]),
            named=_mean([stop.named == str(CULPRIT) for stop in stops]),
            wrong=_mean([stop.named not in (None, str(CULPRIT)) for stop in stops]),
            failed=_mean([stop.failed for stop in stops]),
            touched=_mean([stop.touched for stop in stops]),
        )
    ]


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _run(order: IntArray, failing: npt.NDArray[np.bool_]) -> _Stop:
    """Vehicles report in order; every failure is judged, over the ring and over its cohort."""
    at = np.flatnonzero(failing)
    ring = at + 1 <= instant(PRODUCT, RING).reach(np.arange(1, at.size + 1))
    cohorts = order[at]
    bad = _ranks(cohorts)
    parts = (bad > 1) & (_ranks(order)[at] <= _part_reach(bad))
    alone, together = np.flatnonzero(ring), np.flatnonzero(ring | parts)
    failed = int(together[0]) + 1 if together.size else at.size
    seen = int(at[failed - 1]) + 1 if together.size else RING
    by, named = _ask(order[:seen], cohorts[:failed]) if together.size else (None, None)
    return _Stop(
        ring_paused=alone.size > 0,
        ring_failed=int(alone[0]) + 1 if alone.size else at.size,
        paused=together.size > 0,
        by=by,
        named=named,
        failed=failed,
        touched=int((order[:seen] == 0).sum()),
    )


def _ranks(values: IntArray) -> IntArray:
    """For each entry: how many equal ones there are up to it, itself included."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    first = np.searchsorted(ordered, ordered)
    ranks = np.empty_like(values)
    ranks[order] = np.arange(values.size) - first + 1
    return ranks


def _part_reach(failed: IntArray) -> IntArray:
    """Among how many vehicles of a cohort so many failures breach, at the bar that cohorts share."""
    return _part().reach(failed)


@cache
def _part() -> Staircase:
    bar = cohort_bar(PRODUCT, len(COHORTS))
    return staircase(PRODUCT, lambda n: Counts(started=n, finished=n), RING, bar)


def _ask(seen: IntArray, failed: IntArray) -> tuple[str, str | None]:
    """Let the product judge the counts at the stop: whose counts breach, and which cohort it names.

    Raises:
        AssertionError: it would not stop.
    """
    vehicles = np.bincount(seen, minlength=len(COHORTS))
    bad = np.bincount(failed, minlength=len(COHORTS))
    evidence = Evidence(
        size=RING,
        tally=_tally(seen.size, failed.size),
        cohorts=Parts.of_each(COHORTS, [_tally(*each).by_state for each in zip(vehicles, bad, strict=True)]),
    )
    found, culprit = breach(_GUARDS, judge(_GUARDS, evidence)), suspect(PRODUCT, evidence)
    assert found is not None, str(evidence)
    return found.slice, None if culprit is None else culprit.cohort


def _tally(vehicles: int, bad: int) -> Tally:
    return Tally(by_state={Target.SUCCEEDED: int(vehicles - bad), Target.FAILED: int(bad)})


def tables(cells: Sequence[Cell]) -> list[Table]:
    """By culprit."""
    head = [
        "culprit", "all together", "ring alone pauses", "failed", "with cohorts pauses",
        "by the culprit's counts", "culprit named", "another named", "failed", "culprit's vehicles begun",
    ]  # fmt: skip
    rows = [
        [
            f"{rate(cell.share)} of the ring, {rate(cell.rate)} fail",
            percent(cell.share * cell.rate + (1 - cell.share) * OTHERS),
            percent(cell.ring_chance), vehicles(cell.ring_failed), percent(cell.chance),
            percent(cell.by_cohort), percent(cell.named), percent(cell.wrong),
            vehicles(cell.failed), vehicles(cell.touched),
        ]
        for cell in cells
    ]  # fmt: skip
    return [Table("minority", "One cohort of 20 fails; 0.2 % of the others", head, rows)]

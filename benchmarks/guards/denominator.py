"""What a guard should count: those that reported, or those that began. Failures often report first."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks.guards.chance import chance
from benchmarks.guards.rules import PRODUCT
from benchmarks.guards.slots import Ring
from benchmarks.guards.staircase import IntArray, Staircase, staircase
from benchmarks.guards.table import Job, Table, percent, rate
from campaign.verdict import Counts

CASES = {
    "same speed, 200 of 10,000 in flight": Ring(10_000, 200),
    "failures 10 times faster, 1,000 at once": Ring(1_000, 1_000, 0.1),
    "failures 10 times faster, 200 of 10,000": Ring(10_000, 200, 0.1),
    "failures 10 times faster, 2,000 of 100,000": Ring(100_000, 2_000, 0.1),
    "failures 10 times slower, 200 of 10,000": Ring(10_000, 200, 10.0),
}
HEALTHY = (0.001, 0.003, 0.005)
BAD = 0.03


@dataclass(frozen=True)
class Cell:
    """One case at one rate, counted in one way; ``started`` is the mean at a pause."""

    case: str
    counted: str
    rate: float
    chance: float
    started: float


def jobs(runs: int) -> list[Job]:
    """All cells: ``runs`` times 2, the large ring once."""
    return [
        partial(denominator, case, each, runs if ring.vehicles > 10_000 else runs * 2)
        for case, ring in sorted(CASES.items(), key=lambda item: -item[1].vehicles)
        for each in (*HEALTHY, BAD)
    ]


def denominator(case: str, true_rate: float, runs: int) -> list[Cell]:
    """Both ways of counting, over the same runs."""
    ring, dice = CASES[case], chance("denominator", case, true_rate)
    ways = {
        "reported": staircase(PRODUCT, lambda n: Counts(started=n, finished=n), ring.vehicles),
        "begun": staircase(PRODUCT, lambda n: Counts(started=ring.begun(n), finished=n), ring.vehicles),
    }
    started: dict[str, list[int]] = {way: [] for way in ways}
    for _ in range(runs):
        reports = ring.failures(true_rate, dice)
        for way, stairs in ways.items():
            if at := _breach(stairs, reports):
                started[way].append(ring.begun(at))
    return [
        Cell(case, way, true_rate, len(found) / runs, float(np.mean(found)) if found else 0.0)
        for way, found in started.items()
    ]


def _breach(stairs: Staircase, reports: IntArray) -> int:
    """The report that breaches, by number; 0: none does."""
    hit = np.flatnonzero(reports <= stairs.reach(np.arange(1, len(reports) + 1)))
    return int(reports[hit[0]]) if hit.size else 0


def tables(cells: Sequence[Cell]) -> list[Table]:
    """Chances of a false pause, and vehicles begun at a true 3 %."""
    by_place = {(cell.case, cell.counted, cell.rate): cell for cell in cells}
    head = ["case", "evidence among those that", *(f"false pause at {rate(each)}" for each in HEALTHY)]
    rows = [
        [
            case,
            f"{way} (the product)" if way == "begun" else way,
            *(percent(by_place[case, way, each].chance) for each in HEALTHY),
            f"{by_place[case, way, BAD].started:,.0f}",
        ]
        for case in CASES
        for way in ("reported", "begun")
    ]
    title = "Which denominator"
    return [Table("denominator", title, [*head, f"begun at the pause at {rate(BAD)}"], rows)]

"""How often a rule pauses and how many have reported by then, vehicle by vehicle; and the guards as cards."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial

import numpy as np

from benchmarks.guards.chance import chance
from benchmarks.guards.exact import exposure
from benchmarks.guards.rules import RULES
from benchmarks.guards.staircase import Staircase, staircase
from benchmarks.guards.stream import stops
from benchmarks.guards.table import Job, Table, percent, rate
from campaign.guards import Guard
from campaign.verdict import Counts

RATES = (0.001, 0.005, 0.01, 0.02, 0.03, 0.05, 0.2)
RINGS = (30, 1_000, 10_000)
LARGE = 1_000_000
#: Where the curves of the picture are drawn.
CURVE = tuple(float(each) for each in np.geomspace(0.001, 0.3, 60))


@dataclass(frozen=True)
class Cell:
    """One rule on one ring at one true failure rate."""

    ring: int
    rule: str
    rate: float
    chance: float
    vehicles: float
    failed: float


@cache
def instant(guard: Guard, ring: int) -> Staircase:
    """The bounds of a guard on a ring whose vehicles report as soon as they begin."""
    return staircase(guard, lambda n: Counts(started=n, finished=n, group=ring), ring)


def jobs(runs: int) -> list[Job]:
    """All cells; the large ring takes ``runs`` times 25."""
    exact = [partial(small, ring, name) for ring in RINGS for name in RULES]
    return [*(partial(large, each, runs * 25) for each in RATES), *exact]


def small(ring: int, name: str, rates: Sequence[float] = RATES) -> list[Cell]:
    """The cells of one rule on one ring, exactly."""
    found = exposure(instant(RULES[name], ring), rates, ring)
    return [
        Cell(ring, name, each, pause.chance, pause.vehicles, pause.failed)
        for each, pause in zip(rates, found, strict=True)
    ]


def large(true_rate: float, runs: int) -> list[Cell]:
    """The cells of all rules on the large ring at one rate, by dice."""
    stairs = [instant(guard, LARGE) for guard in RULES.values()]
    cells = []
    for name, stop in zip(
        RULES, stops(stairs, true_rate, LARGE, runs, chance("exposure", true_rate)), strict=True
    ):
        paused = stop.reported > 0
        mean = [float(each[paused].mean()) if paused.any() else 0.0 for each in (stop.reported, stop.failed)]
        cells.append(Cell(LARGE, name, true_rate, float(paused.mean()), *mean))
    return cells


def tables(cells: Sequence[Cell]) -> list[Table]:
    """Chance of a pause / vehicles that had reported."""
    by_place = {(cell.ring, cell.rule, cell.rate): cell for cell in cells}
    rows = [
        [f"{ring:,}", name, *(_words(by_place[ring, name, each]) for each in RATES)]
        for ring in (*RINGS, LARGE)
        for name in RULES
        if (ring, name, RATES[0]) in by_place
    ]
    head = ["ring", "rule", *map(rate, RATES)]
    return [Table("exposure", "Chance of a pause / vehicles that had reported by then", head, rows)]


def _words(cell: Cell) -> str:
    share = percent(cell.chance)
    return share if share in ("0", "< 0.01 %") else f"{share} / {cell.vehicles:,.0f}"

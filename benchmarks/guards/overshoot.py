"""Who is in flight when the product's guard trips: each report makes room for the next vehicle."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks.guards.chance import chance
from benchmarks.guards.rules import PRODUCT
from benchmarks.guards.slots import Ring
from benchmarks.guards.staircase import staircase
from benchmarks.guards.stream import stops
from benchmarks.guards.table import Job, Table, rate
from campaign.verdict import Counts

RING = 1_000_000
IN_FLIGHT = (1, 100, 1_000, 10_000, 100_000, RING)
RATES = (0.03, 0.05, 0.2, 1.0)


@dataclass(frozen=True)
class Cell:
    """How many had begun at the pause and how many of these failed or will, on average."""

    in_flight: int
    rate: float
    started: float
    failed: float


def jobs(runs: int) -> list[Job]:
    """All cells, of ``runs`` times 10."""
    return [partial(overshoot, in_flight, runs * 10) for in_flight in reversed(IN_FLIGHT)]


def overshoot(in_flight: int, runs: int) -> list[Cell]:
    """The cells of one cap at every rate."""
    ring = Ring(RING, in_flight)
    # Every run of these rates stops before so many have reported.
    horizon = min(RING, 100_000 + 4 * in_flight)
    stairs = staircase(PRODUCT, lambda n: Counts(started=ring.begun(n), finished=n), horizon)
    cells = []
    for true_rate in RATES:
        dice = chance("overshoot", in_flight, true_rate)
        [stop] = stops([stairs], true_rate, horizon, runs, dice)
        assert stop.reported.all(), "a run did not stop"
        started = np.array([ring.begun(each) for each in stop.reported.tolist()])
        failed = stop.failed + dice.binomial(started - stop.reported, true_rate)
        cells.append(Cell(in_flight, true_rate, float(started.mean()), float(failed.mean())))
    return cells


def tables(cells: Sequence[Cell]) -> list[Table]:
    """Begun / failed."""
    by_place = {(cell.in_flight, cell.rate): cell for cell in cells}
    rows = [
        [f"{cap:,}" if cap < RING else "all", *(_words(by_place[cap, each]) for each in RATES)]
        for cap in IN_FLIGHT
    ]
    return [
        Table(
            "overshoot",
            "Vehicles begun / failed when the guard trips",
            ["in flight", *map(rate, RATES)],
            rows,
        )
    ]


def _words(cell: Cell) -> str:
    return f"{cell.started:,.0f} / {cell.failed:,.0f}"

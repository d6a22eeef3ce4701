"""A ring with so many vehicles in flight, each with its own time to report: in which order outcomes come.

Every slot of the cap is a chain: a vehicle that reports makes room for the next one. The vehicles that begin
first, of all chains, are the ring.
"""

from dataclasses import dataclass
from math import ceil, log, sqrt

import numpy as np

from benchmarks.guards.staircase import IntArray

#: Reports take an hour on average, lognormal: a tenth take half an hour or less, one in a hundred 2.8 hours.
MEAN_HOURS = 1.0
SIGMA = 0.5


@dataclass(frozen=True)
class Ring:
    """Vehicles of which at most ``in_flight`` have begun and not reported; ``pace`` is how many times longer
    a failure takes to be reported than a success."""

    vehicles: int
    in_flight: int
    pace: float = 1.0

    def begun(self, reported: int) -> int:
        """How many have begun when so many have reported and the last report is judged."""
        return min(reported - 1 + self.in_flight, self.vehicles)

    def failures(self, rate: float, dice: np.random.Generator) -> IntArray:
        """Which reports of one run are failures, as numbers from 1, rising."""
        expected = self.vehicles / self.in_flight
        links = 1 if expected == 1 else ceil(expected + 6 * sqrt(expected) + 10)
        failed = dice.random((links, self.in_flight)) < rate
        taken = dice.lognormal(log(MEAN_HOURS) - SIGMA**2 / 2, SIGMA, failed.shape)
        taken *= np.where(failed, self.pace, 1.0)
        ends = taken.cumsum(axis=0)
        begins = (ends - taken).ravel()
        last = np.partition(begins, self.vehicles - 1)[self.vehicles - 1]
        assert links == 1 or last <= ends[-1].min(), "a chain is too short"
        ring = begins <= last
        times = np.sort(ends.ravel()[ring])
        bad = ends.ravel()[ring & failed.ravel()]
        bad.sort()
        failures: IntArray = np.searchsorted(times, bad, side="right")
        return failures

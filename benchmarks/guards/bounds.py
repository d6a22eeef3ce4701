"""The bounds of a guard whose vehicles begin and report at different times, asked of ``evaluate``.

A guard by evidence breaches when two things hold: the evidence among those that began suffices, and the rate
among those that reported is over the limit. Each is a staircase of its own.
"""

from dataclasses import dataclass
from functools import cache
from typing import Self

import numpy as np
import numpy.typing as npt

from benchmarks.guards.staircase import IntArray, staircase
from campaign.guards import Guard, Rule
from campaign.verdict import Counts


@dataclass(frozen=True)
class Bounds:
    """By number of vehicles: the failures whose evidence suffices, and those that are over the limit."""

    evidence: IntArray
    limit: IntArray

    @classmethod
    def of(cls, guard: Guard, vehicles: int) -> Self:
        """Those of a guard, for rings of up to so many."""
        bare = guard.model_copy(update={"mode": Rule.THRESHOLD})
        return cls(
            evidence=staircase(guard, lambda begun: Counts(started=begun), vehicles).fewest,
            limit=staircase(bare, lambda ended: Counts(started=ended, finished=ended), vehicles).fewest,
        )

    def breached(self, started: IntArray, finished: IntArray, failed: IntArray) -> npt.NDArray[np.bool_]:
        """Which of these counts breach."""
        fewest = np.maximum(self.evidence[started], self.limit[finished])
        return (finished > 0) & (failed >= fewest)


@cache
def bounds(guard: Guard, vehicles: int) -> Bounds:
    """The same, asked once."""
    return Bounds.of(guard, vehicles)

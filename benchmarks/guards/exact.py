"""The chance of a pause and what it costs, exactly: a sum over all ways in which vehicles can fail."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.guards.staircase import Staircase


@dataclass(frozen=True)
class Pause:
    """How likely a pause is; if there is one, how many vehicles had reported and how many of them failed."""

    chance: float
    vehicles: float
    failed: float


def exposure(stairs: Staircase, rates: Sequence[float], vehicles: int) -> list[Pause]:
    """A ring of so many vehicles at each true failure rate, judged after every report."""
    fail = np.array(rates)[:, None]
    most = int(max(stairs.fewest[: vehicles + 1].max(), min(stairs.first, vehicles)))
    going = np.zeros((len(rates), most + 1))
    going[:, 0] = 1.0
    failures = np.arange(most + 1)
    total = np.zeros((3, len(rates)))
    for number in range(1, vehicles + 1):
        failing = going[:, :-1] * fail
        going *= 1 - fail
        going[:, 1:] += failing
        if number >= stairs.first:
            bound = stairs.fewest[number]
            paused = going[:, bound:]
            total += (
                paused.sum(axis=1),
                number * paused.sum(axis=1),
                (paused * failures[bound:]).sum(axis=1),
            )
            going[:, bound:] = 0
    chance, reported, failed = total
    mean = np.where(chance > 0, chance, 1)
    return [Pause(*map(float, each)) for each in zip(chance, reported / mean, failed / mean, strict=True)]

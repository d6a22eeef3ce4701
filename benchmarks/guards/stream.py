"""Vehicles that report one after another until a guard is breached, by throwing dice.

Only a failure can breach, so what is thrown is the way from one failure to the next.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.guards.staircase import IntArray, Staircase

#: Failures thrown at a time.
_CHUNK = 512


@dataclass(frozen=True)
class Stops:
    """By run: how many had reported at the breach (0: there was none), and how many of them had failed."""

    reported: IntArray
    failed: IntArray


def stops(
    stairs: Sequence[Staircase], rate: float, vehicles: int, runs: int, dice: np.random.Generator
) -> list[Stops]:
    """The same dice for every staircase."""
    found = [Stops(np.zeros(runs, np.int64), np.zeros(runs, np.int64)) for _ in stairs]
    running, position, failures = np.arange(runs), np.zeros(runs, np.int64), 0
    while running.size:
        at = position[:, None] + dice.geometric(rate, (running.size, _CHUNK)).cumsum(axis=1)
        for steps, stop in zip(stairs, found, strict=True):
            _judge(steps, stop, running, at, failures, vehicles)
        failures += _CHUNK
        some_go_on = np.logical_or.reduce([stop.reported[running] == 0 for stop in found])
        stay = (at[:, -1] < vehicles) & some_go_on
        running, position = running[stay], at[stay, -1]
    return found


def _judge(
    steps: Staircase, stop: Stops, running: IntArray, at: IntArray, before: int, vehicles: int
) -> None:
    """Note the first breach of each run among these failures; ``before`` came earlier."""
    rows = np.flatnonzero(stop.reported[running] == 0)
    judged = np.maximum(at[rows], steps.first)
    reach = np.minimum(steps.reach(np.arange(before + 1, before + at.shape[1] + 1)), vehicles)
    breached = judged <= reach
    hit = breached.any(axis=1)
    rows, number = rows[hit], breached[hit].argmax(axis=1)
    stop.reported[running[rows]] = reported = judged[hit, number]
    stop.failed[running[rows]] = before + (at[rows] <= reported[:, None]).sum(axis=1)

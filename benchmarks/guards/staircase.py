"""The fewest failures that breach a guard, for every number of outcomes: asked of ``evaluate``.

They never get fewer as vehicles are added, so between two places with the same answer nothing needs asking.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from campaign.guards import Guard
from campaign.verdict import Counts, evaluate

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Staircase:
    """``fewest[n]`` failures among ``n`` outcomes breach; nothing is judged before ``first`` outcomes."""

    first: int
    fewest: IntArray

    @cached_property
    def last(self) -> IntArray:
        """By failures: the most outcomes among which so many breach; 0: they never do."""
        judged = self.fewest[self.first :]
        failures = np.arange(1 + (judged[-1] if judged.size else 0))
        last = np.searchsorted(judged, failures, side="right") + self.first - 1
        return np.where(last >= self.first, last, 0)

    def reach(self, failures: IntArray) -> IntArray:
        """``last`` for any number of failures."""
        return self.last[np.minimum(failures, len(self.last) - 1)]


def staircase(
    guard: Guard, counts: Callable[[int], Counts], most: int, bar: float | None = None
) -> Staircase:
    """Ask a guard for its bounds.

    Args:
        counts: those to be judged, by number of outcomes.
        most: outcomes.
        bar: where not the guard's own.
    """

    def ask(outcomes: int) -> int:
        pause_at = evaluate(guard, counts(outcomes), bar=bar).pause_at
        assert pause_at is not None
        return pause_at

    first = max(guard.min_sample, 1)
    fewest = np.zeros(most + 1, dtype=np.int64)
    at, length = first, 1
    while at <= most:
        value = ask(at)
        end = _end_of_step(ask, value, at, length, most)
        fewest[at : end + 1] = value
        at, length = end + 1, end + 1 - at
    return Staircase(first=first, fewest=fewest)


def _end_of_step(ask: Callable[[int], int], value: int, start: int, length: int, most: int) -> int:
    """The last place with the same value; the step before was ``length`` long, so look there first."""
    low, stride, longer = start, max(length - 1, 1), 1
    while low + stride <= most and ask(low + stride) == value:
        low, stride, longer = low + stride, longer, longer * 2
    high = min(low + stride, most + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if ask(middle) == value else (low, middle)
    return low

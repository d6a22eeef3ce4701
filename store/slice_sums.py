"""Those who began to install, by when they began: slices of time that are judged together, and what the brake
knows. Two weeks have thousands of slices, so only those that have changed are read (store/changed.py)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from campaign.assignment import HARMED, Target
from campaign.brake import Matured
from campaign.parts import Numbers, Parts
from store.changed import CHANGED_SQL
from store.columns import NEVER, numbers, numbers_sql, times, times_sql

ROWS_SQL = f"""
SELECT s.phase, s.state, {times_sql("s.began")} AS began, {numbers_sql("s.vehicles")} AS vehicles
FROM slice AS s
WHERE s.campaign_id = %(id)s AND {CHANGED_SQL.format(row="s")}
GROUP BY s.phase, s.state
"""

_BEGUN = (*sorted(HARMED), Target.INSTALLING, Target.SUCCEEDED)
_ROW = {state: row for row, state in enumerate(_BEGUN)}
_HARMED = slice(len(HARMED))
_SUCCEEDED = _ROW[Target.SUCCEEDED]


@dataclass(frozen=True, slots=True, eq=False)
class Slices:
    """The vehicles of a phase that began in this window, in slices of time.

    All times are in microseconds (store/columns.py): ``window_began``, ``stretch``, which is how long the
    stretches are that are judged together, and the beginnings of the slices, ascending. ``vehicles`` has a
    row for each state in ``_BEGUN`` and a column for each slice.
    """

    window_began: int
    stretch: int
    began: Numbers = field(default_factory=lambda: np.zeros(0, np.int64))
    vehicles: Numbers = field(default_factory=lambda: np.zeros((len(_BEGUN), 0), np.int64))

    def after(self, changes: Mapping[Target, Sequence[bytes]]) -> "Slices":
        """The same with what some slices have now."""
        read = {state: (times(began), numbers(vehicles)) for state, (began, vehicles) in changes.items()}
        now = self._with([began for began, _ in read.values()])
        for state, (began, vehicles) in read.items():
            mine = began >= self.window_began
            now.vehicles[_ROW[state], np.searchsorted(now.began, began[mine])] = vehicles[mine]
        return now

    def _with(self, moments: Sequence[Numbers]) -> "Slices":
        """A copy that has these slices too."""
        known = np.append(self.began, NEVER)
        new = [each[known[np.searchsorted(self.began, each)] != each] for each in moments]
        if not any(map(len, new)):
            return replace(self, vehicles=self.vehicles.copy())
        began = np.unique(np.concatenate((self.began, *new)))
        began = began[np.searchsorted(began, self.window_began) :]
        vehicles = np.zeros((len(_BEGUN), len(began)), np.int64)
        vehicles[:, np.searchsorted(began, self.began)] = self.vehicles
        return replace(self, began=began, vehicles=vehicles)

    def in_stretches(self) -> Parts[int]:
        """The stretches by number, in the order in which their vehicles began and without empty ones."""
        number = (self.began - self.window_began) // self.stretch
        first = np.flatnonzero(np.diff(number, prepend=-1))
        sums = np.add.reduceat(self.vehicles, first, axis=1) if len(first) else self.vehicles
        sums = sums[:, sums.any(axis=0)]
        return Parts(range(1, sums.shape[1] + 1), _BEGUN, sums)

    def braking(self, latest: int) -> Matured:
        """For the brake, which counts who had time to report or has failed, and of them who failed or is
        still quiet.

        Args:
            latest: the slice that matured last. As they mature in their order, all up to it have.
        """
        ripe = self.vehicles[:, : np.searchsorted(self.began, latest, side="right")]
        late_harm = self.vehicles[_HARMED, ripe.shape[1] :]
        known = int(ripe.sum() + late_harm.sum())
        return Matured(vehicles=known, bad=known - int(ripe[_SUCCEEDED].sum()))


def by_phase(rows: Iterable[Sequence[Any]]) -> dict[int, dict[Target, Sequence[bytes]]]:
    """Rows of ``ROWS_SQL`` by phase and state: who began to install and has not put it off since."""
    found: dict[int, dict[Target, Sequence[bytes]]] = defaultdict(dict)
    for phase, state, *columns in rows:
        if state in _ROW:
            found[phase][Target(state)] = columns
    return found

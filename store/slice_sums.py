"""Those who began to install, by when they began: slices of time that are judged together, and what the brake
knows. Two weeks have thousands of slices, so only those that have changed are read (store/changed.py)."""

from dataclasses import dataclass, field, replace

import numpy as np

from campaign.assignment import HARMED, Target
from campaign.brake import Matured
from campaign.parts import Numbers, Parts
from store.changed import CHANGED_SQL
from store.evidence import BEGUN
from store.packed import MOMENT, NEVER, NUMBER, packed_sql, pair_sql

_PAIRS = zip(BEGUN[::2], BEGUN[1::2], strict=True)
_PACKED = packed_sql("timestamptz_send(s.began)", *(pair_sql(f"s.{one}", f"s.{two}") for one, two in _PAIRS))

#: The slices of each phase.
ROWS_SQL = f"""
SELECT s.phase, {_PACKED} AS slices
FROM slice AS s
WHERE s.campaign_id = %(id)s AND {CHANGED_SQL.format(row="s")}
GROUP BY s.phase
"""
_ROW = np.dtype([("began", MOMENT), ("vehicles", NUMBER, len(BEGUN))])

_HARMED = slice(len(HARMED))
_SUCCEEDED = BEGUN.index(Target.SUCCEEDED)


@dataclass(frozen=True, slots=True, eq=False)
class Slices:
    """The vehicles of a phase that began in this window, in slices of time.

    All times are in microseconds (store/packed.py): ``window_began``, ``stretch``, which is how long the
    stretches are that are judged together, and the beginnings of the slices, ascending. ``vehicles`` has a
    row for each state in ``BEGUN`` and a column for each slice.
    """

    window_began: int
    stretch: int
    began: Numbers = field(default_factory=lambda: np.zeros(0, np.int64))
    vehicles: Numbers = field(default_factory=lambda: np.zeros((len(BEGUN), 0), np.int64))

    def after(self, changed: bytes) -> "Slices":
        """The same with what some slices have now, as ``ROWS_SQL`` finds them; those of an earlier window are
        none of it."""
        rows = np.frombuffer(changed, _ROW)
        rows = rows[rows["began"] >= self.window_began]
        began = rows["began"].astype(np.int64)
        places = np.searchsorted(self.began, began)
        new = began[np.append(self.began, NEVER)[places] != began]
        if len(new):
            more = self._with(new)
            places = np.searchsorted(more.began, began)
        else:
            more = replace(self, vehicles=self.vehicles.copy())
        more.vehicles[:, places] = rows["vehicles"].T
        return more

    def _with(self, new: Numbers) -> "Slices":
        """A copy that has these slices too, without anybody."""
        everything = np.sort(np.append(self.began, new))
        vehicles = np.zeros((len(BEGUN), len(everything)), np.int64)
        vehicles[:, np.searchsorted(everything, self.began)] = self.vehicles
        return replace(self, began=everything, vehicles=vehicles)

    def in_stretches(self) -> Parts[int]:
        """The stretches by number, in the order in which their vehicles began and without empty ones."""
        number = (self.began - self.window_began) // self.stretch
        first = np.flatnonzero(np.diff(number, prepend=-1))
        sums = np.add.reduceat(self.vehicles, first, axis=1) if len(first) else self.vehicles
        sums = sums[:, sums.any(axis=0)]
        return Parts(range(1, sums.shape[1] + 1), BEGUN, sums)

    def braking(self, latest: int) -> Matured:
        """For the brake, which counts who had time to report or has failed, and of them who failed or is
        still quiet.

        Args:
            latest: the slice that matured last. As they mature in their order, all up to it have.
        """
        ripe = np.searchsorted(self.began, latest, side="right")
        known = int(self.vehicles[:, :ripe].sum() + self.vehicles[_HARMED, ripe:].sum())
        return Matured(vehicles=known, bad=known - int(self.vehicles[_SUCCEEDED, :ripe].sum()))

"""The vehicles of phases by state and by cohort, added up in this process.

A phase has thousands of rows in the tally, each of a configuration in half a dozen cohorts. To group them by
text would be most of what a tick costs the database; here they are one product of matrices. Only rows that
have changed are read (store/changed.py).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from campaign.assignment import NO_VEHICLE, Tally, Target
from campaign.cohorts import Cohort
from campaign.parts import NO_PARTS, Numbers, Parts
from store.changed import CHANGED_SQL
from store.evidence import COUNTED
from store.members import MEMBERS_SQL, Members, Products, known, learn
from store.packed import NUMBER, packed_sql, pair_sql

_VEHICLES = packed_sql(pair_sql("t.configuration_id", "t.vehicles"))
_ACKNOWLEDGED = packed_sql(pair_sql("t.configuration_id", "t.acknowledged"))

#: Vehicles of phases by state and configuration, in all and those acknowledged, where there are any. Those of
#: other phases have not changed, and to name the phases would have PostgreSQL plan for each list of them
#: anew.
ROWS_SQL = f"""
SELECT t.phase, t.state, {_VEHICLES} AS vehicles,
       {_ACKNOWLEDGED} FILTER (WHERE t.acknowledged <> 0) AS acknowledged
FROM tally AS t
WHERE t.campaign_id = %(id)s AND {CHANGED_SQL.format(row="t")}
GROUP BY t.phase, t.state
"""


class Changed(NamedTuple):
    """What the configurations of a phase that have changed have in one state, as ``ROWS_SQL`` finds it."""

    vehicles: bytes
    acknowledged: bytes | None


@dataclass(frozen=True)
class Counted:
    """The vehicles of a phase by state: all of them, and without excluded cohorts what guards count, in all
    windows and in the present one, also by the telling cohorts that have a bad vehicle."""

    everybody: Tally = NO_VEHICLE
    ever: Tally = NO_VEHICLE
    window: Tally = NO_VEHICLE
    cohorts: Parts[Cohort] = field(default_factory=lambda: NO_PARTS)


@dataclass(frozen=True, slots=True, eq=False)
class InState:
    """The vehicles of a phase in one state: what the configurations have by their place, in all and in this
    window, and the sums of that. ``window`` has that of all which are counted, then those by cohort."""

    vehicles: Products
    new: Products
    everybody: int
    ever: int
    window: Numbers

    @classmethod
    def of(cls, members: Members, vehicles: Products, new: Products) -> "InState":
        """With the sums."""
        ever = int(vehicles @ members.one_in[:, 0])
        return cls(vehicles, new, int(vehicles.sum()), ever, members.sums(new))

    @classmethod
    def empty(cls, members: Members) -> "InState":
        """Nobody is in this state."""
        nobody = np.zeros(len(members.ids))
        return cls.of(members, nobody, nobody)

    def after(self, members: Members, changed: Changed) -> "InState":
        """The same with what some configurations have now.

        Raises:
            LookupError: one is not of the campaign's selection. A gate without ticks shuts with its lease.
        """
        places, in_all = _numbers(members, changed.vehicles)
        vehicles, new = self.vehicles.copy(), self.new.copy()
        vehicles[places] = new[places] = in_all
        if changed.acknowledged:
            places, known = _numbers(members, changed.acknowledged)
            new[places] = np.maximum(vehicles[places] - known, 0)
        return self.of(members, vehicles, new)


#: The vehicles of a phase as they are in the tally, by state.
Vehicles = Mapping[Target, InState]


def members_of(connection: Connection, campaign_id: int, selection: object) -> Members:
    """The configurations of a campaign, read if this process does not know them."""
    found = known(campaign_id, selection)
    if found is None:
        rows = connection.exec_driver_sql(MEMBERS_SQL, {"id": campaign_id}).fetchall()
        found = learn(campaign_id, selection, ((row[0], row[1]) for row in rows))
    return found


def by_phase(rows: Iterable[tuple[int, str, bytes, bytes | None]]) -> dict[int, dict[Target, Changed]]:
    """Rows of ``ROWS_SQL`` by phase and state."""
    found: dict[int, dict[Target, Changed]] = defaultdict(dict)
    for phase, state, vehicles, acknowledged in rows:
        found[phase][Target(state)] = Changed(vehicles, acknowledged)
    return found


def after(before: Vehicles, members: Members, changed: Mapping[Target, Changed]) -> Vehicles:
    """The vehicles of a phase with what has changed since."""
    new = {
        state: (before.get(state) or InState.empty(members)).after(members, rows)
        for state, rows in changed.items()
    }
    return {**before, **new}


def counted(members: Members, vehicles: Vehicles) -> Counted:
    """The sums of a phase."""
    guarded = {state: each for state, each in vehicles.items() if state in COUNTED}
    sums = [each.window for each in guarded.values()]
    window, cohorts = members.told_apart(tuple(guarded), np.stack(sums)) if sums else (NO_VEHICLE, NO_PARTS)
    return Counted(
        _tally({state: each.everybody for state, each in vehicles.items()}),
        _tally({state: each.ever for state, each in guarded.items()}),
        window,
        cohorts,
    )


def _numbers(members: Members, packed: bytes) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.int32]]:
    """The places of configurations and a number of each."""
    ids, numbers = np.frombuffer(packed, NUMBER).reshape(-1, 2).T
    places, mine = members.places(ids)
    if not mine.all():
        raise LookupError(f"the campaign's selection does not know the configurations {ids[~mine]}")
    return places, numbers


def _tally(by_state: Mapping[Target, int]) -> Tally:
    return Tally.model_construct(
        by_state={state: vehicles for state, vehicles in by_state.items() if vehicles}
    )

"""The vehicles of phases by state and by cohort, added up in this process.

A phase has thousands of rows in the tally, each of a configuration in half a dozen cohorts. To group them by
text would be most of what a tick costs the database; here they are one product of matrices. Only rows that
have changed are read (store/changed.py). In which cohorts a configuration is never changes: that is
remembered.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from campaign.assignment import FAILURES, NO_VEHICLE, Tally, Target
from campaign.cohorts import Cohort
from campaign.parts import NO_PARTS, Numbers, Parts
from store.changed import CHANGED_SQL
from store.evidence import COUNTED
from store.packed import NUMBER, packed_sql

#: In which of the telling cohorts a configuration is, nothing where it is left out. Frozen with the selection
#: but for that.
_MEMBERS = """
SELECT f.id, CASE WHEN NOT f.excluded THEN
           ARRAY(SELECT unnest(f.cohorts) INTERSECT SELECT unnest(c.cohorts)) END
FROM configuration AS f JOIN campaign AS c ON c.id = f.campaign_id
WHERE f.campaign_id = %(id)s ORDER BY f.id
"""

_NEW = "greatest(t.vehicles - t.acknowledged, 0)"
_PACKED = packed_sql("int4send(t.configuration_id)", "int4send(t.vehicles)", f"int4send({_NEW})")

#: Vehicles of phases by state and configuration, in all and in this window. Those of other phases have not
#: changed, and to name the phases would have PostgreSQL plan for each list of them anew.
ROWS_SQL = f"""
SELECT t.phase, t.state, {_PACKED} AS configurations
FROM tally AS t
WHERE t.campaign_id = %(id)s AND {CHANGED_SQL.format(row="t")}
GROUP BY t.phase, t.state
"""

_BAD = FAILURES | {Target.STALLED}

#: Whole numbers as the library for products of matrices wants them: exact up to 2**53.
_Products = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Counted:
    """The vehicles of a phase by state: all of them, and without excluded cohorts what guards count, in all
    windows and in the present one, also by the telling cohorts that have a bad vehicle."""

    everybody: Tally = NO_VEHICLE
    ever: Tally = NO_VEHICLE
    window: Tally = NO_VEHICLE
    cohorts: Parts[Cohort] = field(default_factory=lambda: NO_PARTS)


@dataclass(frozen=True, eq=False)
class Members:
    """The telling cohorts, the more telling first; the ids of the configurations, ascending; and for each of
    these a row that has a one if it is counted, and then for each cohort that it is counted in."""

    cohorts: tuple[Cohort, ...]
    ids: Numbers
    one_in: _Products

    def places(self, ids: npt.NDArray[np.int32]) -> npt.NDArray[np.intp]:
        """The places of some configurations.

        Raises:
            LookupError: one is not of the campaign's last selection.
        """
        found = np.searchsorted(self.ids, ids)
        if not np.array_equal(self.ids[found], ids):
            raise LookupError("the tally has configurations that the campaign's selection does not know")
        return found


@dataclass(frozen=True, slots=True, eq=False)
class InState:
    """The vehicles of a phase in one state: what the configurations have by their place, in all and in this
    window, and the sums of that. ``window`` has that of all which are counted, then those by cohort."""

    vehicles: _Products
    new: _Products
    everybody: int
    ever: int
    window: Numbers

    @classmethod
    def of(cls, members: Members, vehicles: _Products, new: _Products) -> "InState":
        """With the sums."""
        ever = int(vehicles @ members.one_in[:, 0])
        return cls(vehicles, new, int(vehicles.sum()), ever, (new @ members.one_in).astype(np.int64))

    @classmethod
    def empty(cls, members: Members) -> "InState":
        """Nobody is in this state."""
        nobody = np.zeros(len(members.ids))
        return cls.of(members, nobody, nobody)

    def after(self, members: Members, changed: bytes) -> "InState":
        """The same with what some configurations have now, as ``ROWS_SQL`` finds them."""
        ids, in_all, in_window = np.frombuffer(changed, NUMBER).reshape(-1, 3).T
        places = members.places(ids)
        vehicles, new = self.vehicles.copy(), self.new.copy()
        vehicles[places], new[places] = in_all, in_window
        return self.of(members, vehicles, new)


#: The vehicles of a phase as they are in the tally, by state.
Vehicles = Mapping[Target, InState]


class _Memory:
    """The members of a campaign that this process has read last, with the selection they are of."""

    latest: tuple[object, Members] | None = None


@lru_cache(maxsize=64)
def _memory(campaign_id: int) -> _Memory:
    return _Memory()


def members_of(connection: Connection, campaign_id: int, of: object) -> Members:
    """The configurations of a campaign.

    Args:
        of: another one wherever the campaign was selected anew, or other cohorts are left out.
    """
    memory = _memory(campaign_id)
    latest = memory.latest
    if latest is None or latest[0] != of:
        memory.latest = latest = (of, _read_members(connection, campaign_id))
    return latest[1]


def _read_members(connection: Connection, campaign_id: int) -> Members:
    rows = connection.exec_driver_sql(_MEMBERS, {"id": campaign_id}).fetchall()
    texts = {text: Cohort.read(text) for text in {each for _, mine in rows for each in mine or ()}}
    cohorts = sorted(texts.values(), key=lambda cohort: cohort.place)
    columns = {cohort: column for column, cohort in enumerate(cohorts, start=1)}
    one_in = np.zeros((len(rows), 1 + len(cohorts)))
    for place, (_, mine) in enumerate(rows):
        if mine is not None:
            one_in[place, [0, *(columns[texts[text]] for text in mine)]] = 1
    return Members(tuple(cohorts), np.array([row[0] for row in rows], np.int64), one_in)


def by_phase(rows: Iterable[tuple[int, str, bytes]]) -> dict[int, dict[Target, bytes]]:
    """Rows of ``ROWS_SQL`` by phase and state."""
    found: dict[int, dict[Target, bytes]] = defaultdict(dict)
    for phase, state, configurations in rows:
        found[phase][Target(state)] = configurations
    return found


def after(before: Vehicles, members: Members, changed: Mapping[Target, bytes]) -> Vehicles:
    """The vehicles of a phase with what has changed since."""
    new = {
        state: (before.get(state) or InState.empty(members)).after(members, rows)
        for state, rows in changed.items()
    }
    return {**before, **new}


def counted(members: Members, vehicles: Vehicles) -> Counted:
    """The sums of a phase."""
    guarded = {state: each for state, each in vehicles.items() if state in COUNTED}
    return Counted(
        _tally({state: each.everybody for state, each in vehicles.items()}),
        _tally({state: each.ever for state, each in guarded.items()}),
        _tally({state: int(each.window[0]) for state, each in guarded.items()}),
        _bad_cohorts(members, guarded),
    )


def _bad_cohorts(members: Members, guarded: Vehicles) -> Parts[Cohort]:
    if not guarded:
        return NO_PARTS
    sums = np.stack([each.window[1:] for each in guarded.values()])
    bad = Parts(members.cohorts, tuple(guarded), sums).of(_BAD).nonzero()[0]
    return Parts([members.cohorts[place] for place in bad.tolist()], tuple(guarded), sums[:, bad])


def _tally(by_state: Mapping[Target, int]) -> Tally:
    return Tally.model_construct(
        by_state={state: vehicles for state, vehicles in by_state.items() if vehicles}
    )

"""The vehicles of phases by state and by cohort, added up in this process.

A phase has thousands of rows in the tally, each of a configuration in half a dozen cohorts. To group them by
text would be most of what a tick costs the database; here they are additions of small numbers, and only of
rows that have changed (store/changed.py). In which cohorts a configuration is never changes: that is
remembered.
"""

import struct
from array import array
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection

from campaign.assignment import FAILURES, Tally, Target
from campaign.cohorts import Cohort
from store.changed import CHANGED_SQL
from store.evidence import COUNTED

#: In which of the telling cohorts a configuration is, nothing where it is left out. Frozen with the selection
#: but for that.
_MEMBERS = """
SELECT f.id, CASE WHEN NOT f.excluded THEN
           ARRAY(SELECT unnest(f.cohorts) INTERSECT SELECT unnest(c.cohorts)) END
FROM configuration AS f JOIN campaign AS c ON c.id = f.campaign_id
WHERE f.campaign_id = %(id)s ORDER BY f.id
"""

#: Vehicles of phases by state and configuration, in all and in this window. Those of other phases have not
#: changed, and to name the phases would have PostgreSQL plan for each list of them anew.
_ROWS = f"""
SELECT t.phase, t.state, array_agg(t.configuration_id), array_agg(t.vehicles),
       array_agg(greatest(t.vehicles - t.acknowledged, 0))
FROM tally AS t
WHERE t.campaign_id = %(id)s AND {CHANGED_SQL.format(row="t")}
GROUP BY t.phase, t.state
"""

_BAD = FAILURES | {Target.STALLED}

#: Vehicles by cohort are one number with so many bits for each cohort: Python adds it at once.
_BITS = 64


@dataclass(frozen=True)
class Counted:
    """The vehicles of a phase by state: all of them, and without excluded cohorts what guards count, in all
    windows and in the present one, also by the telling cohorts that have a bad vehicle."""

    everybody: Tally = field(default_factory=Tally)
    ever: Tally = field(default_factory=Tally)
    window: Tally = field(default_factory=Tally)
    cohorts: Mapping[Cohort, Tally] = field(default_factory=dict)


@dataclass(frozen=True)
class Members:
    """The telling cohorts in their order, the more telling first; and of each configuration its place, and at
    that the number that has one vehicle in each of its cohorts, if it is counted."""

    cohorts: tuple[Cohort, ...]
    places: Mapping[int, int]
    numbers: Sequence[int | None]

    def by_cohort(self, number: int) -> tuple[int, ...]:
        """The vehicles of each cohort in a sum of such numbers."""
        many = len(self.cohorts)
        return struct.unpack(f"<{many}Q", number.to_bytes(many * _BITS // 8, "little"))


@dataclass(frozen=True, slots=True)
class _InState:
    """The vehicles of a phase in one state: what the configurations have by their place, in all and in this
    window, and the sums of that. Arrays are copied at once, where a dictionary touches all that is in it."""

    vehicles: "array[int]"
    new: "array[int]"
    everybody: int = 0
    ever: int = 0
    window: int = 0
    cohorts: int = 0

    @classmethod
    def empty(cls, members: Members) -> "_InState":
        nothing = array("q", bytes(8 * len(members.numbers)))
        return cls(nothing, nothing)

    def after(self, members: Members, *columns: Sequence[int]) -> "_InState":
        """The same with what some configurations have now."""
        all_vehicles, all_new = self.vehicles[:], self.new[:]
        everybody, ever, window, cohorts = self.everybody, self.ever, self.window, self.cohorts
        for configuration, vehicles, new in zip(*columns, strict=True):
            place = members.places[configuration]
            step, new_step = vehicles - all_vehicles[place], new - all_new[place]
            all_vehicles[place], all_new[place] = vehicles, new
            everybody += step
            number = members.numbers[place]
            if number is not None:
                ever += step
                window += new_step
                cohorts += new_step * number
        return _InState(all_vehicles, all_new, everybody, ever, window, cohorts)


#: The vehicles of a phase as they are in the tally, by state.
Vehicles = Mapping[Target, _InState]


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
        rows = connection.exec_driver_sql(_MEMBERS, {"id": campaign_id}).fetchall()
        texts = {text: Cohort.read(text) for text in {each for _, mine in rows for each in mine or ()}}
        cohorts = sorted(texts.values(), key=lambda cohort: cohort.place)
        one = {cohort: 1 << place * _BITS for place, cohort in enumerate(cohorts)}
        numbers = [None if mine is None else sum(one[texts[text]] for text in mine) for _, mine in rows]
        places = {configuration: place for place, (configuration, _) in enumerate(rows)}
        memory.latest = latest = (of, Members(tuple(cohorts), places, numbers))
    return latest[1]


def changed(connection: Connection, key: Mapping[str, Any]) -> Mapping[int, Mapping[Target, Sequence[Any]]]:
    """What has changed in the tally, by phase and state."""
    found: dict[int, dict[Target, Sequence[Any]]] = defaultdict(dict)
    for phase, state, *columns in connection.exec_driver_sql(_ROWS, key).fetchall():
        found[phase][Target(state)] = columns
    return found


def after(before: Vehicles, members: Members, changes: Mapping[Target, Sequence[Any]]) -> Vehicles:
    """The vehicles of a phase with what has changed since."""
    nothing = _InState.empty(members)
    new = {state: before.get(state, nothing).after(members, *each) for state, each in changes.items()}
    return {**before, **new}


def counted(members: Members, vehicles: Vehicles) -> Counted:
    """The sums of a phase."""
    guarded = {state: each for state, each in vehicles.items() if state in COUNTED}
    return Counted(
        _tally({state: each.everybody for state, each in vehicles.items()}),
        _tally({state: each.ever for state, each in guarded.items()}),
        _tally({state: each.window for state, each in guarded.items()}),
        _bad_cohorts(members, {state: members.by_cohort(each.cohorts) for state, each in guarded.items()}),
    )


def _bad_cohorts(members: Members, sums: Mapping[Target, Sequence[int]]) -> dict[Cohort, Tally]:
    found = {}
    for cohort, *vehicles in zip(members.cohorts, *sums.values(), strict=True):
        by_state = {state: number for state, number in zip(sums, vehicles, strict=True) if number}
        if not _BAD.isdisjoint(by_state):
            found[cohort] = Tally.model_construct(by_state=by_state)
    return found


def _tally(by_state: Mapping[Target, int]) -> Tally:
    return Tally.model_construct(
        by_state={state: vehicles for state, vehicles in by_state.items() if vehicles}
    )

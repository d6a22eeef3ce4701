"""The vehicles of phases by state and by cohort, added up in this process.

A phase has thousands of rows in the tally, each of a configuration in half a dozen cohorts. To group them by
text would be most of what a tick costs the database; here they are additions of small numbers. In which
cohorts a configuration is never changes, and is remembered.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection

from campaign.assignment import FAILURES, Tally, Target
from campaign.cohorts import Cohort
from store.evidence import COUNTED

#: Which configurations are counted, in which of the telling cohorts. Frozen with the selection, but for those
#: that are left out.
_MEMBERS = """
SELECT f.id, ARRAY(SELECT unnest(f.cohorts) INTERSECT SELECT unnest(c.cohorts))
FROM configuration AS f JOIN campaign AS c ON c.id = f.campaign_id
WHERE f.campaign_id = %(id)s AND NOT f.excluded
"""

#: Vehicles of phases by state and configuration, in all and in this window.
_ROWS = """
SELECT t.phase, t.state, array_agg(t.configuration_id), array_agg(t.vehicles),
       array_agg(t.vehicles - t.acknowledged)
FROM tally AS t
WHERE t.campaign_id = %(id)s AND t.phase = ANY(%(phases)s) AND t.vehicles > 0 GROUP BY t.phase, t.state
"""

_BAD = FAILURES | {Target.STALLED}


@dataclass(frozen=True)
class Counted:
    """The vehicles of a phase by state: all of them, and without excluded cohorts what guards count, in all
    windows and in the present one, also by the telling cohorts that have a bad vehicle."""

    everybody: Tally = field(default_factory=Tally)
    ever: Tally = field(default_factory=Tally)
    window: Tally = field(default_factory=Tally)
    cohorts: Mapping[Cohort, Tally] = field(default_factory=dict)


@dataclass(frozen=True)
class _Members:
    """The telling cohorts in their order, the more telling first, and the places in it by configuration."""

    cohorts: tuple[Cohort, ...]
    places: Mapping[int, tuple[int, ...]]


class _Memory:
    """The members of a campaign that this process has read last, with the selection they are of."""

    latest: tuple[object, _Members] | None = None


@lru_cache(maxsize=64)
def _memory(campaign_id: int) -> _Memory:
    return _Memory()


def count(connection: Connection, campaign_id: int, phases: Sequence[int], of: object) -> dict[int, Counted]:
    """Count the vehicles of some phases.

    Args:
        of: another one wherever the campaign was selected anew, or other cohorts are left out.
    """
    members = _members(connection, campaign_id, of)
    key = {"id": campaign_id, "phases": list(phases)}
    states: dict[int, dict[Target, Sequence[Any]]] = defaultdict(dict)
    for phase, state, *columns in connection.exec_driver_sql(_ROWS, key).fetchall():
        states[phase][Target(state)] = columns
    return {phase: _counted(members, states.get(phase, {})) for phase in phases}


def _members(connection: Connection, campaign_id: int, of: object) -> _Members:
    memory = _memory(campaign_id)
    latest = memory.latest
    if latest is None or latest[0] != of:
        rows = connection.exec_driver_sql(_MEMBERS, {"id": campaign_id}).fetchall()
        texts = {text: Cohort.read(text) for text in {each for _, mine in rows for each in mine}}
        cohorts = sorted(texts.values(), key=lambda cohort: cohort.place)
        places = {cohort: place for place, cohort in enumerate(cohorts)}
        found = {number: tuple(places[texts[text]] for text in mine) for number, mine in rows}
        memory.latest = latest = (of, _Members(tuple(cohorts), found))
    return latest[1]


def _counted(members: _Members, states: Mapping[Target, Sequence[Any]]) -> Counted:
    everybody: dict[Target, int] = {}
    ever: dict[Target, int] = {}
    window: dict[Target, int] = {}
    sums: dict[Target, list[int]] = {}
    places = members.places
    for state, (configurations, vehicles, new) in states.items():
        everybody[state] = sum(vehicles)
        if state not in COUNTED:
            continue
        mine = [each for each in zip(configurations, vehicles, new, strict=True) if each[0] in places]
        if mine:
            ever[state] = sum(each[1] for each in mine)
        sums[state] = by_place = [0] * len(members.cohorts)
        for configuration, _, number in mine:
            for place in places[configuration]:
                by_place[place] += number
        if here := sum(each[2] for each in mine):
            window[state] = here
    return Counted(_tally(everybody), _tally(ever), _tally(window), _bad_cohorts(members, sums))


def _bad_cohorts(members: _Members, sums: Mapping[Target, Sequence[int]]) -> dict[Cohort, Tally]:
    bad = [sums[state] for state in _BAD if state in sums]
    return {
        cohort: _tally({state: by_place[place] for state, by_place in sums.items() if by_place[place]})
        for place, cohort in enumerate(members.cohorts)
        if any(by_place[place] for by_place in bad)
    }


def _tally(by_state: dict[Target, int]) -> Tally:
    return Tally.model_construct(by_state=by_state)

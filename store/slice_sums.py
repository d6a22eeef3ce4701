"""Those who began to install, by when they began: slices of time that are judged together, and what the brake
knows. Two weeks have thousands of slices, so only those that have changed are added (store/changed.py)."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from campaign.assignment import Tally, Target
from campaign.brake import Matured
from campaign.judgement import SLICES_JUDGED_TOGETHER
from store.changed import CHANGED_SQL
from store.evidence import BEGUN_SQL, LATEST_SQL, SLICE_SQL

#: Of slices: when they and the stretch they are judged in began, in microseconds of the window.
_ROWS = f"""
WITH changed AS MATERIALIZED (
    SELECT s.phase, s.began, s.state, s.vehicles FROM slice AS s
    WHERE s.campaign_id = %(id)s AND s.phase = ANY(%(phases)s) AND {CHANGED_SQL.format(row="s")}
), ring AS MATERIALIZED (
    SELECT p.number AS phase, {SLICE_SQL} * {SLICES_JUDGED_TOGETHER} AS length, c.window_began_at
    FROM phase AS p JOIN campaign AS c ON c.id = p.campaign_id
    WHERE c.id = %(id)s AND p.number = ANY(%(phases)s)
)
SELECT phase, state,
       array_agg((extract(epoch FROM began - window_began_at) * 1000000)::bigint),
       array_agg((extract(epoch FROM date_bin(length, began, window_began_at) - window_began_at)
                  * 1000000)::bigint),
       array_agg(vehicles)
FROM changed JOIN ring USING (phase) WHERE began >= window_began_at AND state IN {BEGUN_SQL}
GROUP BY phase, state
"""

#: Who has not failed and may have had no time to report: as slices mature in their order, all up to the latest
#: have.
_YOUNG = f"""
SELECT p.number, sum(s.vehicles)::int, coalesce(sum(s.vehicles) FILTER (WHERE s.state = 'succeeded'), 0)::int
FROM phase AS p JOIN campaign AS c ON c.id = p.campaign_id
JOIN slice AS s ON s.campaign_id = p.campaign_id AND s.phase = p.number
WHERE c.id = %(id)s AND p.number = ANY(%(phases)s) AND s.began >= c.window_began_at
  AND s.began > {LATEST_SQL} AND s.state IN ('installing', 'succeeded')
GROUP BY p.number
"""


_NONE = Tally()


@dataclass(frozen=True, slots=True)
class Slices:
    """The vehicles of a phase that began in this window: by the beginning of their slice and state, by that of
    their stretch, and all of them."""

    rows: Mapping[tuple[int, Target], int] = field(default_factory=dict)
    stretches: Mapping[int, Tally] = field(default_factory=dict)
    begun: Tally = field(default_factory=Tally)

    def after(self, changes: Mapping[Target, Sequence[Any]]) -> "Slices":
        """The same with what some slices have now."""
        rows = dict(self.rows)
        steps: dict[int, dict[Target, int]] = defaultdict(lambda: defaultdict(int))
        all_steps: dict[Target, int] = defaultdict(int)
        for state, columns in changes.items():
            for began, stretch, vehicles in zip(*columns, strict=True):
                step = vehicles - rows.get((began, state), 0)
                rows[began, state] = vehicles
                steps[stretch][state] += step
                all_steps[state] += step
        moved = {stretch: _moved(self.stretches.get(stretch, _NONE), mine) for stretch, mine in steps.items()}
        return Slices(rows, {**self.stretches, **moved}, _moved(self.begun, all_steps))

    def in_order(self) -> tuple[Tally, ...]:
        """The stretches in the order in which their vehicles began."""
        return tuple(tally for _, tally in sorted(self.stretches.items()) if tally.by_state)

    def braking(self, young: tuple[int, int]) -> Matured:
        """For the brake, which counts who had time to report or has failed, and of them who failed or is still
        quiet.

        Args:
            young: how many have not failed and may have had no time to report, and how many of them
                turned out well.
        """
        known = self.begun.size - young[0]
        well = self.begun.by_state.get(Target.SUCCEEDED, 0) - young[1]
        return Matured(vehicles=known, bad=known - well)


def _moved(tally: Tally, steps: Mapping[Target, int]) -> Tally:
    by_state = dict(tally.by_state)
    for state, step in steps.items():
        by_state[state] = by_state.get(state, 0) + step
    return Tally.model_construct(by_state={state: vehicles for state, vehicles in by_state.items() if vehicles})


def changed(connection: Connection, key: Mapping[str, Any]) -> Mapping[int, Mapping[Target, Sequence[Any]]]:
    """What has changed in the slices of some phases, by phase and state."""
    found: dict[int, dict[Target, Sequence[Any]]] = defaultdict(dict)
    for phase, state, *columns in connection.exec_driver_sql(_ROWS, key).fetchall():
        found[phase][Target(state)] = columns
    return found


def young(connection: Connection, key: Mapping[str, Any]) -> Mapping[int, tuple[int, int]]:
    """Who may have had no time to report, as ``Slices.braking`` asks for it, by phase."""
    rows = connection.exec_driver_sql(_YOUNG, key).fetchall()
    return {phase: (vehicles, well) for phase, vehicles, well in rows}

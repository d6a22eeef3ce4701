"""Those who began to install, by when they began: slices of time that are judged together, and what the brake
knows. Two weeks have thousands of slices, so only those that have changed are added (store/changed.py)."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from campaign.assignment import HARMED, NO_VEHICLE, Tally, Target
from campaign.brake import Matured
from campaign.judgement import SLICES_JUDGED_TOGETHER
from store.changed import CHANGED_SQL
from store.evidence import BEGUN_SQL, SLICE_SQL

#: Of slices: how long the stretches are that they are judged in, and when they began, in microseconds of the
#: window. date_part gives a float, exact here, and extract a numeric, which takes several times as long.
_ROWS = f"""
WITH changed AS MATERIALIZED (
    SELECT s.phase, s.began, s.state, s.vehicles FROM slice AS s
    WHERE s.campaign_id = %(id)s AND {CHANGED_SQL.format(row="s")}
), ring AS MATERIALIZED (
    SELECT p.number AS phase, {SLICE_SQL} * {SLICES_JUDGED_TOGETHER} AS length, c.window_began_at
    FROM phase AS p JOIN campaign AS c ON c.id = p.campaign_id
    WHERE c.id = %(id)s
)
SELECT phase, state, (date_part('epoch', length) * 1000000)::bigint,
       array_agg((date_part('epoch', began - window_began_at) * 1000000)::bigint), array_agg(vehicles)
FROM changed JOIN ring USING (phase) WHERE began >= window_began_at AND state IN {BEGUN_SQL}
GROUP BY phase, state, length
"""


#: The vehicles of slices, by the beginning of a slice and by state.
_Rows = Mapping[tuple[int, Target], int]


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Slices that are judged together, and all of their vehicles."""

    rows: _Rows = field(default_factory=dict)
    tally: Tally = NO_VEHICLE


@dataclass(frozen=True, slots=True)
class Slices:
    """The vehicles of a phase that began in this window: all of them, and the stretches by their beginning,
    in their order and without empty ones."""

    stretches: dict[int, _Stretch] = field(default_factory=dict)
    begun: Tally = NO_VEHICLE

    def after(self, columns: Mapping[Target, Sequence[Any]]) -> "Slices":
        """The same with what some slices have now."""
        changes: dict[int, dict[tuple[int, Target], int]] = defaultdict(dict)
        for state, (length, *each) in columns.items():
            for began, vehicles in zip(*each, strict=True):
                changes[began - began % length][began, state] = vehicles
        stretches = dict(self.stretches)
        all_steps: dict[Target, int] = defaultdict(int)
        for began, rows in changes.items():
            before = stretches.get(began, _Stretch())
            steps = _steps(before.rows, rows)
            tally = _moved(before.tally, steps)
            if tally.by_state:
                stretches[began] = _Stretch({**before.rows, **rows}, tally)
            else:
                stretches.pop(began, None)
            for state, step in steps.items():
                all_steps[state] += step
        return Slices({began: stretches[began] for began in sorted(stretches)}, _moved(self.begun, all_steps))

    def in_order(self) -> tuple[Tally, ...]:
        """The stretches in the order in which their vehicles began."""
        return tuple(each.tally for each in self.stretches.values())

    def braking(self, latest: int) -> Matured:
        """For the brake, which counts who had time to report or has failed, and of them who failed or is
        still quiet.

        Args:
            latest: the slice that matured last. As they mature in their order, all up to it have.
        """
        known, well = self.begun.size, self.begun.by_state.get(Target.SUCCEEDED, 0)
        for began, stretch in reversed(self.stretches.items()):
            for (slice_began, state), vehicles in stretch.rows.items():
                if slice_began > latest and state not in HARMED:
                    known -= vehicles
                    well -= vehicles if state is Target.SUCCEEDED else 0
            if began <= latest:
                break
        return Matured(vehicles=known, bad=known - well)


def _steps(before: _Rows, now: _Rows) -> Mapping[Target, int]:
    steps: dict[Target, int] = defaultdict(int)
    for key, vehicles in now.items():
        steps[key[1]] += vehicles - before.get(key, 0)
    return steps


def _moved(tally: Tally, steps: Mapping[Target, int]) -> Tally:
    by_state = dict(tally.by_state)
    for state, step in steps.items():
        by_state[state] = by_state.get(state, 0) + step
    return Tally.model_construct(
        by_state={state: vehicles for state, vehicles in by_state.items() if vehicles}
    )


def changed(connection: Connection, key: Mapping[str, Any]) -> Mapping[int, Mapping[Target, Sequence[Any]]]:
    """What has changed in the slices, by phase and state."""
    found: dict[int, dict[Target, Sequence[Any]]] = defaultdict(dict)
    for phase, state, *columns in connection.exec_driver_sql(_ROWS, key).fetchall():
        found[phase][Target(state)] = columns
    return found

"""The phases of one campaign with all that is known of them and what their guards say.

To count thousands of rows at every tick would take most of its time, and most phases have not changed since
the last one. So what was counted is remembered in this process until the phase has another edition of its
counts (store/tables.py), or its guards, its window or who is left out have changed. The next count goes on
from it (store/changed.py).
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row

from campaign.assignment import Tally, Target
from campaign.brake import Matured
from campaign.cohorts import Cohort
from campaign.judgement import SLICES_JUDGED_TOGETHER, Evidence, headline, judge
from campaign.metrics import CLOCKED
from campaign.parts import NO_PARTS, Parts
from campaign.verdict import Status, Verdict
from store.changed import HORIZON_SQL, NOTHING_SEEN, SERVER_SQL, SETTLED_SQL, goes_on
from store.evidence import (
    BY_COHORT_SQL,
    GUARDED_COLUMNS_SQL,
    QUIET_DOWNLOADS_SQL,
    QUIET_SQL,
    SLICE_SQL,
    by_cohort,
    quiet,
)
from store.guarded import Guarded
from store.members import SELECTION_SQL
from store.packed import NEVER, microseconds
from store.slice_sums import Slices
from store.sums import Rows, Sums, count


def phases_sql(*more: str) -> str:
    """The phases ``p`` of a campaign ``c`` by number, with what ``judged`` wants to know of them and then
    more columns: a tick asks once for all it wants."""
    # All that counts and verdicts of a phase depend on comes first, then what only a clock changes.
    return f"""
SELECT {GUARDED_COLUMNS_SQL}, e.id, c.window_began_at, p.overdue_after,
       {SLICE_SQL} * {SLICES_JUDGED_TOGETHER} AS stretch,
       {SELECTION_SQL}, {SERVER_SQL},
       {QUIET_DOWNLOADS_SQL}, {HORIZON_SQL}, {SETTLED_SQL.format(row="e")} AS settled,
       {", ".join(("e.matured", *more))}
FROM phase AS p JOIN campaign AS c ON c.id = p.campaign_id
LEFT JOIN edition AS e ON e.campaign_id = p.campaign_id AND e.phase = p.number
WHERE p.campaign_id = %(id)s ORDER BY p.number
"""


_PHASES = phases_sql()
_GUARDED = slice(7)
_EDITION = 7
_SELECTION = slice(11, 13)
#: What rows that were added up depend on, beside their edition.
_COUNTED = slice(8, 14)
_DEPENDS_ON = slice(14)
_QUIET_DOWNLOADS, _HORIZON, _SETTLED, _MATURED = 14, 15, 16, 17


@dataclass(frozen=True)
class Judged:
    """A phase, what is counted of it, its evidence, the verdicts on it and the one to show where there is
    room for one; ``quiet_downloads`` have said nothing for as long as an overdue installation."""

    guarded: Guarded
    sums: Sums
    evidence: Evidence
    verdicts: tuple[Verdict, ...]
    headline: Verdict
    quiet_downloads: int = 0

    @property
    def tally(self) -> Tally:
        """All vehicles of the phase, whatever the window and whoever is left out."""
        return self.sums.counted.everybody

    @property
    def braking(self) -> Matured:
        """What the brake knows. A download that went quiet may be an installation that nobody told of."""
        quiet = self.quiet_downloads + self.sums.counted.window.by_state.get(Target.STALLED, 0)
        return self.sums.braking + Matured(vehicles=quiet, bad=quiet)


@dataclass(frozen=True)
class _Base:
    """What a count can go on from: rows of a phase as they were at a horizon."""

    of: tuple[Any, ...]
    edition: Any
    horizon: int
    rows: Rows


class _Memory:
    """The latest of one phase that this process has found, with what it depended on, and what the next count
    goes on from: not from what a transaction has changed itself, which may be rolled back."""

    latest: tuple[tuple[Any, ...], Judged] | None = None
    base: _Base | None = None


@lru_cache(maxsize=256)
def memory(campaign_id: int, phase: int) -> _Memory:
    """Where the latest of a phase is remembered; it has some hundred kilobytes at the most."""
    return _Memory()


def _remembered(row: Sequence[Any]) -> Judged | None:
    """What was found when all that it depends on was as it is in a row of ``phases_sql``."""
    latest = memory(*row[:2]).latest
    return latest[1] if latest is not None and latest[0] == tuple(row[_DEPENDS_ON]) else None


def _remember(row: Sequence[Any], found: Judged) -> None:
    """Keep it for the next tick. A phase without an edition has never had a vehicle."""
    if row[_EDITION] is not None:
        memory(*row[:2]).latest = (tuple(row[_DEPENDS_ON]), found)


def _base(row: Sequence[Any]) -> _Base | None:
    """What the next count of a phase goes on from, up to now where nothing has changed."""
    mine = memory(*row[:2])
    base = mine.base
    if base is None or base.of != tuple(row[_COUNTED]) or not goes_on(base.horizon, row[_HORIZON]):
        return None
    if base.edition == row[_EDITION]:
        mine.base = base = replace(base, horizon=row[_HORIZON])
    return base


def _not_over(phase: int, tally: Tally) -> bool:
    return False


def judged(
    connection: Connection,
    campaign_id: int,
    complete: Callable[[int, Tally], bool] = _not_over,
    phases: Sequence[Row[Any]] | None = None,
) -> list[Judged]:
    """Judge every phase, by number, by what has matured.

    Args:
        complete: whether nobody of a phase with this tally is under way any more.
        phases: rows of ``phases_sql`` that are still true.
    """
    rows = phases
    if rows is None:
        rows = connection.exec_driver_sql(_PHASES, {"id": campaign_id}).fetchall()
    known = {row.number: _remembered(row) for row in rows}
    bases = {row.number: _base(row) for row in rows}
    new = [row for row in rows if known[row.number] is None]
    sums = _count(connection, campaign_id, new, [bases[row.number] for row in new]) if new else {}
    found = []
    for row in rows:
        before = known[row.number]
        mine = before.sums if before is not None else sums[row.number]
        over = complete(row.number, mine.counted.everybody)
        if before is None or before.evidence.complete is not over:
            before = _judge(Guarded.from_row(row[_GUARDED]), mine, complete=over)
            _remember(row, before)
        found.append(replace(before, quiet_downloads=row[_QUIET_DOWNLOADS]))
    if any(_silent(each) for each in found):
        found = _with_quiet(connection, campaign_id, found)
    return found


def _no_rows(row: Row[Any]) -> Rows:
    began = row.window_began_at
    window_began = microseconds(began) if began is not None else NEVER
    return Rows(Slices(window_began, row.stretch // timedelta(microseconds=1)))


def _count(
    connection: Connection, campaign_id: int, phases: Sequence[Any], bases: Sequence[_Base | None]
) -> dict[int, Sums]:
    """Count the vehicles of some phases, from where the oldest of their last counts has ended."""
    before = {
        row.number: base.rows if base else _no_rows(row) for row, base in zip(phases, bases, strict=True)
    }
    matured = {row.number: row[_MATURED] for row in phases}
    since = min(base.horizon if base else NOTHING_SEEN for base in bases)
    found = count(connection, campaign_id, tuple(phases[0][_SELECTION]), before, matured, since)
    for row in phases:
        if row[_SETTLED]:
            base = _Base(tuple(row[_COUNTED]), row[_EDITION], row[_HORIZON], found[row.number][0])
            memory(*row[:2]).base = base
    return {phase: sums for phase, (_, sums) in found.items()}


def _by_cohort(
    connection: Connection, key: dict[str, Any], cohorts: Collection[str]
) -> dict[int, Parts[Cohort]]:
    asked = {**key, "cohorts": sorted(cohorts)}
    return by_cohort(connection.exec_driver_sql(BY_COHORT_SQL, asked).fetchall()) if cohorts else {}


def _judge(guarded: Guarded, sums: Sums, *, complete: bool) -> Judged:
    evidence = Evidence(
        size=guarded.size,
        complete=complete,
        tally=sums.counted.window,
        ever=sums.counted.ever,
        overdue=sums.overdue,
        stretches=sums.stretches,
        cohorts=sums.counted.cohorts,
        telling=guarded.telling,
    )
    verdicts = judge(guarded.guards, evidence)
    return Judged(guarded, sums, evidence, verdicts, headline(guarded.guards, verdicts))


def _silent(each: Judged) -> bool:
    """Whether a guard that watches silence is breached."""
    names = {guard.name for guard in each.guarded.guards if guard.metric in CLOCKED}
    return any(verdict.guard in names and verdict.status is Status.BREACH for verdict in each.verdicts)


def _with_quiet(connection: Connection, campaign_id: int, found: list[Judged]) -> list[Judged]:
    """The same, with who is overdue by cohort: only a breach of silence asks whose it is."""
    key: dict[str, Any] = {"id": campaign_id, "phases": [each.guarded.phase for each in found]}
    overdue_now, totals = quiet(connection.exec_driver_sql(QUIET_SQL, key).fetchall())
    bad = {cohort for each in found for cohort in each.sums.counted.cohorts.names}
    late = {cohort for mine in overdue_now.values() for cohort in mine}
    cohorts = _by_cohort(connection, key, {str(cohort) for cohort in bad | late})
    return [
        replace(
            each,
            evidence=replace(
                each.evidence,
                cohorts=cohorts.get(each.guarded.phase, NO_PARTS),
                quiet=overdue_now.get(each.guarded.phase, {}),
                quiet_total=totals.get(each.guarded.phase, 0),
            ),
        )
        for each in found
    ]

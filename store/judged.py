"""The phases of one campaign with all that is known of them and what their guards say.

To count thousands of rows at every tick would take most of its time, and most phases have not changed since
the last one. So what was counted is remembered in this process until the phase has another edition of its
counts (store/tables.py), or its guards, its window or who is left out have changed.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection

from campaign.assignment import Tally, Target
from campaign.brake import Matured
from campaign.cohorts import Cohort
from campaign.judgement import Evidence, headline, judge
from campaign.metrics import CLOCKED, Overdue
from campaign.verdict import Status, Verdict
from store import cohort_sums
from store.cohort_sums import Counted
from store.evidence import (
    BY_COHORT_SQL,
    GUARDED_COLUMNS_SQL,
    OVERDUE_SQL,
    QUIET_DOWNLOADS_SQL,
    QUIET_SQL,
    STRETCHES_SQL,
    by_cohort,
    overdue,
    quiet,
    stretches,
)
from store.guarded import Guarded

#: All that counts and verdicts of a phase depend on comes first, then what only a clock changes.
_PHASES = f"""
SELECT {GUARDED_COLUMNS_SQL}, e.id, c.window_began_at, p.overdue_after, c.selected_at,
       array_to_string(c.excluded, '; '),
       {QUIET_DOWNLOADS_SQL}
FROM phase AS p JOIN campaign AS c ON c.id = p.campaign_id
LEFT JOIN edition AS e ON e.campaign_id = p.campaign_id AND e.phase = p.number
WHERE p.campaign_id = %(id)s ORDER BY p.number
"""
_GUARDED = slice(7)
_EDITION = 7
_SELECTION = slice(10, 12)
_DEPENDS_ON = slice(12)


@dataclass(frozen=True)
class Sums:
    """What is counted of a phase; ``braking`` is what the brake knows of installations."""

    counted: Counted = field(default_factory=Counted)
    overdue: Overdue = field(default_factory=Overdue)
    stretches: tuple[Tally, ...] = ()
    braking: Matured = field(default_factory=Matured)


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


class _Memory:
    """The latest of one phase that this process has found, with what it depended on."""

    latest: tuple[tuple[Any, ...], Judged] | None = None


@lru_cache(maxsize=256)
def memory(campaign_id: int, phase: int) -> _Memory:
    """Where the latest of a phase is remembered; it has some hundred kilobytes at the most."""
    return _Memory()


def _remembered(row: Sequence[Any]) -> Judged | None:
    """What was found when all that it depends on was as it is in a row of ``_PHASES``."""
    latest = memory(*row[:2]).latest
    return latest[1] if latest is not None and latest[0] == tuple(row[_DEPENDS_ON]) else None


def _remember(row: Sequence[Any], found: Judged) -> None:
    """Keep it for the next tick. A phase without an edition has never had a vehicle."""
    if row[_EDITION] is not None:
        memory(*row[:2]).latest = (tuple(row[_DEPENDS_ON]), found)


def _not_over(phase: int, tally: Tally) -> bool:
    return False


def judged(
    connection: Connection, campaign_id: int, complete: Callable[[int, Tally], bool] = _not_over
) -> list[Judged]:
    """Judge every phase, by number, by what has matured.

    Args:
        complete: whether nobody of a phase with this tally is under way any more.
    """
    rows = connection.exec_driver_sql(_PHASES, {"id": campaign_id}).fetchall()
    known = {row.number: _remembered(row) for row in rows}
    new = [number for number, before in known.items() if before is None]
    sums = _count(connection, campaign_id, new, tuple(rows[0][_SELECTION])) if new else {}
    found = []
    for row in rows:
        before = known[row.number]
        mine = before.sums if before is not None else sums[row.number]
        over = complete(row.number, mine.counted.everybody)
        if before is None or before.evidence.complete is not over:
            before = _judge(Guarded.from_row(row[_GUARDED]), mine, complete=over)
            _remember(row, before)
        found.append(replace(before, quiet_downloads=row[-1]))
    if any(_silent(each) for each in found):
        found = _with_quiet(connection, campaign_id, found)
    return found


def _count(connection: Connection, campaign_id: int, phases: list[int], of: object) -> dict[int, Sums]:
    """Count the vehicles of some phases."""
    key: dict[str, Any] = {"id": campaign_id, "phases": phases}
    counts = cohort_sums.count(connection, campaign_id, phases, of)
    late = overdue(connection.exec_driver_sql(OVERDUE_SQL, key).fetchall())
    parts, braking = stretches(connection.exec_driver_sql(STRETCHES_SQL, key).fetchall())
    return {
        number: Sums(
            counted=counts[number],
            overdue=late.get(number, Overdue()),
            stretches=parts.get(number, ()),
            braking=braking.get(number, Matured()),
        )
        for number in phases
    }


def _by_cohort(
    connection: Connection, key: dict[str, Any], cohorts: Collection[str]
) -> dict[int, dict[Cohort, Tally]]:
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
    bad = {cohort for each in found for cohort in each.sums.counted.cohorts}
    late = {cohort for mine in overdue_now.values() for cohort in mine}
    cohorts = _by_cohort(connection, key, {str(cohort) for cohort in bad | late})
    return [
        replace(
            each,
            evidence=replace(
                each.evidence,
                cohorts=cohorts.get(each.guarded.phase, {}),
                quiet=overdue_now.get(each.guarded.phase, {}),
                quiet_total=totals.get(each.guarded.phase, 0),
            ),
        )
        for each in found
    ]

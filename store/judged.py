"""The phases of one campaign with all that is known of them and what their guards say."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from campaign.assignment import Tally
from campaign.judgement import Evidence, headline, judge
from campaign.metrics import CLOCKED, Overdue
from campaign.verdict import Status, Verdict
from store.evidence import (
    BAD_COHORTS_SQL,
    BY_COHORT_SQL,
    COUNTED_SQL,
    MATURE_SQL,
    OVERDUE_SQL,
    QUIET_SQL,
    STRETCHES_SQL,
    by_cohort,
    counted,
    overdue,
    quiet,
    stretches,
)
from store.guarded import GUARDED_SQL, Guarded


@dataclass(frozen=True)
class Judged:
    """A phase, its evidence and the verdicts on it."""

    guarded: Guarded
    evidence: Evidence
    verdicts: tuple[Verdict, ...]

    @property
    def headline(self) -> Verdict:
        """The verdict to show where there is room for one."""
        return headline(self.guarded.guards, self.verdicts)


def judged(
    connection: Connection, campaign_id: int, complete: Mapping[int, bool] | None = None
) -> list[Judged]:
    """Judge every phase, by number.

    Args:
        complete: the phases in which nobody is under way any more.
    """
    key = {"id": campaign_id}
    connection.exec_driver_sql(MATURE_SQL, key)
    counts, ever = counted(connection.exec_driver_sql(COUNTED_SQL, key).fetchall())
    bad = list(connection.exec_driver_sql(BAD_COHORTS_SQL, key).scalars())
    cohorts = by_cohort(connection.exec_driver_sql(BY_COHORT_SQL, {**key, "cohorts": bad}).fetchall())
    late = overdue(connection.exec_driver_sql(OVERDUE_SQL, key).fetchall())
    parts = stretches(connection.exec_driver_sql(STRETCHES_SQL, key).fetchall())
    found = []
    for guarded in _guarded(connection, campaign_id):
        number = guarded.phase
        over = bool(complete and complete.get(number))
        known = Evidence(
            size=guarded.size,
            complete=over,
            tally=counts.get(number, Tally()),
            ever=ever.get(number, Tally()),
            overdue=late.get(number, Overdue()),
            stretches=parts.get(number, ()),
            cohorts=cohorts.get(number, {}),
            telling=guarded.telling,
        )
        found.append(Judged(guarded, known, judge(guarded.guards, known)))
    if any(_silent(each) for each in found):
        found = _with_quiet(connection, campaign_id, bad, found)
    return found


def _guarded(connection: Connection, campaign_id: int) -> list[Guarded]:
    rows = connection.exec_driver_sql(GUARDED_SQL, {"id": campaign_id}).fetchall()
    return [Guarded.from_row(row) for row in rows]


def _silent(each: Judged) -> bool:
    """Whether a guard that watches silence is breached."""
    names = {guard.name for guard in each.guarded.guards if guard.metric in CLOCKED}
    return any(verdict.guard in names and verdict.status is Status.BREACH for verdict in each.verdicts)


def _with_quiet(
    connection: Connection, campaign_id: int, bad: list[str], found: list[Judged]
) -> list[Judged]:
    """The same, with who is overdue by cohort: only a breach of silence asks whose it is."""
    key = {"id": campaign_id}
    overdue_now, totals = quiet(connection.exec_driver_sql(QUIET_SQL, key).fetchall())
    asked = sorted({*bad, *(str(cohort) for mine in overdue_now.values() for cohort in mine)})
    cohorts = by_cohort(connection.exec_driver_sql(BY_COHORT_SQL, {**key, "cohorts": asked}).fetchall())
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

"""The stop by a report: phases are judged, and gates shut, in the transaction that records a failure."""

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from campaign.assignment import Tally
from campaign.cohorts import Cohort
from campaign.judgement import Evidence
from campaign.metrics import total
from campaign.parts import NO_PARTS, Parts
from store.evidence import (
    BAD_COHORTS_SQL,
    BY_COHORT_SQL,
    COUNTED_SQL,
    JUDGED_SQL,
    by_cohort,
    counted,
    whole_and_cohorts,
)
from store.guarded import CLOSE_SQL, Guarded
from store.held import Held
from store.stops import TELL_SQL
from store.tallies import TALLIES_SQL, by_phase

#: A row of ``JUDGED_SQL``.
Counted = tuple[Any, ...]


async def count(connection: AsyncConnection, failed: Sequence[Held]) -> list[Counted]:
    """What the guards of vehicles that have just failed must know, by all that needs no clock.

    A success shuts no gate, and no cohort but theirs looks worse than before.
    """
    asked = []
    for campaign_id in sorted({row.campaign_id for row in failed}):
        mine = [row for row in failed if row.campaign_id == campaign_id]
        phases = sorted({row.phase for row in mine})
        configurations = sorted({row.configuration_id for row in mine})
        key = {"id": campaign_id, "phases": phases, "configurations": configurations}
        asked.append(await connection.execute(JUDGED_SQL, key))
    return [row for answer in asked for row in await answer.fetchall()]


async def close_breached(connection: AsyncConnection, counts: Sequence[Counted]) -> None:
    """Shut the gates of campaigns in which a guard that pauses is breached, if none has been before."""
    for row in counts:
        guarded = Guarded.from_row(row[:7])
        if guarded.trips(_evidence(guarded, *whole_and_cohorts(*row[7:]))):
            await _close(connection, guarded)


async def _close(connection: AsyncConnection, guarded: Guarded) -> None:
    """Shut the gate. Once in a window: now it is worth asking who it is among all cohorts."""
    key: dict[str, Any] = {"id": guarded.campaign_id, "phases": [guarded.phase]}
    # Questions that go together are waited for once: the campaign is locked.
    asked = await connection.execute(COUNTED_SQL, key)
    suspects = await connection.execute(BAD_COHORTS_SQL, key)
    tallies = await connection.execute(TALLIES_SQL, ([guarded.campaign_id],))
    counts = counted(await asked.fetchall())
    bad = [row[0] for row in await suspects.fetchall()]
    everybody = total(by_phase(await tallies.fetchall()).values())
    found = await connection.execute(BY_COHORT_SQL, {**key, "cohorts": bad})
    cohorts = by_cohort(await found.fetchall()).get(guarded.phase, NO_PARTS)
    breach = guarded.breach(_evidence(guarded, counts.get(guarded.phase, Tally()), cohorts), everybody)
    if breach is not None:
        await connection.execute(CLOSE_SQL, (Jsonb(breach.model_dump(mode="json")), guarded.campaign_id))
        await connection.execute(TELL_SQL, (guarded.campaign_id,))


def _evidence(guarded: Guarded, tally: Tally, cohorts: Parts[Cohort]) -> Evidence:
    return Evidence(size=guarded.size, tally=tally, cohorts=cohorts, telling=guarded.telling)

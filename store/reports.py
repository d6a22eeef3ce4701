"""Recording what vehicles report: states, counters and the stop, in one transaction.

The group takes the lock of the software it may change, reads the assignments, lets the pure rules decide, and
writes the software. Then it takes the lock of its campaigns, if nobody has changed meanwhile what was decided
on, and writes states and log. If a guard of a touched phase is breached the gate is closed here, so that
from this commit on nobody is admitted, without waiting for a worker or for Temporal.

In a `group_transaction` the database is waited for twice, to read and to write, and once more where a guard
may be breached: statements of which none needs the answer of another go to it together. In a group of thirty
the way there and back would cost more than the statements do.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

from psycopg import AsyncConnection
from psycopg.errors import SerializationFailure as Overtaken

from campaign.action import split
from campaign.assignment import Target
from store import breaches, held
from store.ecu_words import claims_success, with_ecus
from store.epoch import EPOCH_SQL
from store.feedback import Channel, Effect, Report
from store.group import group_transaction
from store.held import Held, Key
from store.installed import install, lock_software
from store.outcome import decide
from store.words import LOCK_AS_READ_SQL, json_rows

__all__ = ["Channel", "Effect", "Overtaken", "Report", "record", "record_group"]

#: What a resume has acknowledged stays acknowledged when it is corrected: it leaves the count of its state
#: before the change and enters that of its new state after it. So it hides no new failure and is none.
_ACKNOWLEDGED = """
UPDATE tally AS t SET acknowledged = greatest(t.acknowledged + %s * k.vehicles, 0)
FROM (
    SELECT a.campaign_id, a.phase, a.configuration_id, a.state, count(*)::int AS vehicles
    FROM unnest(%s::int[], %s::int[]) AS corrected (vehicle_id, campaign_id)
    JOIN assignment AS a USING (vehicle_id, campaign_id)
    GROUP BY a.campaign_id, a.phase, a.configuration_id, a.state
) AS k
WHERE t.campaign_id = k.campaign_id AND t.phase = k.phase AND t.configuration_id = k.configuration_id
  AND t.state = k.state
"""

#: How often a group is tried that others overtake each time; few are overtaken once.
_TRIES = 5

#: Reports came before it: whoever had proven himself in this epoch has done so.
_EPOCH = f"SELECT {EPOCH_SQL}"

_LOG = """
INSERT INTO report (
    vehicle_id, campaign_id, attempt, device_at, channel, execution, finished, code, details, effect)
SELECT r.* FROM jsonb_to_recordset(%s) AS r (
    vehicle_id int, campaign_id int, attempt int, device_at timestamptz, channel text, execution text,
    finished text, code int, details text[], effect text)
"""


async def record_group(
    connection: AsyncConnection, reports: Sequence[Report], written: Callable[[], object] = lambda: None
) -> list[Effect]:
    """Record a group of reports in a transaction of its own, which is committed on return.

    Args:
        connection: autocommitting, and in no transaction.
        written: called when only time is left: its last statements are under way. Once for each try.

    Returns:
        One effect per report, in the same order.

    Raises:
        Overtaken: others have changed each time what was decided on; nothing is recorded.
    """
    for _ in range(_TRIES - 1):
        with suppress(Overtaken):
            return await _recorded(connection, reports, written)
    return await _recorded(connection, reports, written)


async def _recorded(
    connection: AsyncConnection, reports: Sequence[Report], written: Callable[[], object]
) -> list[Effect]:
    async with group_transaction(connection):
        effects = await record(connection, reports)
        written()
    return effects


async def record(connection: AsyncConnection, reports: Sequence[Report]) -> list[Effect]:
    """Record a group of reports in their order, in the caller's transaction.

    Returns:
        One effect per report, in the same order.

    Raises, now or later in a pipeline:
        Overtaken: what was decided on has changed; the transaction is to be rolled back, and done again.
    """
    keys: list[Key] = [(report.vehicle_id, split(report.action)[0]) for report in reports]
    begun = await connection.execute(_EPOCH)
    if claiming := sorted({report.vehicle_id for report in reports if claims_success(report)}):
        await lock_software(connection, claiming)
    rows = await held.read(connection, set(keys))
    told = await with_ecus(connection, reports, {key for key, row in rows.items() if row.several})
    epoch = (await begun.fetchall())[0][0]
    decided = [
        decide(rows.get(key), report) if report.known_in in (None, epoch) else (Effect.UNPROVEN, "unproven")
        for key, report in zip(keys, told, strict=True)
    ]
    changed = [row for row in rows.values() if row.heard]
    log = json_rows(list(_log(reports, decided)))
    if installed := [row.key for row in changed if row.moved and row.state is Target.SUCCEEDED]:
        await install(connection, installed)
    if changed:
        await _lock_as_read(connection, changed)
        await _write(connection, changed)
    counts = await breaches.count(connection, changed)
    # The database writes it while the rules judge.
    await connection.execute(_LOG, [log])
    await breaches.close_breached(connection, counts)
    return [effect for effect, _ in decided]


async def _lock_as_read(connection: AsyncConnection, rows: Sequence[Held]) -> None:
    facts = {row.campaign_id: row.facts for row in rows}
    await connection.execute(LOCK_AS_READ_SQL, {"ids": list(facts), "facts": list(facts.values())})


async def _write(connection: AsyncConnection, changed: Sequence[Held]) -> None:
    # Only silence is an outcome that a report corrects.
    corrected = [row for row in changed if row.moved and row.acknowledged and row.was is Target.SILENT]
    await _count_acknowledged(connection, corrected, -1)
    await held.write(connection, changed)
    await _count_acknowledged(connection, corrected, +1)


async def _count_acknowledged(connection: AsyncConnection, corrected: Sequence[Held], step: int) -> None:
    if corrected:
        vehicles = [row.vehicle_id for row in corrected]
        campaigns = [row.campaign_id for row in corrected]
        await connection.execute(_ACKNOWLEDGED, (step, vehicles, campaigns))


def _log(reports: Sequence[Report], decided: Sequence[tuple[Effect, str]]) -> Iterable[dict[str, Any]]:
    for report, (effect, word) in zip(reports, decided, strict=True):
        if effect in (Effect.UNKNOWN, Effect.UNPROVEN):
            continue
        campaign, attempt = split(report.action)
        line: dict[str, Any] = {
            "vehicle_id": report.vehicle_id,
            "campaign_id": campaign,
            "attempt": attempt,
            "channel": report.channel,
            "execution": report.said.execution,
            "finished": report.said.finished,
            "details": report.said.details,
            "effect": word,
        }
        # What is not there is null all the same.
        if report.device_at is not None:
            line["device_at"] = report.device_at.isoformat()
        if report.said.code is not None:
            line["code"] = report.said.code
        yield line

"""Recording what vehicles report: states, counters and the stop, in one transaction.

The group takes the locks of its campaigns, reads the assignments, lets the pure rules decide, and writes
every change with set-based statements. If a guard of a touched phase is breached the gate is closed here, so
that from this commit on nobody is admitted, without waiting for a worker or for Temporal.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from campaign.action import split
from campaign.assignment import (
    FAILURES,
    HARMED,
    OPEN,
    TERMINAL,
    Happening,
    Said,
    Target,
    after,
    meaning,
)
from campaign.deferral import Deferral, DeferralReason, read_deferral
from campaign.metrics import total
from campaign.pace import defer_back_off
from store.evidence import CONFIGURATIONS_SQL, COUNTED_SQL, SLICE_SQL, Configurations, counted, evidence
from store.guarded import CLOSE_SQL, GUARDED_SQL, Guarded
from store.tallies import TALLIES_SQL, by_phase
from store.words import EXCLUDED_SQL, LOCK_SQL, STANDS_SQL

Channel = Literal["deployment", "cancel"]


@dataclass(frozen=True, slots=True)
class Report:
    """One feedback of one vehicle; ``device_at`` is the vehicle's own clock."""

    vehicle_id: int
    action: int
    channel: Channel
    said: Said
    device_at: datetime | None = None


class Effect(StrEnum):
    """What became of a report, and so what the vehicle is answered."""

    RECORDED = "recorded"
    OVER = "over"
    UNKNOWN = "unknown"
    NOT_CANCELLING = "not_cancelling"


_READ = f"""
SELECT a.vehicle_id, a.campaign_id, a.phase, a.state, a.attempt, a.fetched_at IS NOT NULL AS fetched,
       a.cancel_wanted, {STANDS_SQL} AS stands, {EXCLUDED_SQL} AS excluded
FROM unnest(%s::int[], %s::int[]) AS asked (vehicle_id, campaign_id)
JOIN assignment AS a USING (vehicle_id, campaign_id) JOIN campaign AS c ON c.id = a.campaign_id
"""

#: A vehicle belongs to the slice of time in which it began to install; slices begin with their window.
_WRITE = f"""
UPDATE assignment AS a
SET state = n.state, cancel_wanted = n.cancel_wanted, heard_at = clock_timestamp(),
    finished_at = CASE WHEN n.over THEN coalesce(a.finished_at, clock_timestamp()) END,
    not_before = clock_timestamp() + n.back_off * interval '1 second',
    code = coalesce(n.code, a.code), message = coalesce(n.message, a.message),
    deferral = CASE WHEN n.deferral IS NULL THEN a.deferral ELSE n.deferral END,
    deferral_value = CASE WHEN n.deferral IS NULL THEN a.deferral_value ELSE n.deferral_value END,
    slice = CASE WHEN n.installs THEN coalesce(
        a.slice, date_bin({SLICE_SQL}, clock_timestamp(), coalesce(c.window_began_at, c.created_at)))
        ELSE a.slice END
FROM jsonb_to_recordset(%s) AS n (
    vehicle_id int, campaign_id int, phase int, state text, cancel_wanted bool, over bool, installs bool,
    back_off float8, code int, message text, deferral text, deferral_value text)
JOIN campaign AS c ON c.id = n.campaign_id
JOIN phase AS p ON p.campaign_id = n.campaign_id AND p.number = n.phase
WHERE a.vehicle_id = n.vehicle_id AND a.campaign_id = n.campaign_id
"""

#: What a resume has acknowledged and is corrected now is not acknowledged any more: it would hide a new one.
_UNACKNOWLEDGE = """
UPDATE tally AS t SET acknowledged = greatest(t.acknowledged - k.vehicles, 0)
FROM (
    SELECT a.campaign_id, a.phase, a.configuration_id, a.state, count(*)::int AS vehicles
    FROM unnest(%s::int[], %s::int[]) AS corrected (vehicle_id, campaign_id)
    JOIN assignment AS a USING (vehicle_id, campaign_id) JOIN campaign AS c ON c.id = a.campaign_id
    WHERE a.finished_at < c.window_began_at
    GROUP BY a.campaign_id, a.phase, a.configuration_id, a.state
) AS k
WHERE t.campaign_id = k.campaign_id AND t.phase = k.phase AND t.configuration_id = k.configuration_id
  AND t.state = k.state
"""

_LOG = """
INSERT INTO report (
    vehicle_id, campaign_id, attempt, device_at, channel, execution, finished, code, details, effect)
SELECT r.* FROM jsonb_to_recordset(%s) AS r (
    vehicle_id int, campaign_id int, attempt int, device_at timestamptz, channel text, execution text,
    finished text, code int, details text[], effect text)
"""

#: ECU rows are locked in one order, here and in the fleet's import, so that neither waits for the other.
_LOCK_ECUS = """
SELECT FROM ecu WHERE vehicle_id = ANY(%s) ORDER BY vehicle_id, name FOR NO KEY UPDATE
"""

#: A success changes what the vehicle is known to run, and keeps its history. One that is told late changes
#: nothing where another change came after its offer. The vehicle's own row is left alone: a fleet command
#: may hold it for long, and this transaction holds the campaign. The vehicles are named twice: the planner
#: takes JSON for thousands of rows and would read the ECUs of the whole fleet.
_INSTALLED = """
WITH done AS (
    SELECT d.vehicle_id, d.campaign_id, m ->> 'ecu' AS ecu, m ->> 'version' AS version
    FROM jsonb_to_recordset(%(installed)s) AS d (vehicle_id int, campaign_id int)
    JOIN campaign AS c ON c.id = d.campaign_id
    JOIN assignment AS a ON a.vehicle_id = d.vehicle_id AND a.campaign_id = d.campaign_id
    CROSS JOIN jsonb_array_elements(c.package -> 'modules') AS m
    WHERE NOT EXISTS (
        SELECT FROM software_change AS s
        WHERE s.vehicle_id = d.vehicle_id AND s.ecu = m ->> 'ecu' AND s.at > a.offered_at)
), history AS (
    INSERT INTO software_change (vehicle_id, ecu, from_version, to_version, campaign_id, source, at)
    SELECT done.vehicle_id, done.ecu, e.sw_version, done.version, done.campaign_id, 'campaign',
           clock_timestamp()
    FROM done JOIN ecu AS e ON e.vehicle_id = done.vehicle_id AND e.name = done.ecu
    WHERE e.vehicle_id = ANY(%(vehicles)s)
)
UPDATE ecu SET sw_version = done.version
FROM done
WHERE ecu.vehicle_id = done.vehicle_id AND ecu.name = done.ecu AND ecu.vehicle_id = ANY(%(vehicles)s)
"""


async def record(connection: AsyncConnection, reports: Sequence[Report]) -> list[Effect]:
    """Record a group of reports in one transaction, in their order.

    Returns:
        One effect per report, in the same order.
    """
    campaigns = sorted({split(report.action)[0] for report in reports})
    await connection.execute(LOCK_SQL, [campaigns])
    rows = await _read(connection, reports)
    decided = [_decide(rows.get((r.vehicle_id, split(r.action)[0])), r) for r in reports]
    changed = [row for row in rows.values() if row["heard"]]
    if changed:
        await _unacknowledge(connection, changed)
        await connection.execute(_WRITE, [Jsonb([_change(row) for row in changed])])
    if log := list(_log(reports, decided)):
        await connection.execute(_LOG, [Jsonb(log)])
    await _after(connection, changed)
    return [effect for effect, _ in decided]


async def _read(
    connection: AsyncConnection, reports: Sequence[Report]
) -> dict[tuple[int, int], dict[str, Any]]:
    keys = sorted({(report.vehicle_id, split(report.action)[0]) for report in reports})
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_READ, ([vehicle for vehicle, _ in keys], [campaign for _, campaign in keys]))
        rows = await cursor.fetchall()
    return {
        (row["vehicle_id"], row["campaign_id"]): row
        | {"was": row["state"], "heard": False}
        | dict.fromkeys(("code", "message", "back_off", "deferral", "deferral_value"))
        for row in rows
    }


def _decide(row: dict[str, Any] | None, report: Report) -> tuple[Effect, str]:
    """What one report changes in its row, and the word for the log."""
    attempt = split(report.action)[1]
    if row is None or attempt > row["attempt"]:
        return Effect.UNKNOWN, "unknown"
    if attempt < row["attempt"]:
        return Effect.OVER, "earlier attempt"
    if report.channel == "cancel":
        return _decide_cancel(row, report)
    state = Target(row["state"])
    if state is Target.OFFERED and not row["stands"]:
        # Not started before gate or window closed, so it may not start now: the offer is withdrawn.
        row["heard"] = True
        row["state"] = after(state, Happening.WITHDRAW).value
        return Effect.OVER, "withdrawn"
    event = meaning(report.said, fetched=row["fetched"])
    # What was withdrawn before it began has no outcome; what had begun has one, however late it is told.
    new = after(state, event) if row["fetched"] or state not in OPEN else state
    if new is state and (state in TERMINAL or state in OPEN):
        # A closing report whose answer was lost is sent again and deserves the same answer.
        repeated = _outcome(event) == state.value
        return (Effect.RECORDED, "repeated") if repeated else (Effect.OVER, "late")
    row["heard"] = True
    _move(row, new, report, claimed=report.said.finished == "success" and new is Target.DEFERRED)
    return Effect.RECORDED, new.value if new is not state else event.value


def _decide_cancel(row: dict[str, Any], report: Report) -> tuple[Effect, str]:
    state = Target(row["state"])
    if not row["cancel_wanted"] or state in TERMINAL:
        return Effect.NOT_CANCELLING, "not cancelling"
    row["heard"] = True
    if report.said.execution == "closed" and report.said.finished != "failure":
        ends = Happening.EXCLUDE if row["excluded"] else Happening.CANCEL
        _move(row, after(state, ends), report)
        return Effect.RECORDED, row["state"]
    if report.said.execution in ("closed", "rejected"):
        row["cancel_wanted"] = False
        return Effect.RECORDED, "cancel refused"
    return Effect.RECORDED, "note"


def _move(row: dict[str, Any], new: Target, report: Report, *, claimed: bool = False) -> None:
    if new.value == row["state"]:
        return
    row["state"] = new.value
    row["cancel_wanted"] = row["cancel_wanted"] and new not in TERMINAL
    row["code"] = report.said.code
    row["message"] = "; ".join(report.said.details)[:1000] or None
    if new is Target.DEFERRED:
        row["back_off"] = defer_back_off(row["attempt"]).total_seconds()
        found = Deferral(reason=DeferralReason.UNPROVEN) if claimed else read_deferral(report.said.details)
        row["deferral"], row["deferral_value"] = found.reason.value, found.value
        if claimed:
            row["message"] = f"claimed success without fetching the artifact: {row['message'] or 'no text'}"


def _outcome(event: Happening) -> str:
    words = {
        Happening.SUCCEED: Target.SUCCEEDED,
        Happening.FAIL: Target.FAILED,
        Happening.ROLL_BACK: Target.ROLLED_BACK,
        Happening.HARM: Target.CRITICAL,
        Happening.FAIL_DOWNLOAD: Target.DOWNLOAD_FAILED,
        Happening.DEFER: Target.DEFERRED,
    }
    return words[event].value if event in words else ""


#: Has begun to install.
_INSTALLS = HARMED | {Target.INSTALLING, Target.SUCCEEDED}


def _change(row: dict[str, Any]) -> dict[str, Any]:
    keys = (
        "vehicle_id", "campaign_id", "phase", "state", "cancel_wanted", "back_off", "code", "message",
        "deferral", "deferral_value",
    )  # fmt: skip
    state = Target(row["state"])
    # Who was left out is in no slice of time either: those are judged and brake.
    installs = state in _INSTALLS and not row["excluded"]
    return {key: row[key] for key in keys} | {"over": state in TERMINAL, "installs": installs}


def _log(reports: Sequence[Report], decided: Sequence[tuple[Effect, str]]) -> Iterable[dict[str, Any]]:
    for report, (effect, word) in zip(reports, decided, strict=True):
        if effect is Effect.UNKNOWN:
            continue
        campaign, attempt = split(report.action)
        yield {
            "vehicle_id": report.vehicle_id,
            "campaign_id": campaign,
            "attempt": attempt,
            "device_at": report.device_at and report.device_at.isoformat(),
            "channel": report.channel,
            "execution": report.said.execution,
            "finished": report.said.finished,
            "code": report.said.code,
            "details": list(report.said.details),
            "effect": word,
        }


async def _unacknowledge(connection: AsyncConnection, changed: Sequence[dict[str, Any]]) -> None:
    """Only silence is an outcome that a report corrects."""
    corrected = [row for row in changed if row["was"] == Target.SILENT and row["state"] != row["was"]]
    if corrected:
        vehicles, campaigns = zip(
            *((row["vehicle_id"], row["campaign_id"]) for row in corrected), strict=True
        )
        await connection.execute(_UNACKNOWLEDGE, (list(vehicles), list(campaigns)))


async def _after(connection: AsyncConnection, changed: Sequence[dict[str, Any]]) -> None:
    """What follows from new outcomes: new software, and perhaps the stop."""
    ended = [row for row in changed if row["state"] != row["was"] and Target(row["state"]) in TERMINAL]
    installed = [
        {"vehicle_id": row["vehicle_id"], "campaign_id": row["campaign_id"]}
        for row in ended
        if row["state"] == Target.SUCCEEDED
    ]
    if installed:
        vehicles = [row["vehicle_id"] for row in installed]
        await connection.execute(_LOCK_ECUS, [vehicles])
        await connection.execute(_INSTALLED, {"installed": Jsonb(installed), "vehicles": vehicles})
    # A success closes no gate: only phases with a new failure are judged.
    worse = sorted({(row["campaign_id"], row["phase"]) for row in ended if Target(row["state"]) in FAILURES})
    if worse:
        await _close_breached(connection, worse)


async def _close_breached(connection: AsyncConnection, phases: Sequence[tuple[int, int]]) -> None:
    """Judge phases by all that needs no clock, and close the gate of those in breach."""
    numbers = [campaign for campaign, _ in phases], [phase for _, phase in phases]
    found = await connection.execute(GUARDED_SQL, (*numbers, False))
    guarded = [Guarded.from_row(row) for row in await found.fetchall()]
    for campaign_id in sorted({each.campaign_id for each in guarded}):
        key = [[campaign_id]]
        found = await connection.execute(COUNTED_SQL, key)
        counts = counted(await found.fetchall())
        found = await connection.execute(CONFIGURATIONS_SQL, key)
        configurations = Configurations(await found.fetchall())
        found = await connection.execute(TALLIES_SQL, key)
        everybody = total(by_phase(await found.fetchall()).values())
        for each in guarded:
            if each.campaign_id != campaign_id:
                continue
            known = evidence(configurations, counts.get((campaign_id, each.phase), {}), each.size)
            breach = each.breach(known, everybody)
            if breach is not None:
                await connection.execute(CLOSE_SQL, (Jsonb(breach.model_dump(mode="json")), campaign_id))

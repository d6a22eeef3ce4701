"""Recording what vehicles report: states, counters and the stop, in one transaction.

The group takes the locks of its campaigns, reads the assignments, lets the pure rules decide, and writes
every change with set-based statements. If a guard of a touched phase is breached the gate is closed here, so
that from this commit on nobody is admitted, without waiting for a worker or for Temporal.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from campaign.action import split
from campaign.assignment import (
    ATTEMPTS,
    FAILURES,
    HARMED,
    OPEN,
    TERMINAL,
    WAITING,
    Happening,
    Said,
    Tally,
    Target,
    after,
    meaning,
)
from campaign.deferral import Deferral, DeferralReason, read_deferral
from campaign.ecu_results import still_failed
from campaign.judgement import Evidence
from campaign.metrics import total
from campaign.pace import defer_back_off
from store.ecu_words import said_before
from store.evidence import (
    BAD_COHORTS_SQL,
    BY_COHORT_SQL,
    COHORTS_OF_SQL,
    COUNTED_SQL,
    SLICE_SQL,
    TELLING_SQL,
    by_cohort,
    counted,
)
from store.guarded import CLOSE_SQL, GUARDED_SQL, Guarded
from store.stops import TELL_SQL
from store.tallies import TALLIES_SQL, by_phase
from store.words import ALL_FILES_SQL, EXCLUDED_SQL, LOCK_SQL, STANDS_SQL

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


#: ``missing``: the ECUs whose file was not fetched since the offer and which had not its software before.
_READ = f"""
SELECT a.vehicle_id, a.campaign_id, a.phase, a.configuration_id, a.state, a.attempt,
       a.fetched_at IS NOT NULL AS fetched, coalesce(a.fetched_at >= a.offered_at, false) AS fetched_now,
       CASE WHEN {ALL_FILES_SQL} & ~a.files <> 0 THEN ARRAY(
           SELECT m.module ->> 'ecu'
           FROM jsonb_array_elements(c.package -> 'modules') WITH ORDINALITY AS m (module, place)
           WHERE a.files >> (m.place - 1)::int & 1 = 0 AND NOT EXISTS (
               SELECT FROM ecu AS e WHERE e.vehicle_id = a.vehicle_id AND e.name = m.module ->> 'ecu'
                 AND e.sw_version = m.module ->> 'version')
           ORDER BY m.place) END AS missing,
       a.cancel_wanted, a.finished_at < c.window_began_at AS acknowledged,
       jsonb_array_length(c.package -> 'modules') > 1 AS several,
       {STANDS_SQL} AS stands, {EXCLUDED_SQL} AS excluded
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
    heard = await _with_ecus(connection, reports, rows)
    decided = [_decide(rows.get((r.vehicle_id, split(r.action)[0])), r) for r in heard]
    changed = [row for row in rows.values() if row["heard"]]
    if changed:
        # Only silence is an outcome that a report corrects.
        known = [row for row in changed if row["acknowledged"] and row["was"] == Target.SILENT]
        corrected = [row for row in known if row["state"] != row["was"]]
        await _count_acknowledged(connection, corrected, -1)
        await connection.execute(_WRITE, [Jsonb([_change(row) for row in changed])])
        await _count_acknowledged(connection, corrected, +1)
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


async def _with_ecus(
    connection: AsyncConnection, reports: Sequence[Report], rows: dict[tuple[int, int], dict[str, Any]]
) -> list[Report]:
    """The reports; a claim that all succeeded with the ECUs that were said before to have failed."""
    several = {key for key, row in rows.items() if row["several"]}
    claims = [r for r in reports if (r.vehicle_id, split(r.action)[0]) in several and _claims(r)]
    words = await said_before(connection, [(r.vehicle_id, r.action) for r in claims])
    heard = []
    for report in reports:
        before = words.get((report.vehicle_id, report.action))
        if before is not None and report.channel == "deployment":
            own = report.said.details
            if _claims(report):
                details = (*own, *still_failed(before, own))
                heard.append(replace(report, said=report.said.model_copy(update={"details": details})))
                continue
            before += own
        heard.append(report)
    return heard


def _claims(report: Report) -> bool:
    closed = report.channel == "deployment" and report.said.execution == "closed"
    return closed and report.said.finished != "failure"


def _decide(row: dict[str, Any] | None, report: Report) -> tuple[Effect, str]:
    """What one report changes in its row, and the word for the log."""
    attempt = split(report.action)[1]
    if row is None or attempt > row["attempt"]:
        return Effect.UNKNOWN, "unknown"
    if attempt < row["attempt"]:
        return _decide_earlier(row, report)
    if report.channel == "cancel":
        return _decide_cancel(row, report)
    state = Target(row["state"])
    event = meaning(report.said, fetched=row["fetched_now"], complete=not row["missing"])
    if state is Target.OFFERED and not row["stands"] and event is not Happening.HARM:
        # Not started before gate or window closed, so it may not start now: the offer is withdrawn.
        row["heard"] = True
        row["state"] = after(state, Happening.WITHDRAW).value
        return Effect.OVER, "withdrawn"
    if row["cancel_wanted"] and not row["fetched_now"] and event in _GIVEN_UP:
        # Asked to cancel it is given no byte, and update clients call that a failure.
        event = _cancelled(row)
    # What was withdrawn before it began has no outcome; what had begun has one, however late it is told. Harm
    # is harm.
    begun = row["fetched_now"] or state not in OPEN or event is Happening.HARM
    new = after(state, event) if begun else state
    if new is state and (state in TERMINAL or state in OPEN):
        # A closing report whose answer was lost is sent again and deserves the same answer.
        repeated = _outcome(event) == state.value
        return (Effect.RECORDED, "repeated") if repeated else (Effect.OVER, "late")
    row["heard"] = True
    _move(row, new, report, claimed=report.said.finished == "success" and new is Target.DEFERRED)
    return Effect.RECORDED, new.value if new is not state else event.value


def _decide_earlier(row: dict[str, Any], report: Report) -> tuple[Effect, str]:
    """An attempt that went quiet has an outcome all the same, until the vehicle begins the next one."""
    event = meaning(report.said, fetched=row["fetched"], complete=not row["missing"])
    new = after(Target.STALLED, event)
    if report.channel == "cancel" or Target(row["state"]) not in WAITING or new not in ATTEMPTS:
        return Effect.OVER, "earlier attempt"
    if not row["fetched"] and event is not Happening.HARM:
        return Effect.OVER, "earlier attempt"
    row["heard"] = True
    _move(row, new, report)
    return Effect.RECORDED, new.value


#: How a vehicle closes that was given nothing to install.
_GIVEN_UP = frozenset({Happening.FAIL, Happening.FAIL_DOWNLOAD})


def _cancelled(row: dict[str, Any]) -> Happening:
    return Happening.EXCLUDE if row["excluded"] else Happening.CANCEL


def _decide_cancel(row: dict[str, Any], report: Report) -> tuple[Effect, str]:
    state = Target(row["state"])
    if not row["cancel_wanted"] or state in TERMINAL:
        return Effect.NOT_CANCELLING, "not cancelling"
    row["heard"] = True
    if report.said.execution == "closed" and report.said.finished != "failure":
        _move(row, after(state, _cancelled(row)), report)
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
            how = "without fetching the artifact"
            if row["fetched_now"]:
                lacking = row["missing"] and f"without fetching the file of {', '.join(row['missing'])}"
                how = lacking or "though it skipped the update"
            row["message"] = f"claimed success {how}: {row['message'] or 'no text'}"


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


async def _count_acknowledged(
    connection: AsyncConnection, corrected: Sequence[dict[str, Any]], step: int
) -> None:
    if corrected:
        vehicles = [row["vehicle_id"] for row in corrected]
        campaigns = [row["campaign_id"] for row in corrected]
        await connection.execute(_ACKNOWLEDGED, (step, vehicles, campaigns))


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
    failed = [row for row in ended if Target(row["state"]) in FAILURES]
    for campaign_id in sorted({row["campaign_id"] for row in failed}):
        mine = [row for row in failed if row["campaign_id"] == campaign_id]
        await _close_breached(
            connection,
            campaign_id,
            sorted({row["phase"] for row in mine}),
            sorted({row["configuration_id"] for row in mine}),
        )


async def _close_breached(
    connection: AsyncConnection, campaign_id: int, phases: Sequence[int], configurations: Sequence[int]
) -> None:
    """Judge phases by all that needs no clock, and close the gate if one is in breach.

    Args:
        configurations: those of the vehicles that have just failed: no other cohort looks worse than before.
    """
    found = await connection.execute(GUARDED_SQL, ([campaign_id] * len(phases), list(phases), False))
    guarded = [Guarded.from_row(row) for row in await found.fetchall()]
    if not guarded:
        return
    looked_at = {"configurations": list(configurations)}
    for each, known in zip(
        guarded, await _known(connection, guarded, COHORTS_OF_SQL, looked_at), strict=True
    ):
        if each.breach(known, Tally()) is None:
            continue
        # Once in a window: now it is worth asking who it is among all of them.
        everything = await _known(connection, [each], BAD_COHORTS_SQL, {})
        found = await connection.execute(TALLIES_SQL, ([campaign_id],))
        breach = each.breach(everything[0], total(by_phase(await found.fetchall()).values()))
        if breach is not None:
            await connection.execute(CLOSE_SQL, (Jsonb(breach.model_dump(mode="json")), campaign_id))
            await connection.execute(TELL_SQL, (campaign_id,))


async def _known(
    connection: AsyncConnection, guarded: Sequence[Guarded], which: str, looked_at: dict[str, Any]
) -> list[Evidence]:
    """The evidence of phases of one campaign, with the cohorts that ``which`` asks for."""
    key = {"id": guarded[0].campaign_id}
    rows = [
        await (await connection.execute(statement, {**key, **looked_at})).fetchall()
        for statement in (TELLING_SQL, COUNTED_SQL, which)
    ]
    telling, counts, cohorts = rows[0][0][0], counted(rows[1])[0], [row[0] for row in rows[2]]
    found = await connection.execute(BY_COHORT_SQL, {**key, "cohorts": cohorts})
    tallies = by_cohort(await found.fetchall())
    return [
        Evidence(
            size=each.size,
            tally=counts.get(each.phase, Tally()),
            cohorts=tallies.get(each.phase, {}),
            telling=telling,
        )
        for each in guarded
    ]

"""One tick of supervision: housekeeping, guards, brake, allowance and lease, in one transaction under the
lock."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import Any

from psycopg.types.json import Jsonb
from sqlalchemy import Connection

from campaign.assignment import STARTED, WAITING, Tally, Target
from campaign.brake import Matured, in_flight_cap
from campaign.breach import Breach
from campaign.cohorts import Culprit
from campaign.guards import Action
from campaign.judgement import suspect, warnings
from campaign.lifecycle import State
from campaign.metrics import Overdue, count, total
from campaign.pace import allowance
from campaign.phase import Limits
from campaign.promotion import Decision, Known, decide, proving_guard
from campaign.supervision import Caution, Mode, Observation, PhaseView, Watch, Window
from store.evidence import MATURE_SQL, MATURES_SQL
from store.exclusion import sweep
from store.guarded import CLOSE_SQL
from store.judged import Judged, judged, phases_sql
from store.together import ask
from store.words import ANY_IN_FLIGHT_SQL, WITHDRAWN_SQL

#: ``LOCK_SQL`` for one campaign. A tick asks the same each time and is planned once: to plan what it asks of
#: phases takes four times as long as to find it, and PostgreSQL would do it anew in some ticks.
_LOCK = """
SELECT set_config('plan_cache_mode', 'force_generic_plan', true) AS planned,
       set_config('jit', 'off', true) AS compiled
FROM campaign WHERE id = %(id)s FOR NO KEY UPDATE
"""

_CAMPAIGN = f"""
SELECT clock_timestamp() AS at, c.gate_open, c.gate_seq, c."window", c.breach, c.excluded, w.actor, w.reason
FROM campaign AS c LEFT JOIN LATERAL ({WITHDRAWN_SQL}) AS w ON true WHERE c.id = %(id)s
"""

_WINDOWS = """
SELECT number, ended_at, sentences FROM evidence_window WHERE campaign_id = %(id)s
ORDER BY number DESC LIMIT 3
"""

#: Whether in a phase ``p`` the time of somebody in a state is up. It looks at the beginning of an index only,
#: however many are in flight: who has been quiet for so long was offered before that.
_OFFERED_BEFORE = f"""EXISTS (
    SELECT FROM assignment AS a
    WHERE a.campaign_id = p.campaign_id AND a.phase = p.number AND {ANY_IN_FLIGHT_SQL}
      AND a.state = '{{state}}' AND {{more}}
      AND a.offered_at < statement_timestamp() - (p.limits ->> '{{limit}}')::interval)"""
_OFFERS_TIMED_OUT = _OFFERED_BEFORE.format(state="offered", limit="offer_timeout", more="true")
_OUT_OF_THEIR_WINDOW = """EXISTS (
    SELECT FROM assignment AS a
    WHERE a.campaign_id = p.campaign_id AND a.phase = p.number AND a.state = 'offered'
      AND a.offer_until <= statement_timestamp())"""
_QUIET = "a.heard_at < statement_timestamp() - (p.limits ->> 'silent_after')::interval"

_PHASES = phases_sql(
    "p.allowance, p.limits::text AS limits, p.released_at, p.pace_since, p.pace_base",
    f"{_OFFERS_TIMED_OUT} OR {_OUT_OF_THEIR_WINDOW} AS offered",
    f"{_OFFERED_BEFORE.format(state='downloading', limit='silent_after', more=_QUIET)} AS downloading",
    f"{_OFFERED_BEFORE.format(state='installing', limit='silent_after', more=_QUIET)} AS installing",
    f"{MATURES_SQL} AS matures",
)

#: An offer that was not started in time, or in its install window, is withdrawn, and as long others go first;
#: a download that went quiet gives its slot back; an installation that went quiet may be a bricked vehicle: a
#: failure.
_EXPIRE_OFFERS = f"""
UPDATE assignment AS a SET state = 'pending',
       not_before = clock_timestamp() + %(offer_timeout)s
WHERE campaign_id = %(id)s AND phase = %(phase)s AND state = 'offered' AND {ANY_IN_FLIGHT_SQL}
  AND (offered_at < clock_timestamp() - %(offer_timeout)s OR offer_until <= clock_timestamp())
"""
_STALL = f"""
UPDATE assignment AS a SET state = 'stalled', message = 'began to download and went quiet'
WHERE campaign_id = %(id)s AND phase = %(phase)s AND state = 'downloading' AND {ANY_IN_FLIGHT_SQL}
  AND heard_at < clock_timestamp() - %(silent_after)s
"""
_FALL_SILENT = f"""
UPDATE assignment AS a SET state = 'silent', finished_at = clock_timestamp(),
       message = 'began to install and went quiet'
WHERE campaign_id = %(id)s AND phase = %(phase)s AND state = 'installing' AND {ANY_IN_FLIGHT_SQL}
  AND heard_at < clock_timestamp() - %(silent_after)s
"""

_TIMED = {
    Target.OFFERED: _EXPIRE_OFFERS,
    Target.DOWNLOADING: _STALL,
    Target.INSTALLING: _FALL_SILENT,
}

_RELEASE = """
UPDATE phase SET allowance = %(allowance)s,
       released_at = coalesce(released_at, clock_timestamp()),
       pace_since = coalesce(pace_since, clock_timestamp())
WHERE campaign_id = %(id)s AND number = %(phase)s
"""

_RENEW = """
UPDATE campaign SET lease_until = clock_timestamp() + %(lease)s, in_flight = %(in_flight)s, state = %(state)s
WHERE id = %(id)s AND gate_open AND gate_seq = %(seq)s
"""


_STATES = {
    Mode.ROLLING_OUT: State.ROLLING_OUT,
    Mode.BAKING: State.BAKING,
    Mode.PROVING: State.BAKING,
}


@lru_cache(maxsize=1024)
def _limits(body: str) -> Limits:
    """Limits as the phase's row has them, parsed once: a change makes another text."""
    return Limits.model_validate_json(body)


def tick(connection: Connection, watch: Watch, lease: timedelta) -> Observation:
    """Look at a campaign and keep it going: the lease is renewed only while its gate is open and ours."""
    key = {"id": watch.campaign_id, "seq": watch.seq, "lease": lease}
    _, campaigns, phases = ask(connection, (_LOCK, key), (_CAMPAIGN, key), (_PHASES, key))
    if not campaigns:
        raise LookupError(f"there is no campaign {watch.campaign_id} in this database")
    [campaign] = campaigns
    moved = _housekeeping(connection, key, phases)
    if campaign.excluded:
        moved |= sweep(connection, watch.campaign_id)
    if any(phase.matures for phase in phases):
        connection.exec_driver_sql(MATURE_SQL, key)
        moved = True
    found = judged(connection, watch.campaign_id, partial(_complete, watch), None if moved else phases)
    breach = _breach(found)
    if breach is not None:
        connection.exec_driver_sql(CLOSE_SQL, (Jsonb(breach.model_dump(mode="json")), watch.campaign_id))
    first = Breach.model_validate(campaign.breach) if campaign.breach else None
    gate_open = campaign.gate_open and breach is None
    cap = _cap(found, _limits(phases[watch.phase - 1].limits))
    if gate_open and campaign.gate_seq == watch.seq and watch.mode is not Mode.HOLDING:
        _release(connection, key, watch.phase, phases, campaign.at)
        connection.exec_driver_sql(_RENEW, {**key, "in_flight": cap, "state": _STATES[watch.mode].value})
    return Observation(
        at=campaign.at,
        gate_open=gate_open,
        gate_seq=campaign.gate_seq,
        window=campaign.window,
        windows=_windows(connection, key) if campaign.window > 1 else (),
        phases=_views(found, phases),
        verdicts=found[watch.phase - 1].verdicts,
        warnings=tuple(
            Caution(phase=one.guarded.phase, verdict=each)
            for one in found
            for each in warnings(one.guarded.guards, one.verdicts)
        ),
        promotion=_promotion(watch, found, len(phases), bool(campaign.excluded)),
        breach=first or breach,
        culprit=_culprit(found, first or breach),
        cap=cap,
        excluded=tuple(campaign.excluded),
        withdrawn=_withdrawn(campaign),
    )


def _housekeeping(connection: Connection, key: dict[str, Any], phases: Any) -> bool:
    """Move those whose time is up, where there may be some; whether there were."""
    found = False
    for phase in phases:
        if phase.released_at is None:
            continue
        limits = _limits(phase.limits)
        values = {**key, "phase": phase.number}
        values |= {"offer_timeout": limits.offer_timeout, "silent_after": limits.silent_after}
        for state, statement in _TIMED.items():
            if getattr(phase, state.value):
                connection.exec_driver_sql(statement, values)
                found = True
    return found


def _complete(watch: Watch, phase: int, tally: Tally) -> bool:
    """Whether nobody of a phase is under way and nobody will be: all are over, or it is watched only."""
    rolls_out = watch.phase if watch.mode is Mode.ROLLING_OUT else watch.phase + 1
    return tally.of(STARTED) == 0 and (tally.of(WAITING) == 0 or phase < rolls_out)


def _breach(found: Sequence[Judged]) -> Breach | None:
    everybody = total(each.tally for each in found)
    breaches = (each.guarded.breach(each.evidence, everybody, each.verdicts) for each in found)
    return next((breach for breach in breaches if breach is not None), None)


def _culprit(found: Sequence[Judged], known: Breach | None) -> Culprit | None:
    """Who fails, by all that has been reported since the stop, else as was known at it."""
    if known is None:
        return None
    for each in found:
        for guard in each.guarded.guards:
            if (each.guarded.phase, guard.name) == (known.phase, known.verdict.guard):
                return suspect(guard, each.evidence) or known.culprit
    return known.culprit


def _cap(found: Sequence[Judged], limits: Limits) -> int:
    matured = sum((each.braking for each in found), Matured())
    return in_flight_cap(matured, limits.harm_budget, limits.in_flight_floor, limits.in_flight)


def _views(found: Sequence[Judged], phases: Any) -> tuple[PhaseView, ...]:
    return tuple(
        PhaseView(
            number=each.guarded.phase,
            name=each.guarded.name,
            tally=each.tally,
            verdict=each.headline,
            released_at=phase.released_at,
        )
        for each, phase in zip(found, phases, strict=True)
    )


def _promotion(watch: Watch, found: Sequence[Judged], phases: int, excluded: bool) -> Decision | None:
    """Whether the watched phase may end, were its wait over now."""
    if watch.mode not in (Mode.BAKING, Mode.PROVING):
        return None
    here, so_far = found[watch.phase - 1], found[: watch.phase]
    pausing = {guard.name for guard in here.guarded.guards if guard.action is Action.PAUSE}
    guard = proving_guard(here.guarded.guards)
    late = sum((each.evidence.overdue for each in so_far), Overdue())
    known = Known(
        here=count(guard.metric, here.evidence.ever, here.evidence.overdue),
        window=count(guard.metric, total(each.evidence.tally for each in so_far), late),
        ever=count(guard.metric, total(each.evidence.ever for each in so_far), late),
        chosen_from=here.evidence.telling if excluded else 1,
    )
    verdicts = [verdict for verdict in here.verdicts if verdict.guard in pausing]
    return decide(watch.promotion, verdicts, guard, known, last=watch.phase == phases)


def _windows(connection: Connection, key: dict[str, Any]) -> tuple[Window, ...]:
    rows = connection.exec_driver_sql(_WINDOWS, key).fetchall()
    return tuple(
        Window(number=row.number, ended_at=row.ended_at, sentences=tuple(row.sentences)) for row in rows
    )


def _withdrawn(campaign: Any) -> str:
    return f"{campaign.actor}: {campaign.reason}" if campaign.reason else campaign.actor or ""


def _release(connection: Connection, key: dict[str, Any], current: int, phases: Any, now: datetime) -> None:
    """Raise the allowance of the released phases: one number each, whatever their size. Most ticks find it as
    it should be, and write nothing."""
    for phase in phases[:current]:
        elapsed = now - phase.pace_since if phase.pace_since else timedelta(0)
        number = allowance(phase.size, _limits(phase.limits), phase.pace_base, elapsed)
        if number != phase.allowance or phase.released_at is None or phase.pace_since is None:
            connection.exec_driver_sql(_RELEASE, {**key, "phase": phase.number, "allowance": number})

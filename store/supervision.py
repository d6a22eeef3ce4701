"""One tick of supervision: housekeeping, guards, allowance and lease, in one transaction under the lock."""

from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb
from sqlalchemy import Connection

from campaign.assignment import Tally
from campaign.guards import Breach
from campaign.lifecycle import State
from campaign.pace import allowance
from campaign.phase import Limits
from campaign.supervision import Mode, Observation, PhaseView, Watch
from store.gate import tally
from store.guarded import CLOSE_SQL, GUARDED_SQL, SHRINK_WINDOWS_SQL, Guarded
from store.words import LOCK_SQL

_CAMPAIGN = """
SELECT clock_timestamp() AS at, gate_open, gate_seq, "window", breach FROM campaign WHERE id = %(id)s
"""

_PHASES = """
SELECT number, size, limits, released_at, pace_since, pace_base FROM phase
WHERE campaign_id = %(id)s ORDER BY number
"""

#: An offer that was not started in time is withdrawn; a download that went quiet gives its slot back; an
#: installation that went quiet may be a bricked vehicle and counts as a failure.
_EXPIRE_OFFERS = """
UPDATE assignment SET state = 'pending', offered_at = NULL
WHERE campaign_id = %(id)s AND phase = %(phase)s AND state = 'offered'
  AND offered_at < clock_timestamp() - %(offer_timeout)s
"""
_STALL = """
UPDATE assignment SET state = 'pending', offered_at = NULL
WHERE campaign_id = %(id)s AND phase = %(phase)s AND state = 'downloading'
  AND heard_at < clock_timestamp() - %(silent_after)s
"""
_FALL_SILENT = """
UPDATE assignment SET state = 'silent', finished_at = clock_timestamp(),
       message = 'began to install and went quiet'
WHERE campaign_id = %(id)s AND phase = %(phase)s AND state = 'installing'
  AND heard_at < clock_timestamp() - %(silent_after)s
"""

_RELEASE = """
UPDATE phase SET allowance = %(allowance)s, released_at = coalesce(released_at, clock_timestamp()),
       pace_since = coalesce(pace_since, clock_timestamp())
WHERE campaign_id = %(id)s AND number = %(phase)s
"""

_RENEW = """
UPDATE campaign SET lease_until = clock_timestamp() + %(lease)s, in_flight = %(in_flight)s, state = %(state)s
WHERE id = %(id)s AND gate_open AND gate_seq = %(seq)s
"""


_STATES = {Mode.ROLLING_OUT: State.ROLLING_OUT, Mode.BAKING: State.BAKING}


def tick(connection: Connection, watch: Watch, lease: timedelta) -> Observation:
    """Look at a campaign and keep it going: the lease is renewed only while its gate is open and ours."""
    key = {"id": watch.campaign_id, "seq": watch.seq, "lease": lease}
    connection.exec_driver_sql(LOCK_SQL, ([watch.campaign_id],))
    campaign = connection.exec_driver_sql(_CAMPAIGN, key).one()
    phases = connection.exec_driver_sql(_PHASES, key).fetchall()
    _housekeeping(connection, key, phases)
    views, breach = _judge(connection, watch.campaign_id, phases)
    if breach is not None:
        connection.exec_driver_sql(CLOSE_SQL, (Jsonb(breach.model_dump(mode="json")), watch.campaign_id))
    known = Breach.model_validate(campaign.breach) if campaign.breach else None
    gate_open = campaign.gate_open and breach is None
    if gate_open and campaign.gate_seq == watch.seq and watch.mode is not Mode.HOLDING:
        _release(connection, key, watch.phase, phases, campaign.at)
        limits = Limits.model_validate(phases[watch.phase - 1].limits)
        connection.exec_driver_sql(
            _RENEW, {**key, "in_flight": limits.in_flight, "state": _STATES[watch.mode].value}
        )
    return Observation(
        at=campaign.at,
        gate_open=gate_open,
        gate_seq=campaign.gate_seq,
        window=campaign.window,
        phases=views,
        breach=known or breach,
    )


def _housekeeping(connection: Connection, key: dict[str, Any], phases: Any) -> None:
    for phase in phases:
        if phase.released_at is None:
            continue
        limits = Limits.model_validate(phase.limits)
        values = {**key, "phase": phase.number}
        values |= {"offer_timeout": limits.offer_timeout, "silent_after": limits.silent_after}
        for statement in (_EXPIRE_OFFERS, _STALL, _FALL_SILENT):
            connection.exec_driver_sql(statement, values)


def _judge(
    connection: Connection, campaign_id: int, phases: Any
) -> tuple[tuple[PhaseView, ...], Breach | None]:
    connection.exec_driver_sql(SHRINK_WINDOWS_SQL, ([campaign_id],))
    tallies = tally(connection, campaign_id)
    numbers = [phase.number for phase in phases]
    rows = connection.exec_driver_sql(GUARDED_SQL, ([campaign_id] * len(numbers), numbers)).fetchall()
    views, breach = [], None
    for row, phase in zip(rows, phases, strict=True):
        guarded = Guarded.from_row(row)
        found = tallies.get(guarded.phase, Tally())
        breach = breach or guarded.breach(found)
        views.append(
            PhaseView(
                number=guarded.phase,
                name=guarded.name,
                tally=found,
                verdict=guarded.verdict(found),
                released_at=phase.released_at,
            )
        )
    return tuple(views), breach


def _release(connection: Connection, key: dict[str, Any], current: int, phases: Any, now: datetime) -> None:
    """Raise the allowance of the released phases: one number each, whatever their size."""
    for phase in phases[:current]:
        limits = Limits.model_validate(phase.limits)
        elapsed = now - phase.pace_since if phase.pace_since else timedelta(0)
        number = allowance(phase.size, limits, phase.pace_base, elapsed)
        connection.exec_driver_sql(_RELEASE, {**key, "phase": phase.number, "allowance": number})

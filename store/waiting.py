"""Why the vehicles of a campaign wait: what they were missing, what their owners say, and closed windows.

Vehicles that share zone, window, preference and the last word on consent are one row of the statement, so
that the rules are asked some hundred times and not once for each vehicle.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from campaign.assignment import Target
from campaign.permission import Answer
from store.failures import campaign_of
from store.permissions import decide
from store.words import EXCLUDED_SQL

#: What a vehicle measured is told by the value that was said most often.
_DEFERRED = f"""
SELECT a.phase, coalesce(a.deferral, 'other') AS reason, count(*) AS vehicles, min(a.not_before) AS next,
       mode() WITHIN GROUP (ORDER BY a.deferral_value) AS value
FROM assignment AS a WHERE a.campaign_id = %(id)s AND a.state = 'deferred' AND NOT {EXCLUDED_SQL}
GROUP BY a.phase, reason
"""

_PENDING = f"""
SELECT w.phase, w.vehicles, clock_timestamp() AS now, CAST(jsonb_build_object(
    'terms', c.terms,
    'owner', jsonb_build_object('zone', w.timezone, 'window', w.install_window,
                                'preference', coalesce(w.update_preference, 'automatic'), 'spared', w.spared),
    'spoken', w.spoken) AS text) AS facts
FROM campaign AS c, (
    SELECT a.phase, v.timezone, v.install_window, v.update_preference, k.spoken,
           o.vehicle_id IS NOT NULL AS spared, count(*) AS vehicles
    FROM assignment AS a JOIN vehicle AS v ON v.id = a.vehicle_id
    LEFT JOIN auto_confirm AS o ON o.vehicle_id = v.id
    LEFT JOIN LATERAL (
        SELECT jsonb_build_object(
            'state', k.state, 'message_version', k.message_version,
            'at', CASE WHEN k.state = 'postponed' THEN k.at ELSE 'epoch' END) AS spoken
        FROM consent AS k WHERE k.vehicle_id = a.vehicle_id AND k.campaign_id = a.campaign_id
        ORDER BY k.id DESC LIMIT 1
    ) AS k ON true
    WHERE a.campaign_id = %(id)s AND a.state = 'pending' AND NOT {EXCLUDED_SQL}
    GROUP BY a.phase, v.timezone, v.install_window, v.update_preference, k.spoken, spared
) AS w
WHERE c.id = %(id)s
"""

#: Nothing bars them: they are offered the update when they poll and there is room.
READY = "ready"


@dataclass(frozen=True)
class Waiting:
    """So many vehicles of a phase wait for one reason; ``state`` is pending or deferred.

    ``value`` is what most of them measured, ``next`` when the first of them may be offered the update again.
    """

    phase: int
    state: Target
    reason: str
    vehicles: int
    value: str | None = None
    next: datetime | None = None


def waiting(connection: Connection, campaign: str) -> list[Waiting]:
    """Why vehicles wait now, the most frequent reason first.

    Args:
        campaign: its name or its workflow id.

    Raises:
        Refused: there is none.
    """
    key = {"id": campaign_of(connection, campaign)}
    found = [
        Waiting(row.phase, Target.DEFERRED, row.reason, row.vehicles, row.value, row.next)
        for row in connection.exec_driver_sql(_DEFERRED, key).fetchall()
    ]
    found += _together(_answers(connection, key))
    return sorted(found, key=lambda each: (-each.vehicles, each.phase, each.reason))


def _answers(connection: Connection, key: dict[str, int]) -> Iterator[Waiting]:
    for row in connection.exec_driver_sql(_PENDING, key).fetchall():
        answer = decide(row.facts, row.now)
        reason = READY if answer.answer is Answer.GRANTED else answer.answer.value
        yield Waiting(row.phase, Target.PENDING, reason, row.vehicles, next=answer.opens_at)


def _together(parts: Iterator[Waiting]) -> list[Waiting]:
    """One row for each phase and reason, with the earliest time."""
    sums: dict[tuple[int, str], Waiting] = {}
    for part in parts:
        known = sums.setdefault((part.phase, part.reason), part)
        if known is not part:
            times = [time for time in (known.next, part.next) if time is not None]
            vehicles = known.vehicles + part.vehicles
            sums[part.phase, part.reason] = Waiting(
                part.phase, part.state, part.reason, vehicles, next=min(times, default=None)
            )
    return list(sums.values())

"""Why the vehicles of a campaign wait: what they were missing, what their owners say, and closed windows.

Vehicles that share zone, window, preference and the last word on consent are one row of the statement, so
that the rules are asked some hundred times and not once for each vehicle.
"""

from collections.abc import Iterator

from sqlalchemy import Connection

from campaign.assignment import Target
from campaign.waiting import READY, Waiting, Waits, together
from store.failures import campaign_of
from store.permissions import decide
from store.words import EXCLUDED_SQL

#: All phases, or those that are released.
_PHASES_SQL = """(%(unreleased)s OR a.phase IN (
    SELECT number FROM phase WHERE campaign_id = %(id)s AND released_at IS NOT NULL))"""

#: What a vehicle measured is told by the value that was said most often.
_DEFERRED = f"""
SELECT a.phase, coalesce(a.deferral, 'other') AS reason, count(*) AS vehicles, min(a.not_before) AS next,
       mode() WITHIN GROUP (ORDER BY a.deferral_value) AS value
FROM assignment AS a WHERE a.campaign_id = %(id)s AND a.state = 'deferred' AND NOT {EXCLUDED_SQL}
  AND {_PHASES_SQL}
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
      AND {_PHASES_SQL}
    GROUP BY a.phase, v.timezone, v.install_window, v.update_preference, k.spoken, spared
) AS w
WHERE c.id = %(id)s
"""


def waiting(connection: Connection, campaign: str) -> list[Waiting]:
    """Why vehicles wait now, the most frequent reason first.

    Args:
        campaign: its name or its workflow id.

    Raises:
        Refused: there is none.
    """
    return _found(connection, {"id": campaign_of(connection, campaign), "unreleased": True})


def waits(connection: Connection, campaign_id: int) -> Waits:
    """Why the vehicles of the released phases wait, in words; seconds for a million of them."""
    found = _found(connection, {"id": campaign_id, "unreleased": False})
    at = connection.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
    return Waits.of(at, found)


def _found(connection: Connection, key: dict[str, int]) -> list[Waiting]:
    deferred = [
        Waiting(
            phase=row.phase,
            state=Target.DEFERRED,
            reason=row.reason,
            vehicles=row.vehicles,
            value=row.value,
            next=row.next,
        )
        for row in connection.exec_driver_sql(_DEFERRED, key).fetchall()
    ]
    return together([*deferred, *_answers(connection, key)])


def _answers(connection: Connection, key: dict[str, int]) -> Iterator[Waiting]:
    for row in connection.exec_driver_sql(_PENDING, key).fetchall():
        answer = decide(row.facts, row.now)
        yield Waiting(
            phase=row.phase,
            state=Target.PENDING,
            reason=READY if answer.granted else answer.answer.value,
            vehicles=row.vehicles,
            next=answer.opens_at,
        )

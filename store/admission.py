"""Admission: handing out offers, strictly within gate, lease, allowance and in-flight cap over all gateways.

Rules, in order: an offer needs an open gate and a valid lease; a vehicle holds one offer at a time; of the
campaigns that have room for it the one of higher priority goes first, then the older one, and an offer that
was not started steps back for one of higher priority; a phase never admits more than its allowance, and a
campaign never has more in flight than its cap; a vehicle that has changed since it was selected gets nothing;
nor does one whose owner has not agreed or whose install window is closed, and an offer ends with its window.
The campaign's lock makes the rules hold against every other admission, report and gate write (docs/adr/0003).
"""

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection

from campaign.action import MAX_ATTEMPT, action_id
from campaign.permission import Permission
from store.permissions import FACTS_SQL, LIMITED_SQL, decide
from store.words import (
    DELIVERING_SQL,
    EXCLUDED_SQL,
    IN_FLIGHT_SQL,
    LOCK_SQL,
    OPEN_SQL,
    OUTDATED_SQL,
    STALE_SQL,
)

_CAMPAIGNS_OF = f"""
SELECT a.campaign_id, bool_or({LIMITED_SQL}), bool_or(a.state = 'offered')
FROM assignment AS a JOIN campaign AS c ON c.id = a.campaign_id JOIN vehicle AS v ON v.id = a.vehicle_id
WHERE a.vehicle_id = ANY(%s) AND a.state IN ({OPEN_SQL}, {IN_FLIGHT_SQL})
GROUP BY a.campaign_id
"""

_LIMITED = f"""
SELECT a.vehicle_id, a.campaign_id, {FACTS_SQL}, clock_timestamp()
FROM assignment AS a JOIN campaign AS c ON c.id = a.campaign_id JOIN vehicle AS v ON v.id = a.vehicle_id
WHERE a.vehicle_id = ANY(%s) AND a.campaign_id = ANY(%s) AND a.state IN ({OPEN_SQL})
  AND {DELIVERING_SQL} AND {LIMITED_SQL}
"""

#: What is stale would keep the vehicle from every other campaign.
_END_STALE = f"""
UPDATE assignment AS a SET state = CASE
        WHEN a.state = 'installing' THEN 'silent'
        WHEN c.finished_at IS NOT NULL THEN 'expired'
        WHEN a.state = 'downloading' THEN 'stalled'
        ELSE 'pending' END,
    finished_at = CASE WHEN a.state = 'installing' OR c.finished_at IS NOT NULL THEN clock_timestamp() END
FROM campaign AS c
WHERE c.id = a.campaign_id AND a.vehicle_id = ANY(%s) AND a.state IN ({IN_FLIGHT_SQL}) AND {STALE_SQL}
"""

#: A vehicle is never offered what was decided on another state of it.
_END_OUTDATED = f"""
UPDATE assignment AS a SET state = 'not_applicable', finished_at = clock_timestamp(),
    message = 'the vehicle has changed since it was selected'
FROM campaign AS c JOIN phase AS p ON p.campaign_id = c.id
WHERE c.id = a.campaign_id AND p.number = a.phase AND a.vehicle_id = ANY(%s) AND a.state IN ({OPEN_SQL})
  AND {DELIVERING_SQL} AND p.allowance > 0 AND {OUTDATED_SQL}
"""

#: Who might be offered what, and the room there is for it. That is counted once for a phase: a campaign of
#: hundreds of configurations has thousands of counts, and they would be summed for each vehicle.
_CANDIDATES = f"""
room AS MATERIALIZED (
    SELECT p.campaign_id, p.number AS phase, p.allowance - coalesce((
        SELECT sum(t.vehicles) FROM tally AS t
        WHERE t.campaign_id = p.campaign_id AND t.phase = p.number AND t.state NOT IN ({OPEN_SQL})
    ), 0) AS places
    FROM phase AS p WHERE p.campaign_id = ANY(%(campaigns)s) AND p.allowance > 0
), slots AS (
    SELECT c.id AS campaign_id, c.priority, c.in_flight - coalesce((
        SELECT sum(t.vehicles) FROM tally AS t
        WHERE t.campaign_id = c.id AND t.state IN ({IN_FLIGHT_SQL})
    ), 0) AS free
    FROM campaign AS c WHERE c.id = ANY(%(campaigns)s) AND {DELIVERING_SQL}
), candidate AS (
    SELECT a.vehicle_id, a.campaign_id, a.phase, slots.priority, slots.free, room.places
    FROM assignment AS a JOIN room USING (campaign_id, phase) JOIN slots USING (campaign_id)
    WHERE a.vehicle_id = ANY(%(vehicles)s) AND room.places > 0 AND slots.free > 0
      AND a.state IN ({OPEN_SQL}) AND a.attempt < {MAX_ATTEMPT}
      AND (a.not_before IS NULL OR a.not_before <= clock_timestamp()) AND NOT {EXCLUDED_SQL}
      AND (a.vehicle_id, a.campaign_id) NOT IN (SELECT * FROM unnest(%(barred)s::int[], %(of)s::int[]))
)"""

#: An offer nobody has started makes way. Should the room go to others of the group, it is offered anew.
_STEP_BACK = f"""
WITH {_CANDIDATES}
UPDATE assignment AS a SET state = 'pending'
FROM campaign AS c
WHERE c.id = a.campaign_id AND a.vehicle_id = ANY(%(vehicles)s) AND a.state = 'offered' AND EXISTS (
    SELECT FROM candidate WHERE candidate.vehicle_id = a.vehicle_id AND candidate.priority > c.priority)
"""

#: An offer that was withdrawn before the vehicle said anything is offered again as the same attempt. When an
#: earlier attempt fetched an artifact stays known: its outcome may still be told. OFFSET makes the planner
#: look for each vehicle, where it would read all of the fleet that are in flight.
_ADMIT = f"""
WITH {_CANDIDATES}, best AS (
    SELECT DISTINCT ON (vehicle_id) * FROM candidate
    WHERE NOT EXISTS (
        SELECT FROM assignment AS live
        WHERE live.vehicle_id = candidate.vehicle_id AND live.state IN ({IN_FLIGHT_SQL}) OFFSET 0)
    ORDER BY vehicle_id, priority DESC, campaign_id
), queue AS (
    SELECT *, row_number() OVER (PARTITION BY campaign_id, phase ORDER BY arrival) AS place
    FROM best
    JOIN unnest(%(vehicles)s::int[]) WITH ORDINALITY AS polls (vehicle_id, arrival) USING (vehicle_id)
), lucky AS (
    SELECT *, row_number() OVER (PARTITION BY campaign_id ORDER BY arrival) AS slot
    FROM queue WHERE place <= places
)
UPDATE assignment AS a
SET state = 'offered', attempt = a.attempt + (a.attempt = 0 OR a.heard_at IS NOT NULL)::int,
    offered_at = clock_timestamp(), heard_at = NULL, slice = NULL, not_before = NULL,
    offer_until = NULL, cancel_wanted = false
FROM lucky
WHERE a.vehicle_id = lucky.vehicle_id AND a.campaign_id = lucky.campaign_id AND lucky.slot <= lucky.free
RETURNING a.vehicle_id, a.campaign_id, a.attempt
"""

_CLOSE = """
UPDATE assignment AS a SET offer_until = w.until
FROM unnest(%s::int[], %s::int[], %s::timestamptz[]) AS w (vehicle_id, campaign_id, until)
WHERE a.vehicle_id = w.vehicle_id AND a.campaign_id = w.campaign_id AND a.state = 'offered'
"""


async def admit(connection: AsyncConnection, vehicle_ids: Sequence[int]) -> dict[int, int]:
    """Offer what may be offered to these vehicles, first come first served.

    Returns:
        The action now offered, by vehicle id; a vehicle that gets nothing is absent.
    """
    vehicles = list(vehicle_ids)
    cursor = await connection.execute(_CAMPAIGNS_OF, [vehicles])
    found = await cursor.fetchall()
    if not found:
        return {}
    campaigns = [row[0] for row in found]
    await connection.execute(LOCK_SQL, [campaigns])
    await connection.execute(_END_STALE, [vehicles])
    await connection.execute(_END_OUTDATED, [vehicles])
    limited = [campaign for campaign, any_limited, _ in found if any_limited]
    answers = await _answers(connection, vehicles, limited) if limited else {}
    barred = [key for key, answer in answers.items() if not answer.granted]
    where = {"barred": [vehicle for vehicle, _ in barred], "of": [campaign for _, campaign in barred]}
    if any(some_hold_offers for *_, some_hold_offers in found):
        await connection.execute(_STEP_BACK, {"vehicles": vehicles, "campaigns": campaigns} | where)
    offered = await _rounds(connection, vehicles, {"campaigns": campaigns} | where)
    granted = {key: answers[key] for row in offered if (key := row[:2]) in answers}
    ends = [(*key, answer.until) for key, answer in granted.items() if answer.until is not None]
    if ends:
        await connection.execute(_CLOSE, [list(column) for column in zip(*ends, strict=True)])
    return {vehicle: action_id(campaign, attempt) for vehicle, campaign, attempt in offered}


async def _rounds(
    connection: AsyncConnection, vehicles: Sequence[int], where: dict[str, Any]
) -> list[tuple[int, int, int]]:
    """Offers, round by round: whom the best campaign has no room for, the next best may take.

    Mostly it is one round: all are served, or nobody is.
    """
    offered: list[tuple[int, int, int]] = []
    left = list(vehicles)
    while left:
        cursor = await connection.execute(_ADMIT, {"vehicles": left} | where)
        served = await cursor.fetchall()
        if not served:
            break
        offered += served
        done = {vehicle for vehicle, *_ in served}
        left = [vehicle for vehicle in left if vehicle not in done]
    return offered


async def _answers(
    connection: AsyncConnection, vehicles: Sequence[int], campaigns: Sequence[int]
) -> dict[tuple[int, int], Permission]:
    """What the rules say where a campaign or an owner sets terms, by vehicle and campaign."""
    cursor = await connection.execute(_LIMITED, [vehicles, campaigns])
    rows = await cursor.fetchall()
    return {(vehicle, campaign): decide(facts, now) for vehicle, campaign, facts, now in rows}

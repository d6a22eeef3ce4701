"""Where vehicles stand, for the polls of many vehicles in one statement."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import namedtuple_row

from campaign.action import MAX_ATTEMPT, action_id
from campaign.assignment import Target
from store.consent import asked_about
from store.permissions import FACTS_SQL, LIMITED_SQL, decide
from store.words import DELIVERING_SQL, EXCLUDED_SQL, IN_FLIGHT_SQL, OPEN_SQL, STALE_SQL, STANDS_SQL

#: Free assignments may be admitted as they are; of the others the facts are read, the best campaign first.
_STANDINGS = f"""
SELECT v.id, v.vin, v.token_hash,
       v.config_wanted OR EXISTS (
           SELECT FROM software_change AS s
           WHERE s.vehicle_id = v.id AND s.source = 'campaign'
             AND s.at > coalesce(v.reported_at, '-infinity')) AS config_wanted,
       live.campaign_id, live.attempt, live.state, coalesce(live.cancel_wanted, false) AS cancel_wanted,
       coalesce(live.stands, false) AS stands, waiting.free, waiting.limited, clock_timestamp() AS now
FROM vehicle AS v
LEFT JOIN LATERAL (
    SELECT a.campaign_id, a.attempt, a.state, a.cancel_wanted, {STANDS_SQL} AS stands, {STALE_SQL} AS stale
    FROM assignment AS a JOIN campaign AS c ON c.id = a.campaign_id
    WHERE a.vehicle_id = v.id AND a.state IN ({IN_FLIGHT_SQL})
) AS live ON true
LEFT JOIN LATERAL (
    SELECT coalesce(bool_or(NOT {LIMITED_SQL}), false) AS free,
           jsonb_agg(
               {FACTS_SQL} || jsonb_build_object('campaign', c.id, 'attempt', a.attempt)
               ORDER BY c.priority DESC, c.id
           ) FILTER (WHERE {LIMITED_SQL}) AS limited
    FROM assignment AS a
    JOIN campaign AS c ON c.id = a.campaign_id
    JOIN phase AS p ON p.campaign_id = a.campaign_id AND p.number = a.phase
    WHERE coalesce(live.stale, true) AND a.vehicle_id = v.id AND a.attempt < {MAX_ATTEMPT}
      AND (a.state IN ({OPEN_SQL}) OR a.state = 'offered' AND NOT {STANDS_SQL})
      AND (a.not_before IS NULL OR a.not_before <= clock_timestamp())
      AND {DELIVERING_SQL} AND p.allowance > 0 AND NOT {EXCLUDED_SQL}
) AS waiting ON true
WHERE v.vin = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the gateway must know of a vehicle that polls.

    ``action`` and ``state`` are those of its live assignment (offered, downloading or installing), if any;
    ``stands`` says whether that campaign's gate is open under a valid lease and its install window, too;
    ``admissible`` that some campaign may admit it now; ``confirm`` is the action its owner is to be asked
    about; ``opens_in`` how long it is to the next moment at which it may be admitted, where that is known.
    """

    vehicle_id: int
    vin: str
    token_hash: bytes | None
    config_wanted: bool
    action: int | None
    state: Target | None
    cancel_wanted: bool
    stands: bool
    admissible: bool
    confirm: int | None = None
    opens_in: timedelta | None = None


async def standings(connection: AsyncConnection, vins: Sequence[str]) -> dict[str, Standing]:
    """The standing of each vehicle by VIN; VINs that are not in the fleet are absent."""
    async with connection.cursor(row_factory=namedtuple_row) as cursor:
        await cursor.execute(_STANDINGS, [list(vins)])
        found = [_standing(row) for row in await cursor.fetchall()]
    return {standing.vin: standing for standing in found}


def _standing(row: Any) -> Standing:
    limited = row.limited or ()
    answers = [decide(facts, row.now) for facts in limited]
    openings = [answer.opens_at for answer in answers if answer.opens_at is not None]
    asked = (facts for facts, answer in zip(limited, answers, strict=True) if answer.to_ask)
    return Standing(
        vehicle_id=row.id,
        vin=row.vin,
        token_hash=None if row.token_hash is None else bytes(row.token_hash),
        config_wanted=row.config_wanted,
        action=None if row.campaign_id is None else action_id(row.campaign_id, row.attempt),
        state=None if row.state is None else Target(row.state),
        cancel_wanted=row.cancel_wanted,
        stands=row.stands,
        admissible=row.free or any(answer.granted for answer in answers),
        confirm=next((asked_about(facts["campaign"], facts["attempt"]) for facts in asked), None),
        opens_in=min(openings) - row.now if openings else None,
    )

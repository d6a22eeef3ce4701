"""Where vehicles stand, for the polls of many vehicles in one statement."""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import AsyncConnection

from campaign.action import MAX_ATTEMPT, action_id
from campaign.assignment import Target
from store.words import DELIVERING_SQL, EXCLUDED_SQL, IN_FLIGHT_SQL, OPEN_SQL, STALE_SQL

_STANDINGS = f"""
SELECT v.id, v.vin, v.token_hash,
       CASE WHEN v.former_token_until > clock_timestamp() THEN v.former_token_hash END,
       v.config_wanted OR EXISTS (
           SELECT FROM software_change AS s
           WHERE s.vehicle_id = v.id AND s.source = 'campaign'
             AND s.at > coalesce(v.reported_at, '-infinity')),
       live.campaign_id, live.attempt, live.state, coalesce(live.cancel_wanted, false),
       coalesce(live.delivering, false), done.campaign_id, done.attempt,
       coalesce(live.stale, true)
       AND EXISTS (
           SELECT FROM assignment AS a
           JOIN campaign AS c ON c.id = a.campaign_id
           JOIN phase AS p ON p.campaign_id = a.campaign_id AND p.number = a.phase
           WHERE a.vehicle_id = v.id AND a.state IN ({OPEN_SQL}) AND a.attempt < {MAX_ATTEMPT}
             AND (a.not_before IS NULL OR a.not_before <= clock_timestamp())
             AND {DELIVERING_SQL} AND p.allowance > 0 AND NOT {EXCLUDED_SQL})
FROM vehicle AS v
LEFT JOIN LATERAL (
    SELECT a.campaign_id, a.attempt, a.state, a.cancel_wanted, {DELIVERING_SQL} AS delivering,
           {STALE_SQL} AS stale
    FROM assignment AS a JOIN campaign AS c ON c.id = a.campaign_id
    WHERE a.vehicle_id = v.id AND a.state IN ({IN_FLIGHT_SQL})
) AS live ON true
LEFT JOIN LATERAL (
    SELECT a.campaign_id, a.attempt FROM assignment AS a
    WHERE a.vehicle_id = v.id AND a.state = 'succeeded'
    ORDER BY a.finished_at DESC, a.campaign_id DESC LIMIT 1
) AS done ON true
WHERE v.vin = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the gateway must know of a vehicle that polls.

    ``token_hashes``: the sha256 of its token, and of the former one for as long as that is good too.
    ``action`` and ``state`` are those of its live assignment (offered, downloading or installing), if any;
    ``delivering`` says whether that campaign's gate is open under a valid lease; ``admissible`` that some
    campaign may admit it now; ``installed`` is the action it installed last.
    """

    vehicle_id: int
    vin: str
    token_hashes: tuple[bytes, ...]
    config_wanted: bool
    action: int | None
    state: Target | None
    cancel_wanted: bool
    delivering: bool
    installed: int | None
    admissible: bool


async def standings(connection: AsyncConnection, vins: Sequence[str]) -> dict[str, Standing]:
    """The standing of each vehicle by VIN; VINs that are not in the fleet are absent."""
    cursor = await connection.execute(_STANDINGS, [list(vins)])
    return {
        vin: Standing(
            vehicle_id=vehicle_id,
            vin=vin,
            token_hashes=tuple(bytes(each) for each in (token_hash, former_hash) if each is not None),
            config_wanted=config_wanted,
            action=None if campaign_id is None else action_id(campaign_id, attempt),
            state=None if state is None else Target(state),
            cancel_wanted=cancel_wanted,
            delivering=delivering,
            installed=None if done_campaign is None else action_id(done_campaign, done_attempt),
            admissible=admissible,
        )
        for (
            vehicle_id,
            vin,
            token_hash,
            former_hash,
            config_wanted,
            campaign_id,
            attempt,
            state,
            cancel_wanted,
            delivering,
            done_campaign,
            done_attempt,
            admissible,
        ) in await cursor.fetchall()
    }

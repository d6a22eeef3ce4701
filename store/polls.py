"""Where vehicles stand, for the polls of many vehicles in one statement."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from psycopg import AsyncConnection

from campaign.action import MAX_ATTEMPT, action_id
from campaign.assignment import Target
from campaign.permission import Permission
from store.consent import asked_about
from store.epoch import EPOCH_SQL
from store.permissions import FACTS_SQL, LIMITED_SQL, decide
from store.words import DELIVERING_SQL, EXCLUDED_SQL, IN_FLIGHT_SQL, OPEN_SQL, STALE_SQL, STANDS_SQL

#: What a vehicle ``v`` holds; ``priority`` is that of an offer which stands: it makes way for a higher one.
_LIVE_SQL = f"""
LEFT JOIN LATERAL (
    SELECT a.campaign_id, a.attempt, a.state, a.cancel_wanted, {STANDS_SQL} AS stands, {STALE_SQL} AS stale,
           c.priority
    FROM assignment AS a JOIN campaign AS c ON c.id = a.campaign_id
    WHERE a.vehicle_id = v.id AND a.state IN ({IN_FLIGHT_SQL})
) AS live ON true
"""

#: Whether an assignment ``a`` may be offered now: a lease that ran out may be renewed, and what was put off
#: comes again; neither is told by an epoch.
_DUE_SQL = f"({DELIVERING_SQL} AND (a.not_before IS NULL OR a.not_before <= clock_timestamp()))"

#: The assignments ``a`` of a vehicle ``v`` that wait for an offer, in campaigns whose gate is open; also
#: an offer whose window has closed, which the admission takes back first. Beside an offer that stands only
#: those of a higher priority.
_WAITING_SQL = f"""
FROM assignment AS a
JOIN campaign AS c ON c.id = a.campaign_id
JOIN phase AS p ON p.campaign_id = a.campaign_id AND p.number = a.phase
WHERE a.vehicle_id = v.id AND a.attempt < {MAX_ATTEMPT}
  AND (a.state IN ({OPEN_SQL}) OR a.state = 'offered' AND a.offer_until <= clock_timestamp())
  AND c.gate_open AND p.allowance > 0 AND NOT {EXCLUDED_SQL}
  AND (coalesce(live.stale, true) OR c.priority > live.priority)
"""

#: A success may still be told of these, however late, and changes what the vehicle sees. OFFSET makes the
#: planner look for each vehicle, here and below: for a group it would rather read those of the whole fleet.
_MAY_SUCCEED = f"""
SELECT FROM assignment AS a
WHERE a.vehicle_id = v.id AND a.fetched_at IS NOT NULL AND a.state IN ('silent', 'expired', {OPEN_SQL})
OFFSET 0
"""

#: ``limited``: null where nothing waits for the vehicle, else whether there are terms to be asked about;
#: ``put_off``: whether something may, by and by.
_STANDINGS = f"""
SELECT v.id, v.vin, v.token_hash,
       CASE WHEN v.former_token_until > clock_timestamp() THEN v.former_token_hash END,
       v.config_wanted OR EXISTS (
           SELECT FROM software_change AS s
           WHERE s.vehicle_id = v.id AND s.source = 'campaign'
             AND s.at > coalesce(v.reported_at, '-infinity')
           OFFSET 0),
       live.campaign_id, live.attempt, live.state, coalesce(live.cancel_wanted, false),
       coalesce(live.stands, false), done.campaign_id, done.attempt,
       coalesce(waiting.put_off, false) OR EXISTS ({_MAY_SUCCEED}), {EPOCH_SQL}, waiting.limited
FROM vehicle AS v {_LIVE_SQL}
LEFT JOIN LATERAL (
    SELECT bool_or({LIMITED_SQL}) FILTER (WHERE {_DUE_SQL}) AS limited, NOT bool_and({_DUE_SQL}) AS put_off
    {_WAITING_SQL}
) AS waiting ON coalesce(live.stale OR live.state = 'offered', true)
LEFT JOIN LATERAL (
    SELECT a.campaign_id, a.attempt FROM assignment AS a
    WHERE a.vehicle_id = v.id AND a.state = 'succeeded'
    ORDER BY a.finished_at DESC, a.campaign_id DESC LIMIT 1
) AS done ON true
WHERE v.vin = ANY(%s)
"""

#: The best campaign of each vehicle first.
_FACTS = f"""
SELECT v.id, w.campaign_id, w.attempt, w.facts, clock_timestamp()
FROM vehicle AS v {_LIVE_SQL}
CROSS JOIN LATERAL (
    SELECT a.campaign_id, a.attempt, {FACTS_SQL} AS facts, c.priority {_WAITING_SQL} AND {_DUE_SQL}
) AS w
WHERE v.id = ANY(%s)
ORDER BY v.id, w.priority DESC, w.campaign_id
"""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a vehicle may expect that holds no offer, or one that was not started.

    ``admissible``: some campaign may admit it now; ``confirm``: the action its owner is to be asked about;
    ``opens_in``: how long it is to the next moment at which another one may admit it, where that is known.
    """

    admissible: bool
    confirm: int | None = None
    opens_in: timedelta | None = None

    @property
    def barred(self) -> bool:
        """Nothing can be had now, neither an offer nor a question: coming soon is of no use."""
        return not self.admissible and self.confirm is None

    def with_answer(self, answer: Permission, action: int, now: datetime) -> "Outlook":
        """The same with the answer of one more campaign, a lesser one."""
        waits = [self.opens_in, None if answer.opens_at is None else answer.opens_at - now]
        return Outlook(
            admissible=self.admissible or answer.granted,
            confirm=self.confirm or (action if answer.to_ask else None),
            opens_in=min((wait for wait in waits if wait is not None), default=None),
        )


_NONE, _FREE = Outlook(admissible=False), Outlook(admissible=True)


class Standing(NamedTuple):
    """What the gateway must know of a vehicle that polls.

    ``token_hash``: the sha256 of its token; ``former_hash``: of the one before, while that is good too.
    ``action`` and ``state`` are those of its live assignment (offered, downloading or installing), if any;
    ``stands`` says whether that campaign's gate is open under a valid lease and its install window, too;
    ``installed`` is the action it installed last; ``waits``: it has an action, or some campaign that delivers
    has one for it, or a question to its owner, now; ``idle``: there is nothing for it, nor will be in this
    ``epoch`` (store/epoch.py).
    """

    vehicle_id: int
    vin: str
    token_hash: bytes | None
    former_hash: bytes | None
    config_wanted: bool
    action: int | None
    state: Target | None
    cancel_wanted: bool
    stands: bool
    installed: int | None
    outlook: Outlook
    waits: bool
    idle: bool
    epoch: int

    @property
    def admissible(self) -> bool:
        """Whether some campaign may admit it now."""
        return self.outlook.admissible


def nothing(vehicle_id: int, vin: str, installed: int | None, epoch: int) -> Standing:
    """The standing of a vehicle that is idle in this epoch."""
    return Standing(
        vehicle_id=vehicle_id,
        vin=vin,
        token_hash=None,
        former_hash=None,
        config_wanted=False,
        action=None,
        state=None,
        cancel_wanted=False,
        stands=False,
        installed=installed,
        outlook=_NONE,
        waits=False,
        idle=True,
        epoch=epoch,
    )


async def standings(connection: AsyncConnection, vins: Sequence[str]) -> dict[str, Standing]:
    """The standing of each vehicle by VIN; VINs that are not in the fleet are absent."""
    cursor = await connection.execute(_STANDINGS, [list(vins)])
    found = await cursor.fetchall()
    asked = await _outlooks(connection, [row[0] for row in found if row[-1]])
    return {
        vin: Standing(
            vehicle_id=vehicle_id,
            vin=vin,
            token_hash=token_hash,
            former_hash=former_hash,
            config_wanted=config_wanted,
            action=None if campaign_id is None else action_id(campaign_id, attempt),
            state=None if state is None else Target(state),
            cancel_wanted=cancel_wanted,
            stands=stands,
            installed=None if done_campaign is None else action_id(done_campaign, done_attempt),
            outlook=asked.get(vehicle_id, _NONE if limited is None else _FREE),
            waits=campaign_id is not None
            or (limited is not None and not asked.get(vehicle_id, _FREE).barred),
            idle=campaign_id is None and limited is None and not put_off and not config_wanted,
            epoch=epoch,
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
            stands,
            done_campaign,
            done_attempt,
            put_off,
            epoch,
            limited,
        ) in found
    }


async def _outlooks(connection: AsyncConnection, vehicles: Sequence[int]) -> dict[int, Outlook]:
    """What the rules say to these vehicles, of all campaigns that wait for them."""
    if not vehicles:
        return {}
    cursor = await connection.execute(_FACTS, [vehicles])
    found: dict[int, Outlook] = {}
    for vehicle, campaign, attempt, facts, now in await cursor.fetchall():
        answer = decide(facts, now)
        found[vehicle] = found.get(vehicle, _NONE).with_answer(answer, asked_about(campaign, attempt), now)
    return found

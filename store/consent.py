"""Consent: the question put to an owner, and every word on it. Nothing here holds a slot."""

from collections.abc import Sequence
from enum import StrEnum

from psycopg import AsyncConnection

from campaign.action import action_id, split
from campaign.assignment import OPEN, TERMINAL, Target
from campaign.permission import Consent, must_confirm
from store.offers import Deployment, described
from store.permissions import FACTS_SQL, decide, read_facts
from store.words import DELIVERING_SQL, EXCLUDED_SQL, LOCK_SQL, OPEN_SQL


class Heard(StrEnum):
    """What became of an owner's word, and so what the vehicle is answered."""

    RECORDED = "recorded"
    OVER = "over"
    NOT_ASKED = "not_asked"


_QUESTION = f"""
SELECT a.attempt, c.definition ->> 'interaction', c.package, {FACTS_SQL}, clock_timestamp()
FROM assignment AS a
JOIN campaign AS c ON c.id = a.campaign_id
JOIN phase AS p ON p.campaign_id = a.campaign_id AND p.number = a.phase
JOIN vehicle AS v ON v.id = a.vehicle_id
WHERE a.vehicle_id = %s AND a.campaign_id = %s AND a.state IN ({OPEN_SQL})
  AND {DELIVERING_SQL} AND p.allowance > 0 AND NOT {EXCLUDED_SQL}
"""

_ASSIGNMENT = f"""
SELECT a.state, a.attempt, {FACTS_SQL}
FROM assignment AS a JOIN campaign AS c ON c.id = a.campaign_id JOIN vehicle AS v ON v.id = a.vehicle_id
WHERE a.vehicle_id = %s AND a.campaign_id = %s
"""

_WRITE = """
INSERT INTO consent (vehicle_id, campaign_id, state, message_version, details) VALUES (%s, %s, %s, %s, %s)
"""

_TAKE_BACK = """
UPDATE assignment SET state = 'pending'
WHERE vehicle_id = %s AND campaign_id = %s AND state = 'offered'
"""


def asked_about(campaign_id: int, attempt: int) -> int:
    """The action an owner is asked about: the first offer's id, or that of the last one."""
    return action_id(campaign_id, max(attempt, 1))


async def question(connection: AsyncConnection, vehicle_id: int, action: int) -> Deployment | None:
    """What the owner is asked to confirm; that it was asked is recorded, once for each message.

    None where there is nothing to ask now.
    """
    campaign_id, _ = split(action)
    row = await (await connection.execute(_QUESTION, (vehicle_id, campaign_id))).fetchone()
    if row is None:
        return None
    attempt, interaction, package, facts, now = row
    if asked_about(campaign_id, attempt) != action or not decide(facts, now).to_ask:
        return None
    known = read_facts(facts)
    last = known.spoken
    if last is None or (last.state, last.message_version) != (Consent.ASKED, known.terms.message_version):
        word = (Consent.ASKED.value, known.terms.message_version, list[str]())
        await connection.execute(_WRITE, (vehicle_id, campaign_id, *word))
    return await described(connection, action, Target.PENDING, interaction, package)


async def hear(
    connection: AsyncConnection, vehicle_id: int, action: int, word: Consent, details: Sequence[str]
) -> Heard:
    """Record what the owner said; anything but a yes takes an offer back that was not started.

    A repeated word changes nothing. An update that has begun is past asking.
    """
    campaign_id, _ = split(action)
    key = (vehicle_id, campaign_id)
    await connection.execute(LOCK_SQL, [[campaign_id]])
    row = await (await connection.execute(_ASSIGNMENT, key)).fetchone()
    if row is None or asked_about(campaign_id, row[1]) != action:
        return Heard.NOT_ASKED
    state, known = Target(row[0]), read_facts(row[2])
    if state in TERMINAL:
        return Heard.OVER
    if state not in OPEN | {Target.OFFERED} or not must_confirm(known.terms, known.owner):
        return Heard.NOT_ASKED
    last, version = known.spoken, known.terms.message_version
    if last is None or (last.state, last.message_version) != (word, version):
        await connection.execute(_WRITE, (*key, word.value, version, list(details)))
    if word is not Consent.CONFIRMED:
        await connection.execute(_TAKE_BACK, key)
    return Heard.RECORDED

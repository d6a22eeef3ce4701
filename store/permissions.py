"""What must be known of a vehicle and a campaign before the one is offered the other, as SQL and as rules.

Most vehicles and campaigns set no terms: ``LIMITED_SQL`` says so from two rows a poll reads anyway, and only
for the others the facts are read and the rules asked (campaign/permission.py).
"""

from datetime import datetime
from functools import lru_cache

from campaign.model import Message
from campaign.permission import Owner, Permission, Spoken, Terms, permission

#: Whether a campaign ``c`` or the owner of a vehicle ``v`` sets terms.
LIMITED_SQL = "(c.limited OR v.install_window IS NOT NULL OR v.update_preference IS NOT NULL)"

#: The facts behind an assignment ``a`` of a campaign ``c`` and a vehicle ``v``, for `Facts`. With OFFSET a
#: vehicle is looked up by itself, where the planner would find all that are spared first.
FACTS_SQL = """CAST(jsonb_build_object(
    'terms', c.terms,
    'owner', jsonb_build_object('zone', v.timezone, 'window', v.install_window,
                                'preference', coalesce(v.update_preference, 'automatic'),
                                'spared', EXISTS (SELECT FROM auto_confirm WHERE vehicle_id = v.id OFFSET 0)),
    'spoken', (
        SELECT jsonb_build_object('state', k.state, 'at', k.at, 'message_version', k.message_version)
        FROM consent AS k WHERE k.vehicle_id = a.vehicle_id AND k.campaign_id = a.campaign_id
        ORDER BY k.id DESC LIMIT 1)) AS text)"""


class Facts(Message):
    """The terms of a campaign, the wishes of an owner and the last word between them."""

    terms: Terms
    owner: Owner
    spoken: Spoken | None = None


@lru_cache(maxsize=10_000)
def read_facts(text: str) -> Facts:
    """Facts as ``FACTS_SQL`` gives them; vehicles of one zone whose owners said nothing share them."""
    return Facts.model_validate_json(text)


def decide(facts: str, now: datetime) -> Permission:
    """The answer of the rules to facts as ``FACTS_SQL`` gives them."""
    known = read_facts(facts)
    return permission(known.terms, known.owner, known.spoken, now)

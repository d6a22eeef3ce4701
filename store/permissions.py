"""What must be known of a vehicle and a campaign before the one is offered the other, as SQL and as rules.

Most vehicles and campaigns set no terms: ``LIMITED_SQL`` says so from two rows a poll reads anyway, and only
for the others the facts are read and the rules asked (campaign/permission.py).
"""

from datetime import datetime
from typing import Any

from campaign.model import Message
from campaign.permission import Owner, Permission, Spoken, Terms, permission

#: Whether a campaign ``c`` or the owner of a vehicle ``v`` sets terms.
LIMITED_SQL = "(c.limited OR v.install_window IS NOT NULL OR v.update_preference IS NOT NULL)"

#: The facts behind an assignment ``a`` of a campaign ``c`` and a vehicle ``v``, for `Facts`.
FACTS_SQL = """jsonb_build_object(
    'terms', c.terms,
    'owner', jsonb_build_object('zone', v.timezone, 'window', v.install_window,
                                'preference', coalesce(v.update_preference, 'automatic')),
    'spoken', (
        SELECT jsonb_build_object('state', k.state, 'at', k.at, 'message_version', k.message_version)
        FROM consent AS k WHERE k.vehicle_id = a.vehicle_id AND k.campaign_id = a.campaign_id
        ORDER BY k.id DESC LIMIT 1))"""


class Facts(Message):
    """The terms of a campaign, the wishes of an owner and the last word between them."""

    terms: Terms
    owner: Owner
    spoken: Spoken | None = None


def decide(facts: dict[str, Any], now: datetime) -> Permission:
    """The answer of the rules to facts as ``FACTS_SQL`` gives them."""
    known = Facts.model_validate(facts)
    return permission(known.terms, known.owner, known.spoken, now)

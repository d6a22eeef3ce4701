"""Whether a vehicle may be offered a campaign now: owner, consent and install window, in this order.

Rules: a general or beta campaign goes by what the owner prefers, also by the owner's window in place of its
own; a recall goes by neither, for it is the law that wants it. Who must be asked is not offered anything
before the confirmation, recall or not. Outside its window nobody is offered anything, and where the zone is
not known no window is known to be open. What a vehicle needs to install safely it judges itself.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from campaign.definition import CampaignType, Definition, Interaction
from campaign.install_window import CampaignWindow, InstallWindow, closing, next_opening
from campaign.model import Message
from campaign.vehicle import Preference

#: An owner who has put it off is asked again the day after.
ASKED_AGAIN_AFTER = timedelta(days=1)


class Consent(StrEnum):
    """How far an owner has been asked; only ``confirmed`` is a yes."""

    ASKED = "asked"
    CONFIRMED = "confirmed"
    DENIED = "denied"
    POSTPONED = "postponed"


class Answer(StrEnum):
    """What a vehicle is told, and why."""

    GRANTED = "granted"
    UNWANTED = "unwanted"
    UNCONFIRMED = "unconfirmed"
    DENIED = "denied"
    POSTPONED = "postponed"
    ZONE_UNKNOWN = "zone_unknown"
    OUTSIDE_WINDOW = "outside_window"


class Terms(Message):
    """What a campaign asks of the vehicles it is offered to."""

    type: CampaignType = CampaignType.GENERAL
    interaction: Interaction = Interaction.SILENT
    window: CampaignWindow | None = None
    message_version: str = "1"

    @property
    def limited(self) -> bool:
        """Whether there is anything to ask at all, whatever the owner prefers."""
        return self.window is not None or self.interaction is Interaction.CONFIRM


class Owner(Message):
    """What is known of a vehicle's place and its owner's wishes.

    ``zone`` is an IANA name; ``spared``: the owner has confirmed all that will come.
    """

    zone: str | None = None
    window: InstallWindow | None = None
    preference: Preference = Preference.AUTOMATIC
    spared: bool = False


class Spoken(Message):
    """The last word on consent: when, and to which version of the message."""

    state: Consent
    at: datetime
    message_version: str


class Permission(Message):
    """``until``: when a granted one ends; ``opens_at``: when it may be asked for again; both in UTC."""

    answer: Answer
    until: datetime | None = None
    opens_at: datetime | None = None

    @property
    def granted(self) -> bool:
        return self.answer is Answer.GRANTED

    @property
    def to_ask(self) -> bool:
        """Whether the owner is to be asked now."""
        return self.answer is Answer.UNCONFIRMED


def terms_of(definition: Definition) -> Terms:
    """The terms a definition sets."""
    return Terms(
        type=definition.type,
        interaction=definition.interaction,
        window=definition.window,
        message_version=definition.message_version,
    )


def permission(terms: Terms, owner: Owner, spoken: Spoken | None, now: datetime) -> Permission:
    """Whether a vehicle may be offered a campaign now.

    Args:
        terms: the campaign's.
        owner: the vehicle's.
        spoken: the last word on consent to this campaign, if any.
        now: aware.
    """
    respected = terms.type is not CampaignType.RECALL
    if respected and owner.preference is Preference.NEVER:
        return Permission(answer=Answer.UNWANTED)
    if must_confirm(terms, owner):
        refusal = _unconfirmed(terms, spoken, now)
        if refusal is not None:
            return refusal
    window = (owner.window if respected else None) or terms.window
    if window is None:
        return Permission(answer=Answer.GRANTED)
    zone = owner.zone or (terms.window.time_zone if terms.window else None)
    if zone is None:
        return Permission(answer=Answer.ZONE_UNKNOWN)
    until = closing(window, ZoneInfo(zone), now)
    if until is None:
        opens_at = next_opening(window, ZoneInfo(zone), now)
        return Permission(answer=Answer.OUTSIDE_WINDOW, opens_at=opens_at)
    return Permission(answer=Answer.GRANTED, until=until)


def must_confirm(terms: Terms, owner: Owner) -> bool:
    """Whether nothing is offered before the owner has confirmed."""
    wishes = owner.preference is Preference.ASK and terms.type is not CampaignType.RECALL
    return not owner.spared and (wishes or terms.interaction is Interaction.CONFIRM)


def _unconfirmed(terms: Terms, spoken: Spoken | None, now: datetime) -> Permission | None:
    """Why the owner's word is no yes to this message; None: it is one."""
    if spoken is None or spoken.message_version != terms.message_version or spoken.state is Consent.ASKED:
        return Permission(answer=Answer.UNCONFIRMED)
    if spoken.state is Consent.CONFIRMED:
        return None
    if spoken.state is Consent.DENIED:
        return Permission(answer=Answer.DENIED)
    again = spoken.at + ASKED_AGAIN_AFTER
    if now >= again:
        return Permission(answer=Answer.UNCONFIRMED)
    return Permission(answer=Answer.POSTPONED, opens_at=again)

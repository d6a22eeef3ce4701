"""Why a vehicle put an update off, read from its own words: a reason that can be counted, and the value."""

import re
from collections.abc import Sequence
from enum import StrEnum

from campaign.model import Message

#: More is a sentence and not a value.
LONGEST_VALUE = 40


class DeferralReason(StrEnum):
    """The preconditions vehicles name, and what is none; ``other`` is all that is not understood."""

    LOW_BATTERY = "low_battery"
    NOT_PARKED = "not_parked"
    IGNITION_ON = "ignition_on"
    CHARGING = "charging"
    TEMPERATURE = "temperature"
    STORAGE = "storage"
    NETWORK = "network"
    OWNER = "owner"
    UNPROVEN = "unproven"
    OTHER = "other"


class Deferral(Message):
    """``value`` is what was measured, with its unit, as the vehicle wrote it."""

    reason: DeferralReason
    value: str | None = None


#: Words that name a reason, at the beginning of a word; the first reason that is found counts.
_WORDS: tuple[tuple[DeferralReason, str], ...] = (
    (DeferralReason.CHARGING, r"charging|plugged|charger"),
    (DeferralReason.LOW_BATTERY, r"batter(?:y|ies)|soc|state of charge|low voltage|12 ?v"),
    (DeferralReason.NOT_PARKED, r"not parked|parking brake|moving|driving|speed|gear|not in park"),
    (DeferralReason.IGNITION_ON, r"ignition|engine"),
    (DeferralReason.TEMPERATURE, r"temperature|too (?:hot|cold)|overheat"),
    (DeferralReason.STORAGE, r"storage|disk|no space|memory|flash full"),
    (DeferralReason.NETWORK, r"network|signal|roaming|connection|wi-?fi|metered"),
    (DeferralReason.OWNER, r"owner|driver|user|postponed|declined|occupied"),
)
_PATTERNS = tuple((reason, re.compile(rf"(?<![a-z])(?:{words})(?![a-z])")) for reason, words in _WORDS)

_NUMBER = r"[-+]?\d+(?:[.,]\d+)?"
#: A number with its unit; one without must follow a colon or an equals sign, for codes are numbers too.
_MEASURED = re.compile(
    rf"(?<![\w.]){_NUMBER}\s?(?:%|°\s?[CF]|(?:[kM]?V|km/h|mph|[kMG]i?B|dBm|A|C|K|s|min|h)\b)"
)
_STATED = re.compile(rf"(?<=[:=])\s*{_NUMBER}(?![\w.])")


def read_deferral(details: Sequence[str]) -> Deferral:
    """The reason and the value in the messages of a deferral; the first one with a known reason decides."""
    for text in details:
        lower = text.lower().replace("_", " ")
        for reason, pattern in _PATTERNS:
            if pattern.search(lower):
                return Deferral(reason=reason, value=_value(text))
    return Deferral(reason=DeferralReason.OTHER, value=next(filter(None, map(_value, details)), None))


def _value(text: str) -> str | None:
    """What was measured, else nothing; a name such as ``battery_12v`` holds no measured voltage."""
    found = _MEASURED.search(text) or _STATED.search(text)
    return " ".join(found[0].split())[:LONGEST_VALUE] if found else None

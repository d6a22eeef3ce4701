"""What a vehicle tells of an action, and what becomes of it."""

from datetime import datetime
from enum import StrEnum
from typing import Literal, NamedTuple

from campaign.assignment import Said

Channel = Literal["deployment", "cancel"]


class Report(NamedTuple):
    """One feedback of one vehicle; ``device_at`` is the vehicle's own clock.

    ``known_in`` is the epoch (store/epoch.py) in which the vehicle had proven who it is, where it was not
    asked since. In another one the report is not recorded.
    """

    vehicle_id: int
    action: int
    channel: Channel
    said: Said
    device_at: datetime | None = None
    known_in: int | None = None


class Effect(StrEnum):
    """What became of a report, and so what the vehicle is answered."""

    RECORDED = "recorded"
    OVER = "over"
    UNKNOWN = "unknown"
    NOT_CANCELLING = "not_cancelling"
    UNPROVEN = "unproven"

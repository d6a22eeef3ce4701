"""When a vehicle may begin an installation: hours of the day in its own time zone.

On each of its days a window opens once: at the first moment at which the vehicle's clock shows ``from`` or
later, and it closes at the first moment after that at which the clock shows ``to`` or later. So a window
that begins in the hour the clocks skip opens when they have skipped it, one that begins in the hour they
repeat opens in the first of the two, and one that crosses midnight belongs to the day it begins on. A window
that lies wholly in the skipped hour lasts as long as it says, from the skip on.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from functools import lru_cache
from itertools import takewhile
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from campaign.model import Frozen
from campaign.time_zones import TimeZone

_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d|24:00")

#: Each day of the week comes once in so many days, and a window of yesterday may still be open.
_YESTERDAY, _WEEK = -1, 8


class Day(StrEnum):
    """A day of the week, Monday first."""

    MONDAY = "mon"
    TUESDAY = "tue"
    WEDNESDAY = "wed"
    THURSDAY = "thu"
    FRIDAY = "fri"
    SATURDAY = "sat"
    SUNDAY = "sun"


def _time_of_day(value: Any) -> Any:
    """A time of day as text: YAML 1.1 makes the number 1320 of a bare 22:00."""
    if not isinstance(value, str) or not _TIME.fullmatch(value.strip()):
        raise ValueError('not a time of day; write it in quotes, from "00:00" to "24:00"')
    return value


TimeOfDay = Annotated[str, BeforeValidator(_time_of_day)]


def _since_midnight(text: str) -> timedelta:
    hours, minutes = text.split(":")
    return timedelta(hours=int(hours), minutes=int(minutes))


class InstallWindow(Frozen):
    """From one time of day up to another, on the next day if it is not later; on all days or some."""

    from_: TimeOfDay = Field(alias="from")
    to: TimeOfDay
    days: tuple[Day, ...] | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _lasts(self) -> "InstallWindow":
        if not self.length:
            raise ValueError('from and to are the same; for the whole day write from "00:00" to "24:00"')
        if self.from_ == "24:00":
            raise ValueError('a window begins at "00:00", not at "24:00"')
        return self

    @property
    def length(self) -> timedelta:
        """How long it lasts on a day without a change of clocks, above 0 to 24 hours."""
        length = _since_midnight(self.to) - _since_midnight(self.from_)
        return length if length >= timedelta(0) else length + timedelta(days=1)

    def on(self, day: date) -> bool:
        """Whether it opens on this day."""
        return self.days is None or list(Day)[day.weekday()] in self.days

    def __str__(self) -> str:
        return f"{self.from_} to {self.to}" + (f" on {', '.join(self.days)}" if self.days else "")


class CampaignWindow(InstallWindow):
    """The window of a campaign; ``time_zone`` is that of vehicles whose own is not known."""

    time_zone: TimeZone | None = None


#: When a forced installation takes place unless its campaign says otherwise.
NIGHT = CampaignWindow.model_validate({"from": "02:00", "to": "05:00"})


def is_open(window: InstallWindow, zone: tzinfo, now: datetime) -> bool:
    """Whether a vehicle in this zone may begin now."""
    return closing(window, zone, now) is not None


def closing(window: InstallWindow, zone: tzinfo, now: datetime) -> datetime | None:
    """When the window that is open now closes, in UTC; None: it is not open."""
    begun = takewhile(lambda opening: opening[0] <= now, _openings(window, zone, now))
    return next((end for _, end in begun if now < end), None)


def next_opening(window: InstallWindow, zone: tzinfo, now: datetime) -> datetime:
    """When a vehicle in this zone may begin, in UTC: ``now`` while the window is open."""
    return next(max(start, now.astimezone(UTC)) for start, end in _openings(window, zone, now) if end > now)


def _openings(window: InstallWindow, zone: tzinfo, now: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Beginnings and ends around ``now``, in their order; yesterday's may reach into today."""
    today = now.astimezone(zone).date()
    for shift in range(_YESTERDAY, _WEEK + 1):
        day = today + timedelta(days=shift)
        if window.on(day):
            yield _opening(window, zone, day)


@lru_cache(maxsize=10_000)
def _opening(window: InstallWindow, zone: tzinfo, day: date) -> tuple[datetime, datetime]:
    """The same for all vehicles of a zone, and asked at each of their polls."""
    begins = datetime.combine(day, time()) + _since_midnight(window.from_)
    start, end = _reached(begins, zone), _reached(begins + window.length, zone)
    return start, end if end > start else start + window.length


def _reached(local: datetime, zone: tzinfo) -> datetime:
    """The first moment at which the clocks of a zone show this local time or a later one, in UTC."""
    first, second = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first <= second:
        return first
    # No clock shows it: it is reached with the change itself, which lies between its two readings.
    seconds = range((first - second) // timedelta(seconds=1) + 1)
    after = first.astimezone(zone).utcoffset()
    changed = bisect_left(
        seconds, True, key=lambda s: (second + timedelta(seconds=s)).astimezone(zone).utcoffset() == after
    )
    return second + timedelta(seconds=changed)

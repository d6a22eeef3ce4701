"""Time zones as IANA names them."""

from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator

from campaign.problems import closest

_ZONES = available_timezones()


def check_time_zone(name: str) -> str:
    """The same name, if it is an IANA time zone.

    Raises:
        ValueError: it is not; the message names the closest one.
    """
    if name not in _ZONES:
        raise ValueError(f"unknown time zone; {closest(name, _ZONES)}")
    return name


TimeZone = Annotated[str, AfterValidator(check_time_zone)]

"""The polls of a whole night, also of those in which the clocks change: from noon to the offer, as the
rules and the wire together say.

| Given | Then |
|---|---|
| a window, a zone and a night | it is granted nothing before the opening, and comes shortly after it |
| a vehicle that has begun its poll as the window closes | it is granted nothing |
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from campaign.install_window import CampaignWindow
from campaign.permission import Answer, Owner, Terms, permission
from gateway.messages import OPENING_SPREAD, sleep

MOMENT = timedelta(microseconds=1)
VINS = [f"5YJYGDEE0MF00{number:04}" for number in range(12)]

#: Window, zone, the noon before in local time, and the opening and the close in UTC.
NIGHTS = [
    # an ordinary night
    ("02:00", "05:00", "Europe/Berlin", "2026-01-10", "2026-01-11T01:00", "2026-01-11T04:00"),
    # the clocks skip from 02:00 to 03:00
    ("02:00", "05:00", "Europe/Berlin", "2026-03-28", "2026-03-29T01:00", "2026-03-29T03:00"),
    ("02:30", "05:00", "Europe/Berlin", "2026-03-28", "2026-03-29T01:00", "2026-03-29T03:00"),
    ("02:00", "05:00", "America/New_York", "2026-03-07", "2026-03-08T07:00", "2026-03-08T09:00"),
    # the hour from 02:00 comes twice
    ("02:00", "05:00", "Europe/Berlin", "2026-10-24", "2026-10-25T00:00", "2026-10-25T04:00"),
    ("02:30", "05:00", "Europe/Berlin", "2026-10-24", "2026-10-25T00:30", "2026-10-25T04:00"),
    ("01:00", "03:00", "America/New_York", "2026-10-31", "2026-11-01T05:00", "2026-11-01T08:00"),
    # over midnight, in all three nights
    ("22:00", "04:00", "Europe/Berlin", "2026-01-10", "2026-01-10T21:00", "2026-01-11T03:00"),
    ("22:00", "04:00", "Europe/Berlin", "2026-03-28", "2026-03-28T21:00", "2026-03-29T02:00"),
    ("22:00", "04:00", "Europe/Berlin", "2026-10-24", "2026-10-24T20:00", "2026-10-25T03:00"),
    ("23:30", "00:30", "Europe/Berlin", "2026-03-28", "2026-03-28T22:30", "2026-03-28T23:30"),
    # the clocks change at midnight itself
    ("23:00", "01:00", "Africa/Cairo", "2026-10-29", "2026-10-29T20:00", "2026-10-29T23:00"),
    ("00:00", "03:00", "Africa/Cairo", "2026-04-23", "2026-04-23T22:00", "2026-04-24T00:00"),
    # the southern half, and a zone that is a day ahead
    ("02:00", "05:00", "Australia/Sydney", "2026-10-03", "2026-10-03T16:00", "2026-10-03T18:00"),
    ("02:00", "05:00", "Pacific/Kiritimati", "2026-01-10", "2026-01-10T12:00", "2026-01-10T15:00"),
]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def terms(begins: str, ends: str) -> Terms:
    return Terms(window=CampaignWindow.model_validate({"from": begins, "to": ends}))


def slept(vin: str, interval: timedelta, opens_in: timedelta) -> timedelta:
    hours, minutes, seconds = (int(part) for part in sleep(vin, interval, opens_in).split(":"))
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


@pytest.mark.parametrize("interval", [timedelta(minutes=1), timedelta(minutes=37), timedelta(hours=23)])
@pytest.mark.parametrize("night", NIGHTS, ids=lambda night: " ".join(night[:4]))
def test_a_vehicle_that_sleeps_as_it_is_told_meets_its_window_soon_after_it_opens(
    night: tuple[str, ...], interval: timedelta
) -> None:
    begins, ends, zone, day, opens, closes = night
    for vin in VINS:
        now = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        answer = permission(terms(begins, ends), Owner(zone=zone), None, now)
        while not answer.granted:
            assert now < utc(opens)
            assert (answer.answer, answer.opens_at) == (Answer.OUTSIDE_WINDOW, utc(opens))
            now += slept(vin, interval, utc(opens) - now)
            answer = permission(terms(begins, ends), Owner(zone=zone), None, now)
        assert answer.until == utc(closes)
        assert utc(opens) <= now <= utc(opens) + min(interval, OPENING_SPREAD) + timedelta(seconds=1)


@pytest.mark.parametrize("night", NIGHTS, ids=lambda night: " ".join(night[:4]))
def test_the_edges_of_a_window_are_exact(night: tuple[str, ...]) -> None:
    begins, ends, zone, _, opens, closes = night
    asked = terms(begins, ends)
    granted = {
        moment: permission(asked, Owner(zone=zone), None, moment).granted
        for edge in (utc(opens), utc(closes))
        for moment in (edge - MOMENT, edge)
    }
    assert list(granted.values()) == [False, True, True, False]

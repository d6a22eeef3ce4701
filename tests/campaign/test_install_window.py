"""Install windows: open in the vehicle's own time, over both changes of clocks and over midnight.

| Given | When | Then |
|---|---|---|
| 02:00 to 05:00 | the clocks skip from 02:00 to 03:00 | it opens at 03:00 and lasts two hours |
| 02:00 to 05:00 | the hour from 02:00 comes twice | it opens in the first one and lasts four hours |
| 02:15 to 02:45 | the clocks skip it wholly | it opens when they have, and lasts half an hour |
| 22:00 to 02:00 on Saturdays | it is Sunday, 01:00 | it is open |
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from campaign.install_window import NIGHT, Day, InstallWindow, closing, is_open, next_opening


def window(begins: Any, ends: Any, *days: Any) -> InstallWindow:
    return InstallWindow.model_validate({"from": begins, "to": ends} | ({"days": days} if days else {}))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


BERLIN = "Europe/Berlin"

#: Window, zone, now, when it opens, when it closes then; all but the window in UTC.
OPENINGS = [
    # Berlin in winter and in summer
    (window("02:00", "05:00"), BERLIN, "2026-01-10T00:59", "2026-01-10T01:00", "2026-01-10T04:00"),
    (window("02:00", "05:00"), BERLIN, "2026-01-10T01:00", "2026-01-10T01:00", "2026-01-10T04:00"),
    (window("02:00", "05:00"), BERLIN, "2026-01-10T03:59", "2026-01-10T03:59", "2026-01-10T04:00"),
    (window("02:00", "05:00"), BERLIN, "2026-01-10T04:00", "2026-01-11T01:00", "2026-01-11T04:00"),
    (window("02:00", "05:00"), BERLIN, "2026-07-10T00:00", "2026-07-10T00:00", "2026-07-10T03:00"),
    # 29 March 2026: from 02:00 to 03:00 there is nothing
    (window("02:00", "05:00"), BERLIN, "2026-03-28T12:00", "2026-03-29T01:00", "2026-03-29T03:00"),
    (window("02:30", "05:00"), BERLIN, "2026-03-29T00:00", "2026-03-29T01:00", "2026-03-29T03:00"),
    (window("02:45", "03:15"), BERLIN, "2026-03-29T00:00", "2026-03-29T01:00", "2026-03-29T01:15"),
    (window("01:00", "02:30"), BERLIN, "2026-03-28T12:00", "2026-03-29T00:00", "2026-03-29T01:00"),
    (window("02:15", "02:45"), BERLIN, "2026-03-28T12:00", "2026-03-29T01:00", "2026-03-29T01:30"),
    (window("02:00", "03:00"), BERLIN, "2026-03-28T12:00", "2026-03-29T01:00", "2026-03-29T02:00"),
    # 25 October 2026: from 02:00 to 03:00 twice
    (window("02:00", "05:00"), BERLIN, "2026-10-24T12:00", "2026-10-25T00:00", "2026-10-25T04:00"),
    (window("02:15", "02:45"), BERLIN, "2026-10-25T00:00", "2026-10-25T00:15", "2026-10-25T00:45"),
    (window("02:15", "02:45"), BERLIN, "2026-10-25T01:20", "2026-10-26T01:15", "2026-10-26T01:45"),
    (window("02:30", "03:30"), BERLIN, "2026-10-25T00:00", "2026-10-25T00:30", "2026-10-25T02:30"),
    # over midnight; the day is the one it begins on
    (window("22:00", "02:00"), BERLIN, "2026-01-10T22:00", "2026-01-10T22:00", "2026-01-11T01:00"),
    (window("22:00", "02:00", "sat"), BERLIN, "2026-01-11T00:00", "2026-01-11T00:00", "2026-01-11T01:00"),
    (window("22:00", "02:00", "sun"), BERLIN, "2026-01-11T00:00", "2026-01-11T21:00", "2026-01-12T01:00"),
    (window("22:00", "02:00"), BERLIN, "2026-03-28T23:00", "2026-03-28T23:00", "2026-03-29T01:00"),
    (window("22:00", "24:00"), BERLIN, "2026-01-10T22:00", "2026-01-10T22:00", "2026-01-10T23:00"),
    (window("22:00", "00:00"), BERLIN, "2026-01-10T22:00", "2026-01-10T22:00", "2026-01-10T23:00"),
    # the whole day has 23, 24 and 25 hours
    (window("00:00", "24:00"), BERLIN, "2026-03-28T23:00", "2026-03-28T23:00", "2026-03-29T22:00"),
    (window("00:00", "24:00"), BERLIN, "2026-10-24T22:00", "2026-10-24T22:00", "2026-10-25T23:00"),
    # once a week, just missed
    (window("02:00", "05:00", "wed"), BERLIN, "2026-01-14T04:00", "2026-01-21T01:00", "2026-01-21T04:00"),
    (window("02:15", "02:45", "sun"), BERLIN, "2026-03-22T02:00", "2026-03-29T01:00", "2026-03-29T01:30"),
    # clocks that change at midnight, by half an hour, by two hours; offsets of half hours; the date line
    (window("00:00", "03:00"), "Africa/Cairo", "2026-04-23T12:00", "2026-04-23T22:00", "2026-04-24T00:00"),
    (window("23:00", "01:00"), "Africa/Cairo", "2026-10-29T12:00", "2026-10-29T20:00", "2026-10-29T23:00"),
    (window("02:10", "02:20"), "Australia/LHI", "2026-10-03T12", "2026-10-03T15:30", "2026-10-03T15:40"),
    (window("01:30", "02:30"), "Antarctica/Troll", "2026-03-28T12", "2026-03-29T01", "2026-03-29T02"),
    (window("02:00", "05:00"), "Asia/Kolkata", "2026-01-10T12:00", "2026-01-10T20:30", "2026-01-10T23:30"),
    (window("02:00", "05:00"), "Pacific/Kiritimati", "2026-01-10T00", "2026-01-10T12", "2026-01-10T15"),
    (window("02:00", "05:00"), "America/Los_Angeles", "2026-03-08T00", "2026-03-08T10", "2026-03-08T12"),
]  # fmt: skip


@pytest.mark.parametrize(("given_window", "zone", "now", "opens", "closes"), OPENINGS)
def test_a_window_opens_and_closes_by_the_clock_of_its_zone(
    given_window: InstallWindow, zone: str, now: str, opens: str, closes: str
) -> None:
    place = ZoneInfo(zone)
    start = next_opening(given_window, place, utc(now))
    assert (start, closing(given_window, place, start)) == (utc(opens), utc(closes))
    assert is_open(given_window, place, utc(now)) == (now == opens)


TIMES = st.integers(0, 24 * 60 - 1).map(lambda minutes: f"{minutes // 60:02}:{minutes % 60:02}")
WINDOWS = st.builds(
    lambda begins, ends, days: (begins, ends, sorted(days, key=list(Day).index)),
    TIMES,
    TIMES,
    st.sets(st.sampled_from(Day)),
)
ZONES = st.sampled_from(sorted(available_timezones())).map(ZoneInfo)
MOMENTS = st.integers(0, 12 * 366 * 24 * 3600).map(
    lambda seconds: utc("2024-01-01") + timedelta(seconds=seconds)
)


@given(WINDOWS, ZONES, MOMENTS, st.floats(0, 0.999))
def test_the_next_opening_is_open_near_and_nothing_before_it_is(
    hours: tuple[str, str, list[Day]], zone: ZoneInfo, now: datetime, part: float
) -> None:
    begins, ends, days = hours
    assume(begins != ends)
    chosen = window(begins, ends, *days)
    start = next_opening(chosen, zone, now)
    assert is_open(chosen, zone, start)
    assert now <= start <= now + timedelta(days=8)
    assert start == now or not is_open(chosen, zone, now + (start - now) * part)
    end = closing(chosen, zone, start)
    assert end is not None
    assert start < end <= start + timedelta(hours=26)
    assert is_open(chosen, zone, start + (end - start) * part)


@given(WINDOWS, ZONES, MOMENTS)
def test_while_no_clock_changes_a_window_is_open_when_the_clock_shows_its_hours(
    hours: tuple[str, str, list[Day]], zone: ZoneInfo, now: datetime
) -> None:
    begins, ends, days = hours
    assume(begins != ends)
    around = {(now + timedelta(hours=step)).astimezone(zone).utcoffset() for step in range(-48, 49, 3)}
    assume(len(around) == 1)
    local = now.astimezone(zone)
    shown = f"{local:%H:%M}"
    late = begins > ends and shown < ends
    began_on = (local - timedelta(days=1) if late else local).weekday()
    within = begins <= shown < ends if begins < ends else shown >= begins or late
    assert is_open(window(begins, ends, *days), zone, now) == (
        within and (not days or list(Day)[began_on] in days)
    )


def test_a_forced_installation_takes_place_from_two_in_the_night() -> None:
    assert str(NIGHT) == "02:00 to 05:00"


@pytest.mark.parametrize(
    ("begins", "ends", "days", "message"),
    [
        (1320, "23:00", ["mon"], "write it in quotes"),
        ("2:00", "05:00", ["mon"], "not a time of day"),
        ("02:60", "05:00", ["mon"], "not a time of day"),
        ("25:00", "05:00", ["mon"], "not a time of day"),
        ("02:00:30", "05:00", ["mon"], "not a time of day"),
        ("02:00", None, ["mon"], "not a time of day"),
        ("02:00", "02:00", ["mon"], 'for the whole day write from "00:00" to "24:00"'),
        ("24:00", "02:00", ["mon"], 'begins at "00:00"'),
        ("02:00", "05:00", ["monday"], "Input should be 'mon', 'tue'"),
    ],
)
def test_what_is_no_window_is_refused(begins: Any, ends: Any, days: list[str], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        window(begins, ends, *days)


def test_a_window_on_no_day_is_refused() -> None:
    with pytest.raises(ValidationError, match="at least 1 item"):
        InstallWindow.model_validate({"from": "02:00", "to": "05:00", "days": []})

"""How long a vehicle waits before its next poll.

| It has or awaits an action | Pressure | Then it waits |
|---|---|---|
| yes | 0 | the short interval |
| no | 0 | the long one |
| either | each level more | twice as long, an hour at the most |
"""

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign.polling import FALL_PAUSE, FALLS_AT, HIGHEST_LEVEL, LONGEST, RISES_AT, Pressure, interval

SOON, SELDOM = timedelta(minutes=1), timedelta(minutes=10)
TIMES = st.timedeltas(min_value=timedelta(seconds=1), max_value=timedelta(days=1))


@pytest.mark.parametrize(
    ("waits", "level", "expected"),
    [
        (True, 0, SOON),
        (True, 1, 2 * SOON),
        (True, 3, 8 * SOON),
        (False, 0, SELDOM),
        (False, 2, 4 * SELDOM),
        (False, 3, LONGEST),
    ],
)
def test_the_wait_follows_need_and_pressure(waits: bool, level: int, expected: timedelta) -> None:
    assert interval(waits=waits, soon=SOON, seldom=SELDOM, level=level) == expected


@given(waits=st.booleans(), soon=TIMES, seldom=TIMES)
def test_pressure_never_shortens_a_wait_nor_stretches_it_beyond_an_hour(
    waits: bool, soon: timedelta, seldom: timedelta
) -> None:
    found = [
        interval(waits=waits, soon=soon, seldom=seldom, level=level) for level in range(HIGHEST_LEVEL + 1)
    ]
    usual = soon if waits else seldom
    assert found[0] == usual
    assert found == sorted(found)
    assert found[-1] <= max(LONGEST, usual)


def looks(fills: list[float], seconds: float) -> list[int]:
    """The levels after looks of so much fill, so far apart."""
    pressure, levels = Pressure(), []
    for number, fill in enumerate(fills):
        pressure = pressure.after(fill, timedelta(seconds=number * seconds))
        levels.append(pressure.level)
    return levels


def test_the_level_rises_at_once_and_then_step_by_step() -> None:
    assert looks([0.0, 1.0, 1.0, 1.0, 1.0], 0.1) == [0, 1, 1, 1, 1]
    assert looks([1.0] * 6, 5) == [1, 2, 3, 3, 3, 3]


def test_the_level_falls_one_at_a_time_after_a_minute_of_calm_each() -> None:
    assert looks([1.0, 1.0, *[0.0] * 10], 30) == [1, 2, 2, 2, 1, 1, 0, 0, 0, 0, 0, 0]


def test_a_lull_that_does_not_last_lowers_nothing() -> None:
    assert set(looks([1.0, *[0.0, (RISES_AT + FALLS_AT) / 2] * 20], 40)) == {1}


@given(st.lists(st.floats(0, 1), max_size=200), st.floats(0.001, 100))
def test_the_level_moves_by_one_stays_in_its_bounds_and_is_stable_between(
    fills: list[float], seconds: float
) -> None:
    levels = [0, *looks(fills, seconds)]
    assert all(0 <= level <= HIGHEST_LEVEL for level in levels)
    assert all(abs(after - before) <= 1 for before, after in pairwise(levels))
    falls = sum(after < before for before, after in pairwise(levels))
    assert falls * FALL_PAUSE <= timedelta(seconds=len(fills) * seconds)

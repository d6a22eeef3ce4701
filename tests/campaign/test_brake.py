"""The brake: how many vehicles may be under way, and what that promises."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign.brake import Matured, expected_harm, in_flight_cap, shortest_time
from campaign.evidence import wilson_upper

#: matured, bad among them, the cap at a budget of 25 and a floor of 30.
CAPS = [
    (0, 0, 30), (10, 0, 90), (30, 0, 220), (30, 1, 149), (100, 0, 675), (300, 0, 1_977), (300, 1, 1_341),
    (1_000, 3, 2_846), (10_000, 10, 13_587), (10_000, 50, 3_796), (10_000, 100, 2_058), (100_000, 300, 7_443),
    (1, 0, 31), (1, 1, 30), (30, 30, 30), (1_000, 1_000, 30),
    (5, 9, 30),  # more bad than matured is as bad as can be
]  # fmt: skip

BUDGETS = st.integers(1, 1_000)
FLOORS = st.integers(1, 1_000)
CEILINGS = st.integers(1, 10**6)
MATURED = st.integers(0, 10**6).flatmap(
    lambda vehicles: st.builds(Matured, vehicles=st.just(vehicles), bad=st.integers(0, vehicles))
)


@pytest.mark.parametrize(("vehicles", "bad", "cap"), CAPS)
def test_the_cap_follows_what_is_known(vehicles: int, bad: int, cap: int) -> None:
    assert in_flight_cap(Matured(vehicles=vehicles, bad=bad), 25, 30, 100_000) == cap


@pytest.mark.parametrize(
    ("vehicles", "bad", "budget", "floor", "ceiling", "cap"),
    [
        (0, 0, None, 30, 10_000, 10_000),
        (1_000, 1_000, None, 30, 10_000, 10_000),
        (10_000, 10, 25, 30, 10_000, 10_000),
        (10_000, 10, 25, 30, 50, 50),
        (10_000, 10, 100, 30, 100_000, 54_348),
        (10_000, 10_000, 25, 200, 10_000, 200),
        (0, 0, 25, 500, 10_000, 500),
        # A ceiling under the floor is meant.
        (0, 0, 25, 30, 5, 5),
        (1_000, 1_000, 25, 30, 5, 5),
        (1_000, 0, 25, 30, 5, 5),
    ],
)
def test_the_cap_lies_between_floor_and_ceiling_and_without_a_budget_it_is_the_ceiling(
    vehicles: int, bad: int, budget: int | None, floor: int, ceiling: int, cap: int
) -> None:
    assert in_flight_cap(Matured(vehicles=vehicles, bad=bad), budget, floor, ceiling) == cap


@pytest.mark.parametrize("vehicles", [1, 5, 1_000])
@pytest.mark.parametrize("budget", [25, 100, 1_000])
def test_nothing_but_a_vehicle_that_turned_out_well_allows_more_than_the_floor(
    vehicles: int, budget: int
) -> None:
    assert in_flight_cap(Matured(vehicles=vehicles, bad=vehicles), budget, 30, 10_000) == 30
    assert in_flight_cap(Matured(vehicles=vehicles, bad=vehicles - 1), budget, 30, 10_000) >= 30


@given(MATURED, st.none() | BUDGETS, FLOORS, CEILINGS)
def test_the_cap_never_leaves_its_bounds(
    matured: Matured, budget: int | None, floor: int, ceiling: int
) -> None:
    assert min(floor, ceiling) <= in_flight_cap(matured, budget, floor, ceiling) <= ceiling


@given(MATURED, BUDGETS, CEILINGS)
def test_above_the_floor_no_more_than_the_budget_is_expected_to_be_harmed(
    matured: Matured, budget: int, ceiling: int
) -> None:
    cap = in_flight_cap(matured, budget, 1, ceiling)
    assert cap == 1 or cap * wilson_upper(matured.vehicles, matured.bad) <= budget * (1 + 1e-9)


@given(MATURED, BUDGETS, FLOORS)
def test_a_failure_more_never_raises_the_cap_and_a_good_vehicle_never_lowers_it(
    matured: Matured, budget: int, floor: int
) -> None:
    cap = in_flight_cap(matured, budget, floor, 10**6)
    worse = matured.model_copy(update={"bad": matured.bad + 1})
    better = matured.model_copy(update={"vehicles": matured.vehicles + 1})
    assert in_flight_cap(worse, budget, floor, 10**6) <= cap
    assert in_flight_cap(better, budget, floor, 10**6) >= cap


#: budget, floor, what is promised: 7/4 of the budget, or the floor and two more.
PROMISES = [
    (25, 30, 44), (10, 30, 32), (50, 30, 88), (100, 30, 175), (1, 1, 3), (1, 30, 32), (26, 30, 46),
    (27, 30, 48), (25, 42, 44), (25, 43, 45),
]  # fmt: skip


@pytest.mark.parametrize(("budget", "floor", "harmed"), PROMISES)
def test_the_promised_harm_is_seven_fourths_of_the_budget_or_the_floor_and_two(
    budget: int, floor: int, harmed: int
) -> None:
    assert expected_harm(budget, floor) == harmed


@given(BUDGETS, FLOORS)
def test_the_promise_is_rounded_up(budget: int, floor: int) -> None:
    promised = expected_harm(budget, floor)
    assert promised >= floor + 2
    assert promised * 4 >= budget * 7
    assert promised == floor + 2 or (promised - 1) * 4 < budget * 7


#: vehicles, budget, latency, rate, the least time.
TIMES = [
    (1_000_000, 25, timedelta(hours=1), 0.003, timedelta(hours=120)),
    (1_000_000, 100, timedelta(hours=1), 0.003, timedelta(hours=30)),
    (1_000_000, 25, timedelta(hours=2), 0.003, timedelta(hours=240)),
    (10_000, 25, timedelta(hours=1), 0.005, timedelta(hours=2)),
    (0, 25, timedelta(hours=1), 0.003, timedelta(0)),
]


@pytest.mark.parametrize(("vehicles", "budget", "latency", "rate", "least"), TIMES)
def test_a_healthy_campaign_takes_at_least_the_time_its_budget_allows(
    vehicles: int, budget: int, latency: timedelta, rate: float, least: timedelta
) -> None:
    assert abs(shortest_time(vehicles, budget, latency, rate) - least) < timedelta(milliseconds=1)


def test_three_of_a_thousand_are_assumed_to_fail_in_a_healthy_campaign() -> None:
    assert shortest_time(5_000, 25, timedelta(hours=1)) == shortest_time(5_000, 25, timedelta(hours=1), 0.003)

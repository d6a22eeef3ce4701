"""The gate is a level with a fencing number; every write of it may come twice, and late."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from campaign.assignment import IN_FLIGHT, OPEN, STARTED, Target
from campaign.breach import Exposed
from campaign.lifecycle import State
from store import gate
from store.tallies import tally
from tests.store.fleet import Fleet, Gateway, cars, plain

GATE = "SELECT gate_open, gate_seq, state FROM campaign"


def launched(fleet: Fleet, count: int = 15, **changes: Any) -> tuple[int, list[int]]:
    """A campaign with one vehicle in each state."""
    ids = fleet.add(cars(count))
    campaign = fleet.launch(guards=plain("0.99"), **changes)
    for state, vehicle in zip(Target, ids, strict=False):
        if state is not Target.PENDING:
            fleet.put(campaign, state, [vehicle])
    return campaign, ids


@pytest.mark.parametrize("seq", [0, 4, 5])
def test_an_opening_that_comes_late_changes_nothing(seq: int, fleet: Fleet) -> None:
    campaign, _ = launched(fleet)
    fleet.shut(campaign, 5)
    before = fleet.everything()
    fleet.open(campaign, seq, new_window=True)
    assert fleet.everything() == before


def test_a_shutting_that_comes_late_always_shuts(fleet: Fleet) -> None:
    campaign, _ = launched(fleet)
    fleet.open(campaign, 9)
    fleet.shut(campaign, 3)
    assert fleet.rows(GATE) == [(False, 9, "Paused")]
    fleet.open(campaign, 9)
    assert not fleet.gate_open(campaign)
    fleet.open(campaign, 10)
    assert fleet.rows(GATE) == [(True, 10, "RollingOut")]


def test_a_state_that_comes_late_is_not_shown(fleet: Fleet) -> None:
    campaign, _ = launched(fleet)

    def show(seq: int) -> list[tuple[object, ...]]:
        with fleet.engine.begin() as connection:
            gate.set_state(connection, campaign, seq, State.BAKING)
        return fleet.rows(GATE)

    assert show(1) == [(True, 1, "RollingOut")]
    assert show(2) == [(True, 2, "Baking")]
    assert show(2) == [(True, 2, "Baking")]


TWICE: dict[str, Callable[[Fleet, int], object]] = {
    "open": lambda fleet, c: fleet.open(c, 3, new_window=True),
    "shut": lambda fleet, c: fleet.shut(c, 3),
    "shut and cancel": lambda fleet, c: fleet.shut(c, 3, cancel_started=True),
    "finish": lambda fleet, c: fleet.finish(c, 3),
}


@pytest.mark.parametrize("paused", [False, True])
@pytest.mark.parametrize("write", TWICE.values(), ids=list(TWICE))
def test_a_write_that_comes_twice_leaves_the_same_rows(
    write: Callable[[Fleet, int], object], paused: bool, fleet: Fleet
) -> None:
    campaign, _ = launched(fleet)
    if paused:
        fleet.shut(campaign, 2)
    write(fleet, campaign)
    before = fleet.everything()
    write(fleet, campaign)
    assert fleet.everything() == before
    fleet.assert_tally()


def test_shutting_withdraws_what_was_offered_and_leaves_what_began(fleet: Fleet) -> None:
    campaign, _ = launched(fleet)
    before = fleet.states(campaign)
    assert fleet.shut(campaign, 2) == Exposed(offered=1, downloading=1, installing=1, harmed=4)
    assert fleet.states(campaign) == {
        vehicle: "pending" if state == "offered" else state for vehicle, state in before.items()
    }
    assert fleet.value("SELECT count(*) FROM assignment WHERE cancel_wanted") == 0
    assert fleet.shut(campaign, 2) == Exposed(downloading=1, installing=1, harmed=4)


def test_only_downloads_are_asked_to_cancel_and_never_an_installation(fleet: Fleet) -> None:
    campaign, _ = launched(fleet)
    fleet.shut(campaign, 2, cancel_started=True)
    assert fleet.rows("SELECT state FROM assignment WHERE cancel_wanted") == [("downloading",)]


def test_finishing_expires_what_is_open_and_leaves_what_began(fleet: Fleet) -> None:
    campaign, _ = launched(fleet)
    before = fleet.states(campaign)
    final = fleet.finish(campaign, 2)
    ends = {
        vehicle: "expired" if Target(state) in OPEN | (IN_FLIGHT - STARTED) else state
        for vehicle, state in before.items()
    }
    assert fleet.states(campaign) == ends
    assert final == {state: list(ends.values()).count(state) for state in set(ends.values())}
    assert fleet.rows(GATE) == [(False, 2, "Completed")]
    assert fleet.value("SELECT finished_at IS NOT NULL FROM campaign")
    ended = fleet.rows(
        "SELECT vehicle_id FROM assignment WHERE state = 'expired' AND finished_at IS NOT NULL"
    )
    assert {vehicle for (vehicle,) in ended} == {v for v in ends if ends[v] == "expired" != before[v]}


def test_a_campaign_that_has_shut_counts_each_phase_apart(fleet: Fleet) -> None:
    fleet.add(cars(10))
    campaign = fleet.launch(phases=[{"rollout_percent": 20}, {"rollout_percent": 100}])
    with fleet.engine.connect() as connection:
        found = tally(connection, campaign)
    assert {phase: each.by_state for phase, each in found.items()} == {
        1: {Target.PENDING: 2}, 2: {Target.PENDING: 8},
    }  # fmt: skip


def back(fleet: Fleet, hours: int) -> None:
    """As if everything so far had happened some hours earlier."""
    fleet.run(f"UPDATE campaign SET shut_at = shut_at - interval '{hours} hours'")
    fleet.run(
        f"UPDATE phase SET released_at = released_at - interval '{hours} hours', "
        f"pace_since = pace_since - interval '{hours} hours'"
    )


def test_a_pause_stops_the_clock_of_the_deadline(fleet: Fleet) -> None:
    fleet.add(cars(10))
    campaign = fleet.launch()
    back(fleet, 2)
    fleet.shut(campaign, 2)
    back(fleet, 10)
    fleet.open(campaign, 3)
    age = fleet.value("SELECT clock_timestamp() - released_at FROM phase")
    assert timedelta(hours=2) <= age < timedelta(hours=2, minutes=1)
    assert fleet.value("SELECT shut_at FROM campaign") is None


async def test_the_rate_does_not_burst_after_a_long_pause(fleet: Fleet, gateway: Gateway) -> None:
    ids = fleet.add(cars(100))
    campaign = fleet.launch(limits={"per_minute": 1})
    fleet.run("UPDATE phase SET pace_since = pace_since - interval '3 minutes'")
    fleet.tick(campaign)
    assert len(await gateway.admit(*ids)) == 4
    fleet.put(campaign, Target.INSTALLING, [v for v, s in fleet.states(campaign).items() if s == "offered"])
    fleet.shut(campaign, 2)
    back(fleet, 10)
    fleet.open(campaign, 3)
    fleet.tick(campaign, seq=3)
    assert len(await gateway.admit(*ids)) == 1
    assert fleet.rows("SELECT pace_base, allowance FROM phase") == [(4, 5)]


def test_a_phase_not_released_before_a_pause_is_not_released_by_it(fleet: Fleet) -> None:
    fleet.add(cars(10))
    campaign = fleet.launch(phases=[{"rollout_percent": 20}, {"rollout_percent": 100}])
    fleet.shut(campaign, 2)
    fleet.open(campaign, 3)
    released = fleet.rows(
        "SELECT released_at IS NULL, pace_since IS NULL, pace_base FROM phase ORDER BY number"
    )
    assert released == [(False, False, 0), (True, True, 0)]


async def test_a_gate_that_a_breach_has_closed_opens_only_to_a_new_evidence_window(
    fleet: Fleet, gateway: Gateway
) -> None:
    [vehicle] = fleet.add(cars(1))
    campaign = fleet.launch(guards=plain())
    action = await gateway.start(vehicle)
    await gateway.say(vehicle, action, "closed", "failure")
    fleet.open(campaign, 2)
    assert not fleet.gate_open(campaign)
    fleet.open(campaign, 3, new_window=True)
    assert fleet.gate_open(campaign)

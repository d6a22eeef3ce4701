"""A vehicle belongs to the slice of time in which it began to install; what matured is never rewritten."""

from datetime import timedelta

import pytest

from campaign.action import action_id
from campaign.assignment import Target
from store.evidence import BEGUN_IN_SLICE_SQL
from tests.store.fleet import Fleet, Gateway, cars, closing, plain, report

SLICE = "SELECT slice FROM assignment ORDER BY vehicle_id"
MATURED = "SELECT vehicles, quiet, failed FROM matured ORDER BY began"


async def test_a_slice_is_that_of_the_beginning_of_the_installation_and_stays(
    fleet: Fleet, gateway: Gateway
) -> None:
    [vehicle] = fleet.add(cars(1))
    fleet.launch()
    action = (await gateway.admit(vehicle))[vehicle]
    assert await gateway.begin(vehicle, action)
    assert fleet.rows(SLICE) == [(None,)]
    await gateway.say(vehicle, action, "proceeding")
    began = fleet.value("SELECT window_began_at FROM campaign")
    assert fleet.rows(SLICE) == [(began,)]
    earlier = began - timedelta(hours=5)
    fleet.run("UPDATE assignment SET slice = :s", s=earlier)
    await gateway.say(vehicle, action, "proceeding")
    await gateway.say(vehicle, action, "closed", "success")
    assert fleet.rows(SLICE) == [(earlier,)]
    fleet.assert_tally()


@pytest.mark.parametrize(
    ("finished", "words", "has_slice"),
    [
        ("success", "done", True),
        ("failure", "no space", True),
        ("failure", "rolled back", True),
        ("failure", "critical: no brakes", True),
        ("failure", "download failed", False),
    ],
)
async def test_who_never_said_that_it_installs_gets_its_slice_with_its_outcome(
    finished: str, words: str, has_slice: bool, fleet: Fleet, gateway: Gateway
) -> None:
    [vehicle] = fleet.add(cars(1))
    fleet.launch()
    action = (await gateway.admit(vehicle))[vehicle]
    assert await gateway.begin(vehicle, action)
    await gateway.say(vehicle, action, "closed", finished, words)
    assert fleet.rows("SELECT slice IS NOT NULL FROM assignment") == [(has_slice,)]
    fleet.assert_tally()


async def test_the_next_attempt_begins_without_a_slice(fleet: Fleet, gateway: Gateway) -> None:
    [vehicle] = fleet.add(cars(1))
    fleet.launch()
    action = await gateway.start(vehicle)
    await gateway.say(vehicle, action, "rejected")
    fleet.run("UPDATE assignment SET not_before = clock_timestamp()")
    assert vehicle in await gateway.admit(vehicle)
    assert fleet.rows(SLICE) == [(None,)]
    assert fleet.value(f"SELECT sum{BEGUN_IN_SLICE_SQL} FROM slice AS s") == 0


@pytest.mark.parametrize(
    ("limits", "length"),
    [
        ({}, 300),
        ({"overdue_after": "PT1H"}, 100),
        ({"silent_after": "PT8H"}, 100),
        ({"silent_after": "P30D"}, 300),
    ],
)
async def test_a_slice_is_a_thirty_sixth_of_the_overdue_time_long_and_five_minutes_at_the_most(
    limits: dict[str, str], length: int, fleet: Fleet, gateway: Gateway
) -> None:
    """The vehicle begins 6,270 seconds after its window."""
    [vehicle] = fleet.add(cars(1))
    fleet.launch(limits=limits)
    fleet.run("UPDATE campaign SET window_began_at = clock_timestamp() - interval '6270 seconds'")
    await gateway.start(vehicle)
    after = fleet.value("SELECT a.slice - c.window_began_at FROM assignment AS a, campaign AS c")
    assert after == timedelta(seconds=6270 // length * length)


async def test_a_slice_has_a_length_however_short_the_overdue_time_is(fleet: Fleet, gateway: Gateway) -> None:
    """A microsecond has no thirty-sixth part."""
    [vehicle] = fleet.add(cars(1))
    campaign = fleet.launch(limits={"silent_after": "PT0.000001S"})
    await gateway.start(vehicle)
    assert fleet.state(vehicle, campaign) == "installing"
    assert fleet.rows("SELECT slice >= window_began_at FROM assignment, campaign") == [(True,)]


async def test_slices_begin_with_their_evidence_window(fleet: Fleet, gateway: Gateway) -> None:
    old, new = fleet.add(cars(2))
    campaign = fleet.launch()
    await gateway.start(old)
    fleet.run("UPDATE campaign SET window_began_at = window_began_at - interval '10 minutes'")
    fleet.shut(campaign, 2)
    fleet.open(campaign, 3, new_window=True)
    await gateway.start(new)
    began = fleet.value("SELECT window_began_at FROM campaign")
    # Whoever is under way goes over into the new window.
    assert [row[0] for row in fleet.rows(SLICE)] == [began, began]


@pytest.mark.parametrize(("hours", "matured"), [(3.05, []), (3.1, [(10, 7, 1)])])
def test_a_slice_matures_when_the_time_of_its_last_vehicle_is_up(
    hours: float, matured: list[tuple[int, int, int]], fleet: Fleet
) -> None:
    """Three hours after its end: five minutes of beginnings, then the time to report."""
    ids = fleet.add(cars(10))
    campaign = fleet.launch(guards=plain("0.9"))
    fleet.install(campaign, ids, hours)
    fleet.run("UPDATE assignment SET state = 'succeeded' WHERE vehicle_id = ANY(:v)", v=ids[:2])
    fleet.run("UPDATE assignment SET state = 'failed' WHERE vehicle_id = :v", v=ids[2])
    fleet.tick(campaign)
    assert fleet.rows(MATURED) == matured


async def test_what_matured_is_written_once_and_no_late_report_changes_it(
    fleet: Fleet, gateway: Gateway
) -> None:
    ids = fleet.add(cars(10))
    campaign = fleet.launch(guards=plain("0.9"))
    fleet.install(campaign, ids, 4)
    fleet.tick(campaign)
    assert fleet.rows(MATURED) == [(10, 10, 0)]
    await gateway.record(*closing(campaign, ids[:6], "success"), *closing(campaign, ids[6:8], "failure"))
    fleet.tick(campaign)
    assert fleet.rows(MATURED) == [(10, 10, 0)]
    fleet.assert_tally()


async def test_a_vehicle_that_gave_up_before_its_time_was_up_matures_in_no_slice(
    fleet: Fleet, gateway: Gateway
) -> None:
    one, other = fleet.add(cars(2))
    campaign = fleet.launch()
    fleet.install(campaign, [one, other], 4)
    await gateway.record(report(one, action_id(campaign, 1), "rejected"))
    assert fleet.state(one, campaign) == "deferred"
    fleet.tick(campaign)
    assert fleet.rows(MATURED) == [(1, 1, 0)]
    assert fleet.state(other, campaign) == Target.INSTALLING


async def test_a_failure_told_late_by_the_only_vehicle_of_a_slice_counts_once(
    fleet: Fleet, gateway: Gateway
) -> None:
    """Its slice was empty when it was passed, for the vehicle had put the update off."""
    one, other, third = fleet.add(cars(3))
    campaign = fleet.launch(guards=[{"metric": "not_ok", "limit": "0.9", "accept": "0.4"}])
    fleet.install(campaign, [one], 6)
    fleet.install(campaign, [other], 5)
    fleet.install(campaign, [third], 4)
    await gateway.record(*(report(vehicle, action_id(campaign, 1), "rejected") for vehicle in (one, third)))
    fleet.tick(campaign)
    assert fleet.rows(MATURED) == [(0, 0, 0), (1, 1, 0), (0, 0, 0)]
    await gateway.record(*closing(campaign, [one], "failure"), *closing(campaign, [third], "success"))
    seen = fleet.tick(campaign)
    assert fleet.rows(MATURED) == [(1, 0, 1), (1, 1, 0), (1, 0, 0)]
    assert (seen.verdicts[0].started, seen.verdicts[0].failed) == (3, 2)
    fleet.run("UPDATE assignment SET state = 'deferred' WHERE vehicle_id = :v", v=one)
    fleet.tick(campaign)
    assert fleet.rows(MATURED) == [(1, 0, 1), (1, 1, 0), (1, 0, 0)]

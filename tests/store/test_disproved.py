"""A success that the vehicle's own configuration contradicts is none; other software came from elsewhere.

| After its success the vehicle says | Then |
|---|---|
| nothing of its software, or the new version | it has succeeded |
| that it runs what it ran before | deferred, unproven, offered again after the back-off |
| that it runs something else | it has succeeded, and its software is what it says |
"""

import asyncio
from typing import Any

import pytest

from campaign.action import split
from campaign.assignment import Target
from store.configuration import Mode
from store.reports import Effect
from tests.store.fleet import Fleet, Gateway, another_makes_it, cars, connected, waiting_for_a_lock

MESSAGE = "claimed success, and its configuration says: Radar still runs 1.3.0"
_HISTORY = "SELECT from_version, to_version, source FROM software_change ORDER BY id"


OLD = {"sw_version.Radar": "1.3.0"}
NEW = {"sw_version.Radar": "1.4.0"}


async def updated(fleet: Fleet, gateway: Gateway) -> tuple[int, int]:
    """A vehicle of three that has succeeded, and its action."""
    vehicle, *_ = fleet.add(cars(3))
    fleet.launch()
    action = await gateway.start(vehicle)
    assert await gateway.say(vehicle, action, "closed", "success") is Effect.RECORDED
    return vehicle, action


def states(fleet: Fleet) -> list[Any]:
    [row] = fleet.rows("SELECT state, deferral, message FROM assignment ORDER BY vehicle_id LIMIT 1")
    return list(row)


@pytest.mark.parametrize(
    ("data", "version"),
    [
        ({"vin": "V"}, "1.4.0"),
        ({"sw_version.Radar": "1.4.0"}, "1.4.0"),
        ({"sw_version.Radar": "1.4"}, "1.4.0"),
        ({"sw_version.Radar": "1.5.0"}, "1.5.0"),
        ({"sw_version.Lidar": "1.3.0"}, "1.4.0"),
    ],
)
async def test_a_success_stays_one_unless_the_vehicle_still_runs_what_it_ran(
    data: dict[str, str], version: str, fleet: Fleet, gateway: Gateway
) -> None:
    vehicle, _ = await updated(fleet, gateway)
    await gateway.configure(vehicle, data)
    assert states(fleet)[0] == Target.SUCCEEDED
    assert fleet.value("SELECT sw_version FROM ecu WHERE vehicle_id = :v", v=vehicle) == version
    fleet.assert_tally()


@pytest.mark.parametrize("mode", ["merge", "replace"])
async def test_a_success_that_the_configuration_contradicts_is_deferred_and_said_to_be_only_claimed(
    mode: Mode, fleet: Fleet, gateway: Gateway
) -> None:
    vehicle, action = await updated(fleet, gateway)
    await gateway.configure(vehicle, OLD, mode)
    assert states(fleet) == ["deferred", "unproven", MESSAGE]
    fleet.assert_tally()
    assert fleet.rows(_HISTORY) == [("1.3.0", "1.4.0", "campaign"), ("1.4.0", "1.3.0", "vehicle")]
    # It waits as long as any other deferral, and is offered the update again.
    assert await gateway.admit(vehicle) == {}
    fleet.run("UPDATE assignment SET not_before = clock_timestamp()")
    assert await gateway.admit(vehicle) == {vehicle: action + 1}


async def test_a_success_that_was_disproved_does_not_count_again_when_it_is_repeated(
    fleet: Fleet, gateway: Gateway
) -> None:
    vehicle, action = await updated(fleet, gateway)
    await gateway.configure(vehicle, OLD)
    for told in ("closed", "closed"):
        assert await gateway.say(vehicle, action, told, "success") is Effect.RECORDED
        assert states(fleet) == ["deferred", "unproven", MESSAGE]
    # The same configuration once more changes nothing.
    before: Any = fleet.rows("SELECT * FROM assignment ORDER BY vehicle_id")
    await gateway.configure(vehicle, OLD)
    assert fleet.rows("SELECT * FROM assignment ORDER BY vehicle_id") == before
    fleet.run("UPDATE assignment SET not_before = clock_timestamp()")
    again = await gateway.start(vehicle)
    await gateway.say(vehicle, again, "closed", "success")
    await gateway.configure(vehicle, NEW)
    assert states(fleet)[0] == Target.SUCCEEDED
    fleet.assert_tally()


async def test_an_attribute_that_is_removed_says_nothing(fleet: Fleet, gateway: Gateway) -> None:
    vehicle, _ = await updated(fleet, gateway)
    await gateway.configure(vehicle, OLD, "remove")
    assert states(fleet)[0] == Target.SUCCEEDED


async def test_what_was_known_when_the_window_began_is_forgotten_with_its_success(
    fleet: Fleet, gateway: Gateway
) -> None:
    vehicle, _ = await updated(fleet, gateway)
    campaign = fleet.value("SELECT id FROM campaign")
    _, known_too, new = sorted(fleet.states(campaign))
    await gateway.say(known_too, await gateway.start(known_too), "closed", "success")
    fleet.shut(campaign, 2)
    fleet.open(campaign, 3, new_window=True)
    known = "SELECT coalesce(sum(acknowledged), 0) FROM tally"
    assert fleet.value(known) == 2
    await gateway.say(new, await gateway.start(new), "closed", "success")
    await gateway.configure(vehicle, OLD)
    assert states(fleet)[0] == Target.DEFERRED
    assert fleet.value(known) == 1
    assert fleet.value("SELECT vehicles - acknowledged FROM tally WHERE state = 'succeeded'") == 1


async def test_the_final_counts_of_a_campaign_that_is_over_stay_what_was_told(
    fleet: Fleet, gateway: Gateway
) -> None:
    vehicle, _ = await updated(fleet, gateway)
    fleet.finish(fleet.value("SELECT id FROM campaign"), 2)
    await gateway.configure(vehicle, OLD)
    assert states(fleet)[0] == Target.SUCCEEDED
    assert fleet.rows(_HISTORY)[-1] == ("1.4.0", "1.3.0", "vehicle")


async def test_a_vehicle_changed_elsewhere_before_its_offer_is_not_offered_what_was_decided_before(
    fleet: Fleet, gateway: Gateway
) -> None:
    vehicle, *_ = fleet.add(cars(2))
    fleet.launch()
    await gateway.configure(vehicle, {"sw_version.Radar": "1.3.9"})
    assert await gateway.admit(vehicle) == {}
    assert states(fleet)[0] == Target.NOT_APPLICABLE


async def test_a_pause_does_not_wait_for_a_command_that_a_contradiction_waits_for(
    fleet: Fleet, gateway: Gateway
) -> None:
    vehicle, action = await updated(fleet, gateway)
    async with (
        connected(fleet.url) as commanding,
        asyncio.TaskGroup() as tasks,
        commanding.connection.transaction(),
        asyncio.timeout(20),
    ):
        await commanding.connection.execute("SELECT FROM vehicle WHERE id = %s FOR NO KEY UPDATE", [vehicle])
        telling = tasks.create_task(gateway.configure(vehicle, OLD))
        await waiting_for_a_lock(fleet)
        await asyncio.to_thread(fleet.shut, split(action)[0], 2)
        assert not telling.done()
    assert states(fleet)[0] == Target.DEFERRED


async def test_a_pause_does_not_wait_for_a_new_variant_that_a_contradiction_waits_for(
    fleet: Fleet, gateway: Gateway
) -> None:
    ecus = [{"name": name, "hw_id": "EVO14", "sw_version": "1.3.0"} for name in ("Camera", "Radar")]
    vehicle, like = fleet.add(cars(2, ecus=ecus))
    campaign = fleet.launch()
    action = await gateway.start(vehicle)
    assert await gateway.say(vehicle, action, "closed", "success") is Effect.RECORDED
    making = another_makes_it(fleet, like, "Camera", "1.3.9")
    async with asyncio.TaskGroup() as tasks, making, asyncio.timeout(20):
        telling = tasks.create_task(gateway.configure(vehicle, {**OLD, "sw_version.Camera": "1.3.9"}))
        await waiting_for_a_lock(fleet)
        await asyncio.to_thread(fleet.shut, campaign, 2)
        assert not telling.done()
    assert states(fleet)[0] == Target.DEFERRED

"""A vehicle that has changed since it was selected, and outcomes that are told late."""

import pytest

from store.reports import Effect
from tests.store.fleet import MODULE, Fleet, Gateway, cars, earlier, plain


async def test_a_vehicle_that_got_the_software_elsewhere_is_not_updated_again(
    fleet: Fleet, gateway: Gateway
) -> None:
    [vehicle] = fleet.add(cars(1))
    fleet.launch(name="One")
    other = fleet.launch(name="Other")
    action = await gateway.start(vehicle)
    assert await gateway.say(vehicle, action, "closed", "success") is Effect.RECORDED
    assert await gateway.admit(vehicle) == {}
    assert fleet.state(vehicle, other) == "not_applicable"
    fleet.assert_tally()


@pytest.mark.parametrize("change", ["hw_id = 'EVO99'", "sw_version = '1.3.9'", "name = 'Lidar'"])
async def test_a_vehicle_changed_in_a_workshop_is_offered_nothing_it_was_not_selected_for(
    change: str, fleet: Fleet, gateway: Gateway
) -> None:
    [vehicle] = fleet.add(cars(1))
    campaign = fleet.launch()
    fleet.run(f"UPDATE ecu SET {change}")
    assert await gateway.admit(vehicle) == {}
    assert fleet.state(vehicle, campaign) == "not_applicable"
    assert fleet.value("SELECT message FROM assignment") == "the vehicle has changed since it was selected"


async def test_a_change_of_an_ecu_the_package_does_not_touch_keeps_the_vehicle_in(
    fleet: Fleet, gateway: Gateway
) -> None:
    [vehicle] = fleet.add(cars(1, ecus=[
        {"name": "Radar", "hw_id": "EVO14", "sw_version": "1.3.0"},
        {"name": "GW", "hw_id": "G", "sw_version": "2.0"},
    ]))  # fmt: skip
    fleet.launch(package={"name": "Pkg", "modules": [MODULE]})
    fleet.run("UPDATE ecu SET sw_version = '2.1' WHERE name = 'GW'")
    assert vehicle in await gateway.admit(vehicle)


@pytest.mark.parametrize(("finished", "ends"), [("failure", "failed"), ("success", "succeeded")])
@pytest.mark.parametrize("left", ["stalled", "deferred"])
async def test_the_outcome_of_an_attempt_that_had_begun_counts_however_late_it_is_told(
    left: str, finished: str, ends: str, fleet: Fleet, gateway: Gateway
) -> None:
    [vehicle] = fleet.add(cars(1))
    campaign = fleet.launch(guards=plain())
    action = (await gateway.admit(vehicle))[vehicle]
    assert await gateway.begin(vehicle, action)
    if left == "stalled":
        fleet.run(f"UPDATE assignment SET {earlier('2 days')}")
        fleet.tick(campaign)
        assert fleet.state(vehicle, campaign) == "stalled"
    else:
        await gateway.say(vehicle, action, "rejected")
    assert await gateway.say(vehicle, action, "closed", finished) is Effect.RECORDED
    assert fleet.state(vehicle, campaign) == ends
    assert fleet.gate_open(campaign) is (finished == "success")


async def test_a_failure_of_an_offer_that_was_withdrawn_before_it_began_counts_for_nothing(
    fleet: Fleet, gateway: Gateway
) -> None:
    [vehicle] = fleet.add(cars(1))
    campaign = fleet.launch()
    action = (await gateway.admit(vehicle))[vehicle]
    fleet.shut(campaign, 2)
    assert await gateway.say(vehicle, action, "closed", "failure") is Effect.OVER
    assert fleet.state(vehicle, campaign) == "pending"


async def test_a_late_success_does_not_take_back_what_a_later_campaign_installed(
    fleet: Fleet, gateway: Gateway
) -> None:
    [vehicle] = fleet.add(cars(1))
    old = fleet.launch(name="Old")
    action = await gateway.start(vehicle)
    fleet.run("UPDATE assignment SET state = 'silent'")
    fleet.run(
        "INSERT INTO software_change (vehicle_id, ecu, to_version, source, at) "
        "VALUES (:v, 'Radar', '1.5.0', 'campaign', clock_timestamp())",
        v=vehicle,
    )
    fleet.run("UPDATE ecu SET sw_version = '1.5.0'")
    assert await gateway.say(vehicle, action, "closed", "success") is Effect.RECORDED
    assert fleet.state(vehicle, old) == "succeeded"
    assert fleet.value("SELECT sw_version FROM ecu WHERE name = 'Radar'") == "1.5.0"


async def test_a_correction_of_an_acknowledged_failure_makes_no_room_for_a_new_one(
    fleet: Fleet, gateway: Gateway
) -> None:
    ids = fleet.add(cars(30))
    campaign = fleet.launch(guards=plain())
    actions = {vehicle: await gateway.start(vehicle) for vehicle in ids[:10]}
    fleet.run(f"UPDATE assignment SET {earlier('2 days')} WHERE state = 'installing'")
    fleet.tick(campaign)
    assert not fleet.gate_open(campaign)
    fleet.open(campaign, 2, new_window=True)
    for vehicle, action in actions.items():
        await gateway.say(vehicle, action, "closed", "success")
    assert fleet.gate_open(campaign)
    fleet.assert_tally()
    action = await gateway.start(ids[20])
    await gateway.say(ids[20], action, "closed", "failure")
    assert not fleet.gate_open(campaign)
    assert fleet.value("SELECT breach #>> '{verdict,sentence}' FROM campaign").startswith(
        "failure_rate breach: 1 of 1 failed"
    )

"""Offers in their install window: none outside, withdrawn when it closes, an installation never touched.

The window is told by the database's clock, so a test moves the vehicle's zone, not the time: there are zones
in which it is noon and zones in which it is night, whenever this is read.

| Given | When | Then |
|---|---|---|
| a window that is closed for a vehicle | it polls | nothing, and it hears how long to wait |
| a window that is open for it | it polls | an offer that ends with the window |
| an offer | its window closes | nothing of it is to be seen; the next tick frees the slot |
| a download or an installation | its window closes | it goes on |
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from campaign.action import action_id
from campaign.problems import Refused
from campaign.vehicle import Vehicle
from store import offers
from store.reports import Effect
from tests.store.fleet import Fleet, Gateway, car, cars, define

#: Six hours around the present hour are open in one zone and shut half a day away, whatever the time is.
HERE, THERE = "Etc/GMT", "Etc/GMT+12"


def hours(zone: str = HERE) -> dict[str, str]:
    """From three hours ago to three hours ahead by the clock of a zone."""
    now = datetime.now(UTC).astimezone(ZoneInfo(zone))
    return {"from": f"{now - timedelta(hours=3):%H:%M}", "to": f"{now + timedelta(hours=3):%H:%M}"}


async def test_a_vehicle_is_offered_nothing_outside_the_window_of_its_own_zone(
    fleet: Fleet, gateway: Gateway
) -> None:
    ids = fleet.add([car(0, timezone=HERE), car(1, timezone=THERE)])
    campaign = fleet.launch(install_window=hours())
    before = fleet.everything()
    assert await gateway.admit(ids[1]) == {}
    assert fleet.everything() == before
    assert await gateway.admit(*ids) == {ids[0]: action_id(campaign, 1)}
    fleet.assert_tally()


async def test_the_poll_tells_who_may_be_admitted_and_how_long_the_others_wait(
    fleet: Fleet, gateway: Gateway
) -> None:
    fleet.add([car(0, timezone=HERE), car(1, timezone=THERE)])
    fleet.launch(install_window=hours())
    inside, outside = [(await gateway.standing(number)).outlook for number in (0, 1)]
    assert (inside.admissible, inside.opens_in) == (True, None)
    assert not outside.admissible
    assert outside.opens_in is not None
    assert timedelta(hours=8, minutes=58) < outside.opens_in <= timedelta(hours=9)


async def test_a_closed_window_of_one_campaign_holds_up_no_other(fleet: Fleet, gateway: Gateway) -> None:
    [vehicle] = fleet.add([car(0, timezone=THERE)])
    fleet.launch(name="windowed", install_window=hours(), priority="CRITICAL")
    free = fleet.launch(name="free", priority="LOW")
    assert (await gateway.standing(0)).outlook.admissible
    assert await gateway.admit(vehicle) == {vehicle: action_id(free, 1)}


async def lapsed(fleet: Fleet, gateway: Gateway) -> tuple[int, int, int]:
    """A vehicle with an offer whose window has closed: vehicle, campaign, action."""
    [vehicle] = fleet.add([car(0, timezone=HERE)])
    campaign = fleet.launch(install_window=hours())
    action = (await gateway.admit(vehicle))[vehicle]
    until = fleet.value("SELECT offer_until - clock_timestamp() FROM assignment")
    assert timedelta(hours=2, minutes=58) < until <= timedelta(hours=3)
    assert (await gateway.standing(0)).stands
    fleet.run("UPDATE assignment SET offer_until = clock_timestamp()")
    return vehicle, campaign, action


async def test_an_offer_ends_with_its_window_wherever_it_is_looked_at(fleet: Fleet, gateway: Gateway) -> None:
    vehicle, _, action = await lapsed(fleet, gateway)
    assert not (await gateway.standing(0)).stands
    assert await offers.deployment(gateway.connection, vehicle, action) is None
    artifact = fleet.value("SELECT id FROM artifact")
    assert await offers.artifact(gateway.connection, vehicle, artifact, "radar.swu") is None
    assert not await gateway.begin(vehicle, action)
    assert await gateway.say(vehicle, action, "proceeding") is Effect.OVER
    assert fleet.states(1) == {vehicle: "pending"}


async def test_a_tick_withdraws_the_offers_of_a_closed_window(fleet: Fleet, gateway: Gateway) -> None:
    vehicle, campaign, _ = await lapsed(fleet, gateway)
    fleet.tick(campaign)
    assert fleet.state(vehicle, campaign) == "pending"
    fleet.assert_tally()


async def test_a_vehicle_that_is_back_in_its_window_is_offered_the_same_attempt(
    fleet: Fleet, gateway: Gateway
) -> None:
    vehicle, _, action = await lapsed(fleet, gateway)
    assert (await gateway.standing(0)).outlook.admissible
    assert await gateway.admit(vehicle) == {vehicle: action}


@pytest.mark.parametrize("begun", ["downloading", "installing"])
async def test_what_has_begun_is_not_touched_when_the_window_closes(
    begun: str, fleet: Fleet, gateway: Gateway
) -> None:
    [vehicle] = fleet.add([car(0, timezone=HERE)])
    campaign = fleet.launch(install_window=hours())
    action = (await gateway.admit(vehicle))[vehicle]
    assert await gateway.begin(vehicle, action)
    if begun == "installing":
        assert await gateway.say(vehicle, action, "proceeding") is Effect.RECORDED
    fleet.run("UPDATE assignment SET offer_until = clock_timestamp()")
    fleet.tick(campaign)
    assert fleet.state(vehicle, campaign) == begun
    assert await gateway.begin(vehicle, action)
    assert await gateway.say(vehicle, action, "closed", "success") is Effect.RECORDED
    assert fleet.state(vehicle, campaign) == "succeeded"


#: Type, what the owner says: whether a campaign without terms of its own is offered now.
OWNERS: list[tuple[str, dict[str, Any], bool]] = [
    ("general", {"install_window": hours(), "timezone": HERE}, True),
    ("general", {"install_window": hours(), "timezone": THERE}, False),
    ("general", {"update_preference": "automatic"}, True),
    ("general", {"update_preference": "never"}, False),
    ("general", {"update_preference": "ask"}, False),
    ("beta", {"update_preference": "never"}, False),
    ("recall", {"install_window": hours(), "timezone": THERE}, True),
    ("recall", {"update_preference": "never"}, True),
    ("recall", {"update_preference": "ask"}, True),
]


@pytest.mark.parametrize(("kind", "says", "offered"), OWNERS)
async def test_general_campaigns_respect_the_owner_and_recalls_do_not(
    kind: str, says: dict[str, Any], offered: bool, fleet: Fleet, gateway: Gateway
) -> None:
    [vehicle] = fleet.add([car(0, groups=["volunteers"], **says)])
    fleet.launch(type=kind)
    assert (await gateway.standing(0)).outlook.admissible == offered
    assert bool(await gateway.admit(vehicle)) == offered


async def test_beta_campaigns_are_offered_to_pilots_only(fleet: Fleet, gateway: Gateway) -> None:
    ids = fleet.add([car(0, groups=["internal"]), car(1, groups=["volunteers"]), car(2, groups=["press"])])
    fleet.launch(type="beta")
    assert set(await gateway.admit(*ids)) == set(ids[:2])


async def test_nobody_asks_for_facts_where_nobody_sets_terms(fleet: Fleet, gateway: Gateway) -> None:
    ids = fleet.add(cars(3))
    fleet.launch()
    fleet.run("UPDATE campaign SET terms = '\"not to be read\"'")
    assert (await gateway.standing(0)).outlook.admissible
    assert len(await gateway.admit(*ids)) == 3


NIGHT = {"from": "02:00", "to": "05:00"}
#: Zones of the vehicles, what the definition says: the number of vehicles it is refused for.
UNKNOWN: list[tuple[list[str | None], dict[str, Any], int]] = [
    ([HERE, None, None], {"interaction": "forced"}, 2),
    ([HERE, None, None], {"install_window": NIGHT}, 2),
    ([HERE, None, None], {"install_window": NIGHT | {"time_zone": HERE}}, 0),
    ([HERE, THERE], {"install_window": NIGHT}, 0),
    ([None], {}, 0),
]


@pytest.mark.parametrize(("zones", "changes", "lost"), UNKNOWN)
def test_a_window_is_refused_for_vehicles_whose_clock_nobody_knows(
    zones: list[str | None], changes: dict[str, Any], lost: int, fleet: Fleet
) -> None:
    fleet.add([car(number, timezone=zone) for number, zone in enumerate(zones)])
    if not lost:
        assert fleet.register(define(**changes)) == {1: len(zones)}
        return
    with pytest.raises(Refused, match=f"install_window = 02:00 to 05:00: {lost} vehicles of this campaign"):
        fleet.register(define(**changes))


async def test_a_vehicle_without_a_zone_gets_the_one_of_the_campaign(fleet: Fleet, gateway: Gateway) -> None:
    vehicles: list[Vehicle] = [car(0), car(1, timezone=THERE)]
    ids = fleet.add(vehicles)
    fleet.launch(install_window=hours() | {"time_zone": HERE})
    assert set(await gateway.admit(*ids)) == {ids[0]}

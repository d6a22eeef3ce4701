"""Polls: what a vehicle is told, and when."""

import asyncio
import itertools
import re

from campaign.assignment import Target
from gateway.messages import sleep
from runtime.settings import Settings
from tests.gateway.conftest import VIN, NewVehicle
from tests.gateway.http import Client
from tests.gateway.world import World


async def test_an_idle_vehicle_is_told_when_to_come_back_and_nothing_else(
    new_vehicle: NewVehicle, settings: Settings
) -> None:
    vehicle, _ = new_vehicle()
    answer = await vehicle.poll()
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/hal+json"
    assert answer.json == {"config": {"polling": {"sleep": sleep(VIN, settings.poll_interval_seldom)}}}


async def test_a_vehicle_comes_soon_while_it_has_or_awaits_an_action(
    new_vehicle: NewVehicle, world: World, settings: Settings
) -> None:
    vehicle, number = new_vehicle()
    soon, seldom = (sleep(VIN, wait) for wait in (settings.poll_interval, settings.poll_interval_seldom))
    world.assign(number, world.campaign(world.file()))

    async def told() -> str:
        return str((await vehicle.poll()).json["config"]["polling"]["sleep"])

    assert await told() == soon  # offered
    for state in ("downloading", "installing"):
        world.run("UPDATE assignment SET state = :state, heard_at = now()", state=state)
        assert await told() == soon
    world.run("UPDATE assignment SET state = 'pending'")
    world.run("UPDATE campaign SET in_flight = 0")
    assert await told() == soon  # it waits for a slot
    world.run("UPDATE campaign SET gate_open = false")
    assert await told() == seldom
    world.run("UPDATE campaign SET gate_open = true")
    world.run("UPDATE assignment SET state = 'succeeded'")
    assert await told() == seldom


async def test_an_unchanged_answer_is_304_and_a_changed_one_is_not(
    new_vehicle: NewVehicle, world: World
) -> None:
    vehicle, number = new_vehicle()
    etag = (await vehicle.poll()).headers["etag"]
    again = await vehicle.send("GET", headers={"If-None-Match": etag})
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", etag)
    world.assign(number, world.campaign(world.file()))
    changed = await vehicle.send("GET", headers={"If-None-Match": etag})
    assert changed.status == 200
    assert changed.headers["etag"] != etag


async def test_attributes_are_asked_for_until_they_were_put(new_vehicle: NewVehicle, world: World) -> None:
    vehicle, _ = new_vehicle()
    world.run("UPDATE vehicle SET config_wanted = true")
    link = (await vehicle.poll()).link["configData"]
    assert (await vehicle.send("PUT", link, json={"data": {"hwRevision": "1.0"}})).status == 200
    assert "configData" not in (await vehicle.poll()).link


async def test_a_vehicle_that_may_be_admitted_is_offered_the_action_by_the_same_poll(
    new_vehicle: NewVehicle, world: World, client: Client
) -> None:
    vehicle, number = new_vehicle()
    action = world.assign(number, world.campaign(world.file()))
    link = (await vehicle.poll()).link
    home = re.escape(f"{client.url}{vehicle.home}/deploymentBase/{action}")
    assert list(link) == ["deploymentBase"]
    assert re.fullmatch(rf"{home}\?c=-?[0-9]+", link["deploymentBase"])
    assert world.state(number) is Target.OFFERED
    assert (await vehicle.poll()).link == link


async def test_no_more_are_admitted_than_the_allowance(new_vehicle: NewVehicle, world: World) -> None:
    campaign = world.campaign(world.file(), allowance=3)
    vehicles = []
    for place in range(10):
        vehicle, number = new_vehicle(f"5YJYGDEE0MF00010{place}")
        world.assign(number, campaign)
        vehicles.append(vehicle)
    answers = await asyncio.gather(*(vehicle.poll() for vehicle in vehicles * 2))
    assert world.value("SELECT count(*) FROM assignment WHERE state = 'offered'") == 3
    answers = await asyncio.gather(*(vehicle.poll() for vehicle in vehicles))
    assert sum("deploymentBase" in answer.link for answer in answers) == 3


#: Given a state, whether the campaign delivers and whether a cancel is wanted: the link then shown.
SHOWN = {
    (state, delivering, cancel): (
        "cancelAction" if cancel else "deploymentBase" if delivering or state is not Target.OFFERED else None
    )
    for state, delivering, cancel in itertools.product(
        (Target.OFFERED, Target.DOWNLOADING, Target.INSTALLING), (True, False), (True, False)
    )
}


async def test_what_is_not_started_shows_no_link_when_its_campaign_does_not_deliver(
    new_vehicle: NewVehicle, world: World
) -> None:
    file = world.file()
    campaigns = {level: world.campaign(file, name=str(level), delivering=level) for level in (True, False)}
    for place, ((state, delivering, cancel), shown) in enumerate(SHOWN.items()):
        vehicle, number = new_vehicle(f"5YJYGDEE0MF0004{place:02}")
        world.assign(number, campaigns[delivering], state, cancel_wanted=cancel)
        links = (await vehicle.poll()).link
        assert list(links) == ([shown] if shown else []), (state, delivering, cancel)


async def test_a_lapsed_lease_hides_the_offer_by_itself(new_vehicle: NewVehicle, world: World) -> None:
    vehicle, number = new_vehicle()
    world.assign(number, world.campaign(world.file()))
    assert "deploymentBase" in (await vehicle.poll()).link
    world.run("UPDATE campaign SET lease_until = now() - interval '1 second'")
    assert (await vehicle.poll()).link == {}


async def test_a_dead_offer_gives_way_to_a_campaign_that_delivers(
    new_vehicle: NewVehicle, world: World
) -> None:
    vehicle, number = new_vehicle()
    file = world.file()
    world.assign(number, world.campaign(file, name="dead", delivering=False), Target.OFFERED)
    alive = world.assign(number, world.campaign(file, name="alive"))
    assert f"/deploymentBase/{alive}?" in (await vehicle.poll()).link["deploymentBase"]


async def test_many_vehicles_are_each_told_their_own(new_vehicle: NewVehicle, world: World) -> None:
    campaign = world.campaign(world.file())
    vehicles = []
    for place in range(40):
        vehicle, number = new_vehicle(f"5YJYGDEE0MF0002{place:02}")
        vehicles.append(vehicle)
        if place % 2:
            world.assign(number, campaign)
    answers = await asyncio.gather(*(vehicle.poll() for vehicle in vehicles))
    for place, (vehicle, answer) in enumerate(zip(vehicles, answers, strict=True)):
        link = answer.link.get("deploymentBase", "")
        assert bool(link) == bool(place % 2)
        assert not link or f"/{vehicle.vin}/" in link


async def test_a_poll_is_a_get_and_nothing_else_admits(new_vehicle: NewVehicle, world: World) -> None:
    vehicle, number = new_vehicle()
    world.assign(number, world.campaign(world.file()))
    for method in ("HEAD", "POST", "PUT", "DELETE"):
        answer = await vehicle.send(method)
        assert (answer.status, answer.headers["allow"]) == (405, "GET"), method
    assert world.state(number) is Target.PENDING


async def test_links_follow_the_host_the_vehicle_named(new_vehicle: NewVehicle, world: World) -> None:
    vehicle, number = new_vehicle()
    action = world.assign(number, world.campaign(world.file()))
    answer = await vehicle.send("GET", headers={"Host": "ota.example:8080"})
    assert answer.link["deploymentBase"].startswith(
        f"http://ota.example:8080{vehicle.home}/deploymentBase/{action}?"
    )
    odd = await vehicle.send("GET", headers={"Host": 'x"/y'})
    assert odd.link["deploymentBase"].startswith("http://127.0.0.1:8484/")


async def test_other_formats_are_not_acceptable_and_admit_nobody(
    new_vehicle: NewVehicle, world: World
) -> None:
    vehicle, number = new_vehicle()
    world.assign(number, world.campaign(world.file()))
    refused = await vehicle.send("GET", headers={"Accept": "application/xml"})
    assert refused.status == 406
    assert refused.json["exceptionClass"] == "NotAcceptable"
    assert world.state(number) is Target.PENDING
    taken = await vehicle.send("GET", headers={"Accept": "application/json;charset=UTF-8"})
    assert taken.headers["content-type"] == "application/json"


async def test_what_is_no_resource_answers_404(new_vehicle: NewVehicle) -> None:
    vehicle, _ = new_vehicle()
    for path in ("/", "/installedBase/1/x", "/nothing", "/deploymentBase", "/softwaremodules/1"):
        answer = await vehicle.send("GET", path)
        assert answer.status == 404, path
        assert answer.json["errorCode"] == "ringmaster.missing"

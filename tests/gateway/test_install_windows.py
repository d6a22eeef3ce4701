"""Install windows over HTTP: no link, no description and no file outside, and a sleep that ends inside.

| Given | When | Then |
|---|---|---|
| a window that is closed | the vehicle polls | no link; it sleeps until shortly after a near opening |
| an offer whose window has closed | the vehicle polls or reads on | no link, 404, 404 |
| a campaign to be confirmed | the vehicle polls | the question; after the yes, the deployment it was about |
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from campaign.action import action_id
from campaign.assignment import Target
from gateway.messages import sleep
from runtime.settings import Settings
from tests.gateway.conftest import VIN, NewVehicle
from tests.gateway.world import World

ZONE = "Etc/GMT"


def window(opens_in: timedelta) -> dict[str, str]:
    """Two hours, so long from now; whole minutes, rounded up."""
    begins = datetime.now(UTC).astimezone(ZoneInfo(ZONE)) + opens_in + timedelta(seconds=59)
    return {"from": f"{begins:%H:%M}", "to": f"{begins + timedelta(hours=2):%H:%M}"}


def limit(world: World, **terms: Any) -> None:
    world.set_terms(terms)
    world.run("UPDATE vehicle SET timezone = :zone", zone=ZONE)


async def test_outside_its_window_a_vehicle_sees_no_link_and_comes_back_at_the_opening(
    new_vehicle: NewVehicle, world: World, settings: Settings
) -> None:
    vehicle, number = new_vehicle()
    usual = (await vehicle.poll()).json["config"]["polling"]["sleep"]
    world.assign(number, world.campaign(world.file()))
    limit(world, window=window(timedelta(hours=5)))
    far = await vehicle.poll()
    assert (far.link, far.json["config"]["polling"]["sleep"]) == ({}, usual)
    limit(world, window=window(timedelta(seconds=30)))
    near = await vehicle.poll()
    assert near.link == {}
    # It opens at a whole minute, so within 30 to 90 seconds; the request takes some of them.
    first, last = (
        sleep(VIN, settings.poll_interval_seldom, timedelta(seconds=seconds)) for seconds in (20, 91)
    )
    assert first <= near.json["config"]["polling"]["sleep"] <= last
    assert world.state(number) is Target.PENDING
    limit(world, window=window(timedelta(hours=-1)))
    assert list((await vehicle.poll()).link) == ["deploymentBase"]


async def test_who_is_barred_comes_seldom_and_who_may_be_asked_or_served_soon(
    new_vehicle: NewVehicle, world: World, settings: Settings
) -> None:
    vehicle, number = new_vehicle()
    world.assign(number, world.campaign(world.file()))
    soon, seldom = (sleep(VIN, wait) for wait in (settings.poll_interval, settings.poll_interval_seldom))

    async def told(**terms: Any) -> str:
        world.run("UPDATE assignment SET state = 'pending', offer_until = NULL")
        limit(world, **terms)
        return str((await vehicle.poll()).json["config"]["polling"]["sleep"])

    assert await told(window=window(timedelta(hours=5))) == seldom
    assert await told(window=window(timedelta(hours=-1))) == soon
    assert await told(interaction="confirm") == soon
    await vehicle.send(
        "POST", f"/confirmationBase/{action_id(1, 1)}/feedback", json={"confirmation": "denied"}
    )
    assert await told(interaction="confirm") == seldom
    world.run("UPDATE vehicle SET update_preference = 'never'")
    assert await told() == seldom


async def test_what_was_not_started_is_gone_when_the_window_closes(
    new_vehicle: NewVehicle, world: World
) -> None:
    vehicle, number = new_vehicle()
    file = world.file()
    world.assign(number, world.campaign(file))
    limit(world, window=window(timedelta(hours=-1)))
    deployment = (await vehicle.poll()).link["deploymentBase"]
    artifact = f"/softwaremodules/{file.id}/artifacts/{file.name}"
    described = await vehicle.send("GET", deployment)
    assert (described.status, described.json["deployment"]["maintenanceWindow"]) == (200, "available")
    assert (await vehicle.send("HEAD", artifact)).status == 200
    limit(world, window=window(timedelta(hours=5)))
    world.run("UPDATE assignment SET offer_until = now()")
    assert (await vehicle.poll()).link == {}
    for method, path in (("GET", deployment), ("GET", artifact), ("HEAD", artifact)):
        assert (await vehicle.send(method, path)).status == 404, path


async def test_an_installation_keeps_its_link_when_the_window_closes(
    new_vehicle: NewVehicle, world: World
) -> None:
    vehicle, number = new_vehicle()
    world.assign(number, world.campaign(world.file()), Target.INSTALLING)
    limit(world, window=window(timedelta(hours=5)))
    world.run("UPDATE assignment SET offer_until = now()")
    deployment = (await vehicle.poll()).link["deploymentBase"]
    assert (await vehicle.send("GET", deployment)).status == 200


async def test_the_owner_is_asked_first_and_served_afterwards(new_vehicle: NewVehicle, world: World) -> None:
    vehicle, number = new_vehicle()
    action = world.assign(number, world.campaign(world.file(), interaction="confirm"))
    limit(world, interaction="confirm")
    link = (await vehicle.poll()).link
    assert list(link) == ["confirmationBase"]
    assert f"/confirmationBase/{action}?c=" in link["confirmationBase"]
    question = await vehicle.send("GET", link["confirmationBase"])
    assert question.status == 200
    assert (question.json["id"], list(question.json)) == (str(action), ["id", "confirmation"])
    assert question.json["confirmation"]["chunks"][0]["name"] == "Radar"
    assert (await vehicle.send("GET", f"/deploymentBase/{action}")).status == 404
    answer = await vehicle.send(
        "POST", f"/confirmationBase/{action}/feedback", json={"confirmation": "confirmed", "details": "yes"}
    )
    assert (answer.status, answer.body) == (200, b"")
    assert list((await vehicle.poll()).link) == ["deploymentBase"]
    assert (await vehicle.send("GET", link["confirmationBase"])).status == 404
    assert (await vehicle.send("GET", f"/deploymentBase/{action}")).status == 200
    assert world.value("SELECT array_agg(state ORDER BY id) FROM consent") == ["asked", "confirmed"]


@pytest.mark.parametrize("word", ["denied", "postponed"])
async def test_after_a_no_the_vehicle_sees_nothing(word: str, new_vehicle: NewVehicle, world: World) -> None:
    vehicle, number = new_vehicle()
    action = world.assign(number, world.campaign(world.file(), interaction="confirm"))
    limit(world, interaction="confirm")
    path = f"/confirmationBase/{action}/feedback"
    assert (await vehicle.send("POST", path, json={"confirmation": word})).status == 200
    assert (await vehicle.poll()).link == {}


#: The state of the assignment, what is asked for, the body: how it is answered.
ODD: list[tuple[Target, int, Any, int]] = [
    (Target.PENDING, action_id(1, 1), {"confirmation": "maybe"}, 400),
    (Target.PENDING, action_id(1, 1), {"confirmation": None}, 400),
    (Target.PENDING, action_id(1, 1), [], 400),
    (Target.PENDING, action_id(1, 2), {"confirmation": "confirmed"}, 404),
    (Target.PENDING, action_id(9, 1), {"confirmation": "confirmed"}, 404),
    (Target.INSTALLING, action_id(1, 1), {"confirmation": "confirmed"}, 404),
    (Target.SUCCEEDED, action_id(1, 1), {"confirmation": "confirmed"}, 410),
]


@pytest.mark.parametrize(("state", "action", "body", "status"), ODD)
async def test_answers_to_no_question_are_refused(
    state: Target, action: int, body: Any, status: int, new_vehicle: NewVehicle, world: World
) -> None:
    vehicle, number = new_vehicle()
    world.assign(number, world.campaign(world.file(), interaction="confirm"), state)
    limit(world, interaction="confirm")
    answer = await vehicle.send("POST", f"/confirmationBase/{action}/feedback", json=body)
    assert answer.status == status
    assert world.value("SELECT count(*) FROM consent") == 0

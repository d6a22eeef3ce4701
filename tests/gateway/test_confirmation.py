"""confirmationBase: a vehicle is spared its confirmations, and asked again."""

from datetime import UTC, datetime

import pytest

from tests.gateway.conftest import NewVehicle
from tests.gateway.world import World


async def test_auto_confirm_is_switched_on_told_and_switched_off(new_vehicle: NewVehicle) -> None:
    vehicle, _ = new_vehicle()
    other, _ = new_vehicle("5YJYGDEE0MF000002")
    off = await vehicle.send("GET", "/confirmationBase")
    assert off.json["autoConfirm"] == {"active": False, "activatedAt": 0}
    assert list(off.link) == ["activateAutoConfirm"]
    before = datetime.now(UTC).timestamp() * 1000
    body = {"initiator": "owner", "remark": "always", "unknown": 1}
    assert (await vehicle.send("POST", off.link["activateAutoConfirm"], json=body)).status == 200
    again = await vehicle.send("POST", off.link["activateAutoConfirm"])
    assert (again.status, again.json["errorCode"]) == (409, "ringmaster.conflict")
    on = await vehicle.send("GET", "/confirmationBase")
    said = on.json["autoConfirm"]
    assert before - 1 <= said.pop("activatedAt") <= datetime.now(UTC).timestamp() * 1000 + 1
    assert said == {"active": True, "initiator": "owner", "remark": "always"}
    known = {"If-None-Match": on.headers["etag"]}
    assert (await vehicle.send("GET", "/confirmationBase", headers=known)).status == 304
    assert not (await other.send("GET", "/confirmationBase")).json["autoConfirm"]["active"]
    for _ in range(2):
        assert (await vehicle.send("POST", on.link["deactivateAutoConfirm"], json={})).status == 200
    assert (await vehicle.send("GET", "/confirmationBase")).json == off.json


async def test_who_and_why_may_be_left_out(new_vehicle: NewVehicle) -> None:
    vehicle, _ = new_vehicle()
    assert (await vehicle.send("POST", "/confirmationBase/activateAutoConfirm")).status == 200
    said = (await vehicle.send("GET", "/confirmationBase")).json["autoConfirm"]
    assert said.keys() == {"active", "activatedAt"}


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"json": []}, 400),
        ({"json": {"initiator": 1}}, 400),
        ({"json": {"remark": "x" * 513}}, 400),
        ({"json": {"remark": "\0"}}, 400),
        ({"data": b"{}", "headers": {"Content-Type": "text/plain"}}, 415),
        ({"data": b" " * 5000, "headers": {"Content-Type": "application/json"}}, 413),
    ],
)
async def test_what_cannot_be_kept_switches_nothing_on(
    new_vehicle: NewVehicle, options: dict[str, object], status: int
) -> None:
    vehicle, _ = new_vehicle()
    answer = await vehicle.send("POST", "/confirmationBase/activateAutoConfirm", **options)
    assert answer.status == status
    assert not (await vehicle.send("GET", "/confirmationBase")).json["autoConfirm"]["active"]


async def test_a_vehicle_that_is_spared_its_confirmations_is_served_without_one(
    new_vehicle: NewVehicle, world: World
) -> None:
    vehicle, number = new_vehicle()
    action = world.assign(number, world.campaign(world.file(), interaction="confirm"))
    world.set_terms({"interaction": "confirm"})
    asked = (await vehicle.poll()).link
    standing = await vehicle.send("GET", "/confirmationBase")
    assert standing.link["confirmationBase"] == asked["confirmationBase"]
    await vehicle.send("POST", "/confirmationBase/activateAutoConfirm")
    assert (await vehicle.send("GET", f"/confirmationBase/{action}")).status == 404
    assert list((await vehicle.poll()).link) == ["deploymentBase"]
    await vehicle.send("POST", "/confirmationBase/deactivateAutoConfirm", json={})
    world.run("UPDATE assignment SET state = 'pending'")
    assert list((await vehicle.poll()).link) == ["confirmationBase"]

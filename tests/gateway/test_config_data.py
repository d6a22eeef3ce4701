"""configData: what vehicles say of themselves."""

from typing import Any

import pytest

from campaign.assignment import Target
from tests.gateway.conftest import NewVehicle
from tests.gateway.world import World

BEFORE = {"vin": "V", "hwRevision": "1.0"}


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        ({"data": {"hwRevision": "2.0"}}, {"vin": "V", "hwRevision": "2.0"}),
        ({"mode": None, "data": {"hwRevision": None}}, {"vin": "V"}),
        ({"mode": "replace", "data": {"a": "b"}, "id": "", "time": "x"}, {"a": "b"}),
        ({"mode": "remove", "data": {"vin": ""}}, {"hwRevision": "1.0"}),
    ],
)
async def test_attributes_are_merged_replaced_or_removed(
    new_vehicle: NewVehicle, world: World, body: Any, kept: Any
) -> None:
    vehicle, _ = new_vehicle()
    assert (await vehicle.send("PUT", "/configData", json={"data": BEFORE})).status == 200
    answer = await vehicle.send("PUT", "/configData", json=body)
    assert (answer.status, answer.body) == (200, b"")
    assert world.value("SELECT reported FROM vehicle") == kept


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"data": {}}, 400),
        ({"data": {"k": "v"}, "mode": "other"}, 400),
        ({"data": {"k": "\u00e9"}}, 400),
        ({"data": {f"k{number}": "v" for number in range(101)}}, 429),
        ({"data": {"k": "v"}, "more": "x" * 33_000}, 413),
    ],
)
async def test_what_cannot_be_kept_is_refused_and_changes_nothing(
    new_vehicle: NewVehicle, world: World, body: Any, status: int
) -> None:
    vehicle, _ = new_vehicle()
    await vehicle.send("PUT", "/configData", json={"data": BEFORE})
    assert (await vehicle.send("PUT", "/configData", json=body)).status == status
    assert world.value("SELECT reported FROM vehicle") == BEFORE


async def test_a_success_that_the_configuration_contradicts_is_none(
    new_vehicle: NewVehicle, world: World
) -> None:
    vehicle, number = new_vehicle()
    world.ecu(number)
    file = world.file()
    action = world.assign(number, world.campaign(file))
    await vehicle.poll()
    await vehicle.send("GET", f"/softwaremodules/{file.id}/artifacts/{file.name}")
    await vehicle.feedback(action, "closed", "success")
    assert world.state(number) is Target.SUCCEEDED
    assert "configData" in (await vehicle.poll()).link
    runs = {"mode": "replace", "data": {"vin": "V", "sw_version.Radar": "1.3.0"}}
    assert (await vehicle.send("PUT", "/configData", json=runs)).status == 200
    assert world.state(number) is Target.DEFERRED
    # Nothing is shown as installed, and no client is kept busy with its configuration.
    assert (await vehicle.poll()).link == {}


async def test_attributes_are_put(new_vehicle: NewVehicle) -> None:
    vehicle, _ = new_vehicle()
    for method in ("GET", "POST", "DELETE"):
        answer = await vehicle.send(method, "/configData")
        assert (answer.status, answer.headers["allow"]) == (405, "PUT"), method

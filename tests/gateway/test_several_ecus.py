"""A package for several ECUs: one action, a chunk each in install order, and success means all of it.

| The vehicle | Then |
|---|---|
| fetches all files and claims success | it succeeded |
| fetches some of them and claims success | it is deferred: which file is missing is said |
| had the software of the others before | those files need no fetching |
| says that one ECU failed, and claims success | it failed |
"""

import pytest

from campaign.assignment import Target
from store import fleet
from store.connect import connect
from tests.gateway.conftest import NewVehicle
from tests.gateway.http import Vehicle
from tests.gateway.world import File, World

ECUS = ["Radar", "Radar1", "Radar2"]


async def offered(new_vehicle: NewVehicle, world: World) -> tuple[Vehicle, int, int, list[File]]:
    """A vehicle that is offered a package of three modules: it, its id, the action and the files."""
    vehicle, number = new_vehicle()
    for ecu in ECUS:
        world.ecu(number, ecu)
    files = [world.file(f"{name}.swu", name.encode()) for name in "abc"]
    action = world.assign(number, world.campaign(*files))
    assert list((await vehicle.poll()).link) == ["deploymentBase"]
    return vehicle, number, action, files


async def fetch(vehicle: Vehicle, *files: File) -> None:
    for file in files:
        answer = await vehicle.send("GET", f"/softwaremodules/{file.id}/artifacts/{file.name}")
        assert answer.body == file.content


async def test_there_is_a_chunk_for_each_module_in_install_order(
    new_vehicle: NewVehicle, world: World
) -> None:
    vehicle, _, action, files = await offered(new_vehicle, world)
    chunks = (await vehicle.send("GET", f"/deploymentBase/{action}")).json["deployment"]["chunks"]
    assert [chunk["name"] for chunk in chunks] == ECUS
    assert [chunk["artifacts"][0]["filename"] for chunk in chunks] == [file.name for file in files]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
async def test_success_means_all_files_were_fetched(
    order: tuple[int, ...], new_vehicle: NewVehicle, world: World
) -> None:
    vehicle, number, action, files = await offered(new_vehicle, world)
    await fetch(vehicle, files[order[0]])
    assert (await vehicle.feedback(action, "proceeding")).status == 200
    assert world.state(number) is Target.INSTALLING
    await fetch(vehicle, *(files[place] for place in order[1:]))
    assert world.state(number) is Target.INSTALLING
    assert (await vehicle.feedback(action, "closed", "success")).status == 200
    assert world.state(number) is Target.SUCCEEDED
    versions = world.value("SELECT array_agg(DISTINCT sw_version) FROM ecu")
    assert versions == ["1.4.0"]


@pytest.mark.parametrize(
    ("fetched", "missing"), [([0], "Radar1, Radar2"), ([1, 2], "Radar"), ([0, 2], "Radar1")]
)
async def test_a_success_without_the_file_of_an_ecu_is_none_and_says_whose(
    fetched: list[int], missing: str, new_vehicle: NewVehicle, world: World
) -> None:
    vehicle, number, action, files = await offered(new_vehicle, world)
    await fetch(vehicle, *(files[place] for place in fetched))
    assert (await vehicle.feedback(action, "closed", "success")).status == 200
    assert world.state(number) is Target.DEFERRED
    why = f"claimed success without fetching the file of {missing}: "
    assert world.value("SELECT message FROM assignment").startswith(why)


async def test_a_file_whose_software_the_ecu_had_before_need_not_be_fetched(
    new_vehicle: NewVehicle, world: World
) -> None:
    vehicle, number, action, files = await offered(new_vehicle, world)
    world.run("UPDATE ecu SET sw_version = '1.4.0' WHERE name <> 'Radar'")
    await fetch(vehicle, files[0])
    await vehicle.feedback(action, "closed", "success")
    assert world.state(number) is Target.SUCCEEDED


async def test_what_was_fetched_for_an_earlier_offer_proves_nothing(
    new_vehicle: NewVehicle, world: World
) -> None:
    vehicle, number, action, files = await offered(new_vehicle, world)
    await fetch(vehicle, *files)
    await vehicle.feedback(action, "rejected")
    world.run("UPDATE assignment SET not_before = NULL")
    again = action + 1
    assert f"/deploymentBase/{again}?" in (await vehicle.poll()).link["deploymentBase"]
    await fetch(vehicle, files[2])
    await vehicle.feedback(again, "closed", "success")
    assert world.state(number) is Target.DEFERRED


async def test_a_success_in_which_one_ecu_failed_is_a_failure(new_vehicle: NewVehicle, world: World) -> None:
    vehicle, number, action, files = await offered(new_vehicle, world)
    await fetch(vehicle, *files)
    lines = ["ecu=Radar result=success version=1.4.0", "ecu=Radar1 result=failure code=7 no word"]
    await vehicle.feedback(action, "closed", "success", *lines)
    assert world.state(number) is Target.FAILED
    assert world.value("SELECT message FROM assignment") == "; ".join(lines)


async def test_what_became_of_each_ecu_is_seen_while_the_others_are_under_way(
    new_vehicle: NewVehicle, world: World
) -> None:
    vehicle, number, action, files = await offered(new_vehicle, world)
    await fetch(vehicle, files[0])

    def seen() -> list[tuple[str, str, str | None, int | None, str]]:
        with connect(world.url) as connection:
            found = fleet.vehicle(connection, vehicle.vin)["ecu_results"]
        return [(row["ecu"], row["result"], row["version"], row["code"], row["text"]) for row in found]

    assert seen() == []
    await vehicle.feedback(action, "proceeding", "none", "ecu=Radar result=success version=1.4.0")
    assert seen() == [("Radar", "success", "1.4.0", None, "")]
    await vehicle.feedback(action, "proceeding", "none", "ecu=Radar1 result=failure code=7 no word")
    radar, second = ("Radar", "success", "1.4.0", None, ""), ("Radar1", "failure", None, 7, "no word")
    assert seen() == [radar, second]
    assert world.state(number) is Target.INSTALLING
    # The next attempt of Radar1 turns out well: its last word counts.
    await vehicle.feedback(action, "proceeding", "none", "ecu=Radar1 result=success version=1.4.0")
    assert seen() == [radar, ("Radar1", "success", "1.4.0", None, "")]


async def test_a_file_that_was_begun_is_fetched_on_without_a_write(
    new_vehicle: NewVehicle, world: World
) -> None:
    vehicle, _, _, files = await offered(new_vehicle, world)
    await fetch(vehicle, files[0])
    before = world.value("SELECT (xmin::text, fetched_at)::text FROM assignment")
    path = f"/softwaremodules/{files[0].id}/artifacts/{files[0].name}"
    with world.locked_campaigns():
        assert (await vehicle.send("GET", path, headers={"Range": "bytes=0-0"})).status == 206
    assert world.value("SELECT (xmin::text, fetched_at)::text FROM assignment") == before

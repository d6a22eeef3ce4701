"""installedBase, the history of an action, and the files of a module."""

from typing import Any

import pytest

from campaign.assignment import Target
from tests.gateway.conftest import NewVehicle
from tests.gateway.http import Answer, Vehicle
from tests.gateway.world import World


async def test_the_poll_links_what_was_installed_last(new_vehicle: NewVehicle, world: World) -> None:
    vehicle, number = new_vehicle()
    file = world.file()
    old, new, failed = (world.campaign(file, name=name) for name in ("old", "new", "failed"))
    world.assign(number, old, Target.SUCCEEDED)
    world.run("UPDATE assignment SET finished_at = now()")
    first = world.assign(number, new, Target.SUCCEEDED)
    world.run("UPDATE assignment SET finished_at = now() - interval '1 day' WHERE campaign_id = :c", c=old)
    world.run("UPDATE assignment SET finished_at = now() WHERE campaign_id = :c", c=new)
    world.assign(number, failed, Target.FAILED)
    link = (await vehicle.poll()).link
    assert list(link) == ["installedBase"]
    assert link["installedBase"].endswith(f"/installedBase/{first}")
    answer = await vehicle.send("GET", link["installedBase"])
    assert answer.json["deployment"]["chunks"][0]["artifacts"][0]["filename"] == file.name
    known = {"If-None-Match": answer.headers["etag"]}
    assert (await vehicle.send("GET", link["installedBase"], headers=known)).status == 304


async def test_only_what_is_installed_is_described_as_such(new_vehicle: NewVehicle, world: World) -> None:
    campaign = world.campaign(world.file(), delivering=False)
    described = set()
    for place, state in enumerate(Target):
        vehicle, number = new_vehicle(f"5YJYGDEE0MF0005{place:02}")
        action = world.assign(number, campaign, state)
        if (await vehicle.send("GET", f"/installedBase/{action}")).status == 200:
            described.add(state)
    assert described == {Target.SUCCEEDED}
    stranger, _ = new_vehicle("5YJYGDEE0MF000009")
    assert (await stranger.send("GET", f"/installedBase/{action}")).status == 404


@pytest.mark.parametrize(
    ("asked", "messages"),
    [
        ("", None),
        ("?actionHistory=0", None),
        ("?actionHistory=-0", None),
        ("?actionHistory=1", ["c"]),
        ("?actionHistory=2", ["c", "b"]),
        ("?actionHistory=200", ["c", "b", "a"]),
        ("?actionHistory=-1", ["c", "b", "a"]),
    ],
)
@pytest.mark.parametrize(
    ("state", "base", "status"),
    [
        (Target.OFFERED, "deploymentBase", "RETRIEVED"),
        (Target.DOWNLOADING, "deploymentBase", "DOWNLOAD"),
        (Target.INSTALLING, "deploymentBase", "RUNNING"),
        (Target.SUCCEEDED, "deploymentBase", "FINISHED"),
        (Target.SUCCEEDED, "installedBase", "FINISHED"),
        (Target.FAILED, "deploymentBase", "ERROR"),
    ],
)
async def test_a_vehicle_reads_its_own_words_again_the_newest_first(
    new_vehicle: NewVehicle,
    world: World,
    asked: str,
    messages: list[str] | None,
    state: Target,
    base: str,
    status: str,
) -> None:
    vehicle, number = new_vehicle()
    campaign = world.campaign(world.file())
    action = world.assign(number, campaign, state)
    world.report(number, campaign, "a")
    world.report(number, campaign)
    world.report(number, campaign, "b", "c")
    world.report(number + 1, campaign, "another's")
    history = (await vehicle.send("GET", f"/{base}/{action}{asked}")).json.get("actionHistory")
    assert history == (None if messages is None else {"status": status, "messages": messages})


async def test_no_more_than_a_hundred_messages_are_read_and_a_wrong_number_none(
    new_vehicle: NewVehicle, world: World
) -> None:
    vehicle, number = new_vehicle()
    campaign = world.campaign(world.file())
    action = world.assign(number, campaign, Target.INSTALLING)
    world.report(number, campaign, *"abc", times=40)
    answer = await vehicle.send("GET", f"/deploymentBase/{action}?actionHistory=-1")
    assert len(answer.json["actionHistory"]["messages"]) == 100
    for wrong in ("x", "", "1.5", "--1", "9" * 11, "%D9%A1"):
        path = f"/deploymentBase/{action}?actionHistory={wrong}"
        assert (await vehicle.send("GET", path)).status == 400, wrong


async def test_the_files_of_a_module_are_listed_while_it_is_offered_or_installed(
    new_vehicle: NewVehicle, world: World
) -> None:
    vehicle, number = new_vehicle()
    file, other = world.file(), world.file("other.swu", b"other")
    action = world.assign(number, world.campaign(file), Target.OFFERED)
    path = f"/softwaremodules/{file.id}/artifacts"
    listed = await vehicle.send("GET", path)
    [chunk] = (await vehicle.send("GET", f"/deploymentBase/{action}")).json["deployment"]["chunks"]
    assert listed.json == chunk["artifacts"]
    known = {"If-None-Match": listed.headers["etag"]}
    assert (await vehicle.send("GET", path, headers=known)).status == 304
    assert (await vehicle.send("GET", f"/softwaremodules/{other.id}/artifacts")).status == 404
    assert (await vehicle.send("GET", "/softwaremodules/99/artifacts")).status == 404
    assert world.state(number) is Target.OFFERED
    for state, status in ((Target.SUCCEEDED, 200), (Target.FAILED, 404), (Target.PENDING, 404)):
        world.run("UPDATE assignment SET state = :s", s=state.value)
        assert (await vehicle.send("GET", path)).status == status, state


async def test_the_sum_of_a_file_has_an_etag(new_vehicle: NewVehicle, world: World) -> None:
    vehicle, number = new_vehicle()
    file = world.file()
    world.assign(number, world.campaign(file), Target.OFFERED)
    path = f"/softwaremodules/{file.id}/artifacts/{file.name}.MD5SUM"
    etag = (await vehicle.send("GET", path)).headers["etag"]
    assert (await vehicle.send("GET", path, headers={"If-None-Match": etag})).status == 304


async def claim(vehicle: Vehicle, name: str = "radar", version: str = "1.4.0") -> Answer:
    return await vehicle.send("PUT", "/installedBase", json={"name": name, "version": version})


async def test_a_vehicle_tells_what_it_runs_and_its_software_is_kept(
    new_vehicle: NewVehicle, world: World
) -> None:
    vehicle, number = new_vehicle()
    world.package(world.file(), world.file("b.swu", b"b"), versions=("1.4.0", "2.0.0"))
    world.ecu(number)
    world.ecu(number, "Radar1", "2.0.0")
    world.ecu(number, "Camera", "7")
    assert ((await claim(vehicle)).status, (await claim(vehicle, version="2.0.0")).status) == (201, 200)
    runs = "SELECT string_agg(sw_version, ' ' ORDER BY name) FROM ecu"
    assert world.value(runs) == "7 1.4.0 2.0.0"
    history = "SELECT concat_ws(' ', ecu, from_version, to_version, source, campaign_id) FROM software_change"
    assert world.value(history) == "Radar 1.3.0 1.4.0 vehicle"


async def test_a_claim_is_no_outcome(new_vehicle: NewVehicle, world: World) -> None:
    vehicle, number = new_vehicle()
    file = world.file()
    world.package(file)
    world.ecu(number)
    world.assign(number, world.campaign(file), Target.INSTALLING)
    assert (await claim(vehicle)).status == 201
    assert world.state(number) is Target.INSTALLING


async def test_a_package_that_is_not_for_this_vehicle_is_not_there(
    new_vehicle: NewVehicle, world: World
) -> None:
    vehicle, number = new_vehicle()
    file = world.file()
    world.package(file)
    assert (await claim(vehicle)).status == 404  # no such ECU
    world.ecu(number, hw_id="R2")
    assert (await claim(vehicle)).status == 404  # other hardware
    assert (await claim(vehicle, "camera")).status == 404
    assert (await claim(vehicle, version="1.5.0")).status == 404
    wrong: list[Any] = [{}, [], {"name": "radar"}]
    for name in (1, "", "a\0", "a" * 129):
        wrong.append({"name": name, "version": "1"})
    for body in wrong:
        assert (await vehicle.send("PUT", "/installedBase", json=body)).status == 400, body
    assert world.value("SELECT sw_version FROM ecu") == "1.3.0"

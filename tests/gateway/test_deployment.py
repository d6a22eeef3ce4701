"""deploymentBase and cancelAction: what to install, and what to stop."""

import pytest

from campaign.action import action_id
from campaign.assignment import ATTEMPTS, STARTED, Target
from tests.gateway.conftest import NewVehicle
from tests.gateway.world import World


async def test_the_link_of_a_poll_leads_to_the_files(new_vehicle: NewVehicle, world: World) -> None:
    vehicle, number = new_vehicle()
    radar, camera = world.file("radar.swu", b"radar"), world.file("camera+1.swu", b"camera")
    action = world.assign(number, world.campaign(radar, camera))
    answer = await vehicle.send("GET", (await vehicle.poll()).link["deploymentBase"])
    assert answer.status == 200
    assert answer.json["id"] == str(action)
    assert answer.json["deployment"]["download"] == answer.json["deployment"]["update"] == "forced"
    artifacts = [chunk["artifacts"][0] for chunk in answer.json["deployment"]["chunks"]]
    assert [artifact["hashes"]["sha256"] for artifact in artifacts] == [radar.sha256, camera.sha256]
    for artifact, file in zip(artifacts, (radar, camera), strict=True):
        got = await vehicle.send("GET", artifact["_links"]["download-http"]["href"])
        assert got.body == file.content
        summed = await vehicle.send("GET", artifact["_links"]["md5sum-http"]["href"])
        assert summed.body.decode() == f"{file.md5}  {file.name}"
        assert summed.headers["content-type"].startswith("text/plain")


async def test_the_owner_is_asked_when_the_campaign_says_banner(
    new_vehicle: NewVehicle, world: World
) -> None:
    vehicle, number = new_vehicle()
    action = world.assign(number, world.campaign(world.file(), interaction="banner"), Target.OFFERED)
    deployment = (await vehicle.send("GET", f"/deploymentBase/{action}")).json["deployment"]
    assert (deployment["download"], deployment["update"]) == ("attempt", "attempt")


async def test_reading_a_deployment_changes_nothing_and_has_an_etag(
    new_vehicle: NewVehicle, world: World
) -> None:
    vehicle, number = new_vehicle()
    action = world.assign(number, world.campaign(world.file()), Target.OFFERED)
    etag = (await vehicle.send("GET", f"/deploymentBase/{action}?c=1")).headers["etag"]
    again = await vehicle.send("GET", f"/deploymentBase/{action}", headers={"If-None-Match": etag})
    assert again.status == 304
    assert world.state(number) is Target.OFFERED


@pytest.mark.parametrize("delivering", [True, False])
async def test_a_live_action_and_one_with_an_outcome_is_described_and_an_unstarted_one_while_delivered(
    new_vehicle: NewVehicle, world: World, delivering: bool
) -> None:
    campaign = world.campaign(world.file(), delivering=delivering)
    described = set()
    for place, state in enumerate(Target):
        vehicle, number = new_vehicle(f"5YJYGDEE0MF0003{place:02}")
        action = world.assign(number, campaign, state)
        if (await vehicle.send("GET", f"/deploymentBase/{action}")).status == 200:
            described.add(state)
            assert world.state(number) is state
    assert described == STARTED | ATTEMPTS | ({Target.OFFERED} if delivering else set())


async def test_foreign_and_impossible_actions_are_not_there(new_vehicle: NewVehicle, world: World) -> None:
    vehicle, number = new_vehicle()
    campaign = world.campaign(world.file())
    world.assign(number, campaign, Target.OFFERED)
    stranger, _ = new_vehicle("5YJYGDEE0MF000009")
    own = action_id(campaign, 1)
    assert (await stranger.send("GET", f"/deploymentBase/{own}")).status == 404
    for action in ("0", "-1", "x", str(2**31), "9" * 30, "1.5", "%D9%A1", "%00", own + 1, own + 128):
        for path in (f"/deploymentBase/{action}", f"/cancelAction/{action}"):
            assert (await vehicle.send("GET", path)).status == 404, path
        answer = await vehicle.send(
            "POST",
            f"/deploymentBase/{action}/feedback",
            json={"status": {"execution": "closed", "result": {"finished": "failure"}}},
        )
        assert answer.status == 404, action
    assert world.state(number) is Target.OFFERED


async def test_a_cancel_is_shown_while_it_is_wanted(new_vehicle: NewVehicle, world: World) -> None:
    vehicle, number = new_vehicle()
    action = world.assign(number, world.campaign(world.file()), Target.DOWNLOADING)
    assert (await vehicle.send("GET", f"/cancelAction/{action}")).status == 404
    world.run("UPDATE assignment SET cancel_wanted = true")
    link = (await vehicle.poll()).link["cancelAction"]
    answer = await vehicle.send("GET", link)
    assert answer.json == {"id": str(action), "cancelAction": {"stopId": str(action)}}
    again = await vehicle.send("GET", link, headers={"If-None-Match": answer.headers["etag"]})
    assert again.status == 304
    assert (await vehicle.send("GET", f"/deploymentBase/{action}")).status == 404

"""What a vehicle is told that was left out of a campaign while it ran."""

from campaign.assignment import Target
from tests.gateway.conftest import NewVehicle
from tests.gateway.world import World


async def test_who_waits_is_offered_nothing(new_vehicle: NewVehicle, world: World) -> None:
    campaign = world.campaign(world.file())
    facts = {excluded: world.configuration(campaign, excluded=excluded) for excluded in (True, False)}
    links = {}
    for excluded, vin in ((True, "5YJYGDEE0MF000011"), (False, "5YJYGDEE0MF000012")):
        vehicle, number = new_vehicle(vin)
        world.assign(number, campaign, configuration=facts[excluded])
        links[excluded] = list((await vehicle.poll()).link)
    assert links == {True: [], False: ["deploymentBase"]}


async def test_who_downloads_is_asked_to_cancel_and_gets_no_more_bytes(
    new_vehicle: NewVehicle, world: World
) -> None:
    vehicle, number = new_vehicle()
    file = world.file()
    campaign = world.campaign(file)
    facts = world.configuration(campaign, excluded=True)
    action = world.assign(number, campaign, Target.DOWNLOADING, facts, cancel_wanted=True)
    assert list((await vehicle.poll()).link) == ["cancelAction"]
    assert (await vehicle.send("GET", f"/deploymentBase/{action}")).status == 404
    assert (await vehicle.send("GET", f"/softwaremodules/{file.id}/artifacts/{file.name}")).status == 404
    assert (await vehicle.feedback(action, "closed", "success", channel="cancelAction")).status == 200
    assert world.state(number) is Target.EXCLUDED
    assert (await vehicle.poll()).link == {}


async def test_who_installs_finishes(new_vehicle: NewVehicle, world: World) -> None:
    vehicle, number = new_vehicle()
    file = world.file()
    campaign = world.campaign(file)
    facts = world.configuration(campaign, excluded=True)
    action = world.assign(number, campaign, Target.DOWNLOADING, facts)
    path = f"/softwaremodules/{file.id}/artifacts/{file.name}"
    assert (await vehicle.send("GET", path)).body == file.content
    world.run("UPDATE assignment SET state = 'installing', files = -1, fetched_at = now()")
    assert (await vehicle.send("GET", path)).body == file.content
    assert (await vehicle.feedback(action, "closed", "success")).status == 200
    assert world.state(number) is Target.SUCCEEDED

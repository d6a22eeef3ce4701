"""Polls of vehicles for which there is nothing: answered out of memory, and never older than the database."""

import hashlib
from collections.abc import Callable

import pytest

from campaign.assignment import Target
from tests.gateway.conftest import VIN, Gateway, NewVehicle
from tests.gateway.http import Vehicle
from tests.gateway.world import TOKEN, World

HASH = "sha256('another'::bytea)"


async def test_a_poll_of_an_idle_vehicle_asks_for_the_epoch_alone(
    new_vehicle: NewVehicle, world: World
) -> None:
    vehicle, _ = new_vehicle()
    first = await vehicle.poll()
    with world.locked("vehicle"):  # whoever asked where it stands would wait
        again = await vehicle.poll()
    assert (again.status, again.body, again.headers["etag"]) == (200, first.body, first.headers["etag"])
    assert again.headers["content-type"] == first.headers["content-type"]


def gate_opens(world: World, campaign: int) -> None:
    world.run("UPDATE campaign SET gate_open = true")


def lease_is_renewed(world: World, campaign: int) -> None:
    world.run("UPDATE campaign SET lease_until = now() + interval '1 hour'")


def phase_is_released(world: World, campaign: int) -> None:
    world.run("UPDATE phase SET allowance = 100")


@pytest.mark.parametrize(
    ("before", "event"),
    [
        ("UPDATE campaign SET gate_open = false", gate_opens),
        ("UPDATE campaign SET lease_until = now() - interval '1 s'", lease_is_renewed),
        ("UPDATE phase SET allowance = 0", phase_is_released),
    ],
    ids=["a gate opens", "a lapsed lease is renewed", "a phase is released"],
)
async def test_the_first_poll_after_the_commit_that_gives_a_vehicle_something_has_it(
    new_vehicle: NewVehicle, world: World, before: str, event: Callable[[World, int], None]
) -> None:
    vehicle, number = new_vehicle()
    campaign = world.campaign(world.file())
    world.run(before)
    world.assign(number, campaign)
    for _ in range(2):  # the second one out of memory
        assert (await vehicle.poll()).link == {}

    event(world, campaign)

    assert set((await vehicle.poll()).link) == {"deploymentBase"}


async def test_a_success_that_nobody_waited_for_is_seen_at_the_next_poll(
    new_vehicle: NewVehicle, world: World
) -> None:
    vehicle, number = new_vehicle()
    world.ecu(number)
    action = world.assign(number, world.campaign(world.file()), Target.SILENT, files=-1)
    world.run("UPDATE assignment SET fetched_at = now(), finished_at = now()")
    for _ in range(2):
        assert (await vehicle.poll()).link == {}

    assert (await vehicle.feedback(action, "closed", "success")).status == 200

    assert set((await vehicle.poll()).link) == {"installedBase", "configData"}


async def test_an_idle_vehicle_sees_what_it_installed_last(new_vehicle: NewVehicle, world: World) -> None:
    vehicle, number = new_vehicle()
    action = world.assign(number, world.campaign(world.file()), Target.SUCCEEDED)
    links = [(await vehicle.poll()).link for _ in range(3)]
    assert links[0] == links[1] == links[2]
    assert links[0]["installedBase"].endswith(f"/{VIN}/installedBase/{action}")


async def test_a_vehicle_whose_deferral_runs_out_is_offered_it_again(
    new_vehicle: NewVehicle, world: World
) -> None:
    vehicle, number = new_vehicle()
    world.assign(number, world.campaign(world.file()), Target.DEFERRED)
    world.run("UPDATE assignment SET not_before = now() + interval '1 hour'")
    for _ in range(2):
        assert (await vehicle.poll()).link == {}
    # Only time passes: nothing that an epoch could rise for.
    world.run("UPDATE assignment SET not_before = now() - interval '1 s'")
    assert set((await vehicle.poll()).link) == {"deploymentBase"}


@pytest.mark.parametrize(
    "change",
    [
        f"UPDATE vehicle SET token_hash = {HASH}",
        "UPDATE vehicle SET token_hash = NULL",
    ],
    ids=["replaced", "revoked"],
)
async def test_a_token_that_is_no_good_any_more_is_refused_at_the_next_request(
    new_vehicle: NewVehicle, world: World, change: str
) -> None:
    vehicle, _ = new_vehicle()
    for _ in range(2):
        assert (await vehicle.poll()).status == 200
        assert (await vehicle.send("GET", "/deploymentBase/129")).status == 404
    world.run(change)
    assert (await vehicle.send("GET", "/deploymentBase/129")).status == 401
    assert (await vehicle.poll()).status == 401


async def test_a_former_token_is_good_until_its_time_and_not_remembered_beyond(
    new_vehicle: NewVehicle, world: World
) -> None:
    vehicle, _ = new_vehicle()
    world.run(
        f"UPDATE vehicle SET former_token_hash = token_hash, token_hash = {HASH},"
        " former_token_until = now() + interval '1 hour'"
    )
    for _ in range(2):
        assert (await vehicle.poll()).status == 200
    world.run("UPDATE vehicle SET former_token_until = now() - interval '1 s'")
    assert (await vehicle.poll()).status == 401


async def test_whoever_shows_the_gateway_token_is_known_by_it_for_that_vehicle_alone(
    gateway: Gateway, world: World
) -> None:
    world.vehicle(VIN, token=None)
    world.vehicle("OTHER", token="its own")
    async with gateway(gateway_token_sha256=hashlib.sha256(b"password").hexdigest()) as client:
        by_gateway = {"Authorization": "GatewayToken password"}
        mine = f"/DEFAULT/controller/v1/{VIN}"
        for _ in range(2):
            assert (await client.send("GET", mine, headers=by_gateway)).status == 200
            for wrong in ({"Authorization": "GatewayToken no"}, {}):
                assert (await client.send("GET", mine, headers=wrong)).status == 401


async def test_an_idle_vehicle_that_polls_too_often_is_told_so(gateway: Gateway, world: World) -> None:
    world.vehicle(VIN)
    async with gateway(requests_per_second=1) as client:
        vehicle = Vehicle(client, VIN, TOKEN)
        statuses = [(await vehicle.poll()).status for _ in range(8)]
    assert set(statuses) == {200, 429}


async def test_an_idle_vehicle_has_its_answer_in_the_format_it_asks_for(new_vehicle: NewVehicle) -> None:
    vehicle, _ = new_vehicle()
    for _ in range(2):
        cbor = await vehicle.send("GET", headers={"Accept": "application/cbor"})
        assert cbor.headers["content-type"] == "application/cbor"
        assert (await vehicle.send("GET", headers={"Accept": "text/html"})).status == 406
        etag = (await vehicle.poll()).headers["etag"]
        assert (await vehicle.send("GET", headers={"If-None-Match": etag})).status == 304
        assert (await vehicle.send("HEAD")).status == 405


async def test_two_gateways_see_the_same_moment(
    gateway: Gateway, new_vehicle: NewVehicle, world: World
) -> None:
    here, number = new_vehicle()
    world.assign(number, world.campaign(world.file(), delivering=False))
    async with gateway() as other:
        there = Vehicle(other, VIN, TOKEN)
        for vehicle in (here, there, here, there):
            assert (await vehicle.poll()).link == {}
        world.run("UPDATE campaign SET gate_open = true")
        for vehicle in (there, here):
            assert set((await vehicle.poll()).link) == {"deploymentBase"}


async def test_an_epoch_that_goes_back_is_not_believed(new_vehicle: NewVehicle, world: World) -> None:
    """As after a restore, or a failover to a server that lacks the last transactions."""
    vehicle, number = new_vehicle()
    world.assign(number, world.campaign(world.file(), delivering=False))
    for _ in range(2):
        assert (await vehicle.poll()).link == {}
    world.run("UPDATE epoch SET number = number - 1000")
    world.run("UPDATE campaign SET gate_open = true")
    assert set((await vehicle.poll()).link) == {"deploymentBase"}


async def test_what_a_refusal_costs_an_idle_vehicle(gateway: Gateway, world: World) -> None:
    world.vehicle(VIN)
    async with gateway(requests_per_second=1) as client:
        vehicle = Vehicle(client, VIN, TOKEN)
        assert (await vehicle.poll()).status == 200
        unreadable = [(await vehicle.send("GET", headers={"Accept": "text/html"})).status for _ in range(3)]
        assert unreadable == [406] * 3  # each one request out of four
        with world.locked("vehicle"):
            # It is told without being asked where it stands.
            assert (await vehicle.poll()).status == 429


async def test_a_fault_on_the_short_way_is_answered_and_logged_as_on_the_usual_one(
    new_vehicle: NewVehicle, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    vehicle, _ = new_vehicle()
    assert (await vehicle.poll()).status == 200
    world.run("ALTER TABLE epoch RENAME TO elsewhere")
    answer = await vehicle.poll()
    assert (answer.status, answer.json["errorCode"]) == (500, "ringmaster.failed")
    assert "request_failed" in caplog.text
    assert VIN not in caplog.text

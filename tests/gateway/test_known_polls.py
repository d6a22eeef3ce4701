"""Polls of known vehicles: answered without a task for each, and no differently from others."""

import asyncio
import re
from collections.abc import Callable

import pytest
from psycopg import AsyncConnection

from campaign.assignment import Target
from gateway.batch import POLLS_WAITING
from gateway.fleet import Fleet
from gateway.pool import Pool
from store.epoch import epoch
from tests.gateway.conftest import VIN, Gateway, NewVehicle
from tests.gateway.http import Client, Vehicle
from tests.gateway.wire import answered, request, told
from tests.gateway.world import TOKEN, World

Tasks = asyncio.Queue[str]
#: Makes the vehicle with this number one for which there is something, or nothing.
Scene = Callable[[World, int], object]


def taken(tasks: Tasks) -> int:
    """How many requests took a task since this was last asked."""
    return len([tasks.get_nowait() for _ in range(tasks.qsize())])


def status(answer: bytes) -> int:
    return int(answer.split(b" ")[1])


def without_date(answer: bytes) -> bytes:
    return re.sub(rb"date: [^\r\n]*\r\n", b"", answer)


def nothing(world: World, number: int) -> None:
    pass


def an_offer(world: World, number: int) -> None:
    world.assign(number, world.campaign(world.file()), Target.OFFERED)


def a_campaign(world: World, number: int) -> None:
    world.assign(number, world.campaign(world.file()))


def a_cancellation(world: World, number: int) -> None:
    world.assign(number, world.campaign(world.file()), Target.INSTALLING)
    world.run("UPDATE assignment SET cancel_wanted = true")


def an_installation(world: World, number: int) -> None:
    world.assign(number, world.campaign(world.file()), Target.SUCCEEDED)


SCENES = [nothing, an_offer, a_campaign, a_cancellation, an_installation]
scenes = pytest.mark.parametrize("scene", SCENES, ids=[scene.__name__ for scene in SCENES])


async def known(client: Client, vehicle: Vehicle, tasks: Tasks, *more: str) -> bytes:
    """Two polls: the first one proves who asks, the second one shows how. What that one was answered."""
    answers = await answered(client, *[request(vehicle, *more)] * 2)
    assert taken(tasks) == 2
    return answers[-1]


@scenes
async def test_a_poll_of_a_known_vehicle_takes_no_task_and_has_the_same_answer(
    client: Client, new_vehicle: NewVehicle, world: World, tasks: Tasks, scene: Scene
) -> None:
    vehicle, number = new_vehicle()
    scene(world, number)
    usual = await known(client, vehicle, tasks)
    again = await answered(client, *[request(vehicle)] * 2)
    assert taken(tasks) == 0
    assert [without_date(answer) for answer in again] == [without_date(usual)] * 2
    assert status(usual) == 200


async def test_a_known_vehicle_is_admitted_without_a_task(
    client: Client, new_vehicle: NewVehicle, world: World, tasks: Tasks
) -> None:
    vehicle, number = new_vehicle()
    world.assign(number, world.campaign(world.file()), Target.DEFERRED)
    world.run("UPDATE assignment SET not_before = now() + interval '1 hour'")
    assert b"deploymentBase" not in await known(client, vehicle, tasks)
    world.run("UPDATE assignment SET not_before = now() - interval '1 s'")
    admitted = await answered(client, request(vehicle))
    assert taken(tasks) == 0
    assert b"deploymentBase" in admitted[0]
    assert world.state(number) is Target.OFFERED


@scenes
@pytest.mark.parametrize(
    "change",
    ["UPDATE vehicle SET token_hash = sha256('another'::bytea)", "UPDATE vehicle SET token_hash = NULL"],
    ids=["replaced", "revoked"],
)
async def test_a_token_that_is_no_good_any_more_is_refused_whatever_there_is(
    client: Client, new_vehicle: NewVehicle, world: World, tasks: Tasks, scene: Scene, change: str
) -> None:
    vehicle, number = new_vehicle()
    scene(world, number)
    await known(client, vehicle, tasks)
    world.run(change)
    assert [status(answer) for answer in await answered(client, *[request(vehicle)] * 2)] == [401, 401]


@scenes
async def test_in_another_epoch_a_vehicle_proves_anew_who_it_is(
    client: Client, new_vehicle: NewVehicle, world: World, tasks: Tasks, scene: Scene
) -> None:
    vehicle, number = new_vehicle()
    scene(world, number)
    usual = await known(client, vehicle, tasks)
    world.run("UPDATE epoch SET number = number + 1")
    again = await answered(client, *[request(vehicle)] * 2)
    assert taken(tasks) == 1
    assert [without_date(answer) for answer in again] == [without_date(usual)] * 2


@scenes
async def test_somebody_else_s_proof_is_refused(
    client: Client, new_vehicle: NewVehicle, world: World, tasks: Tasks, scene: Scene
) -> None:
    vehicle, number = new_vehicle()
    scene(world, number)
    await known(client, vehicle, tasks)
    strangers = [Vehicle(client, vehicle.vin, "wrong"), Vehicle(client, "ANOTHER", vehicle.token)]
    answers = await answered(client, *(request(stranger) for stranger in strangers))
    assert [status(answer) for answer in answers] == [401, 401]


@scenes
async def test_a_vehicle_that_has_the_answer_is_told_so(
    client: Client, new_vehicle: NewVehicle, world: World, tasks: Tasks, scene: Scene
) -> None:
    vehicle, number = new_vehicle()
    scene(world, number)
    usual = await known(client, vehicle, tasks)
    etag = re.search(rb'etag: ("[^"]*")', usual)
    assert etag is not None
    conditions = [f"If-None-Match: {etag[1].decode()}", 'If-None-Match: "another"']
    first, second = await answered(client, *(request(vehicle, condition) for condition in conditions))
    assert taken(tasks) == 0
    assert (status(first), b"\r\netag: " + etag[1] in first) == (304, True)
    assert without_date(second) == without_date(usual)


async def test_the_links_of_a_known_vehicle_go_where_it_says_it_came_from(
    gateway: Gateway, world: World, tasks: Tasks
) -> None:
    an_offer(world, world.vehicle(VIN))
    async with gateway(trusted_proxies="127.0.0.1") as client:
        vehicle = Vehicle(client, VIN, TOKEN)
        for host in ("one.example", "two.example"):
            more = [f"X-Forwarded-Host: {host}", "X-Forwarded-Proto: https"]
            answers = await answered(client, *[request(vehicle, *more)] * 4)
            assert all(f'"https://{host}/DEFAULT/'.encode() in answer for answer in answers)
    assert taken(tasks) == 3  # to prove who it is, and of each host the shape


@scenes
async def test_a_known_vehicle_that_polls_too_often_is_told_so(
    gateway: Gateway, world: World, tasks: Tasks, scene: Scene
) -> None:
    scene(world, world.vehicle(VIN))
    async with gateway(requests_per_second=1) as client:
        answers = await answered(client, *[request(Vehicle(client, VIN, TOKEN))] * 8)
    statuses = [status(answer) for answer in answers]
    assert (statuses[:4], statuses[-1]) == ([200] * 4, 429)
    assert taken(tasks) == 2


@scenes
async def test_a_known_vehicle_is_sent_away_where_too_many_wait(
    client: Client,
    new_vehicle: NewVehicle,
    world: World,
    tasks: Tasks,
    monkeypatch: pytest.MonkeyPatch,
    scene: Scene,
) -> None:
    vehicle, number = new_vehicle()
    scene(world, number)
    await known(client, vehicle, tasks)
    monkeypatch.setattr("gateway.known_polls.POLLS_WAITING", 0)
    answers = await answered(client, *[request(vehicle)] * 2)
    assert taken(tasks) == 0
    assert [status(answer) for answer in answers] == [503, 503]
    assert all(b"\r\nretry-after: " in answer for answer in answers)


@scenes
async def test_a_known_vehicle_that_cannot_read_the_answer_is_not_admitted(
    client: Client, new_vehicle: NewVehicle, world: World, tasks: Tasks, scene: Scene
) -> None:
    vehicle, number = new_vehicle()
    assert (await vehicle.poll()).status == 200
    scene(world, number)
    before = world.value("SELECT array_agg(state) FROM assignment")
    answers = await answered(client, *[request(vehicle, "Accept: text/html")] * 3)
    assert [status(answer) for answer in answers] == [406] * 3
    assert world.value("SELECT array_agg(state) FROM assignment") == before


async def test_a_poll_that_was_begun_when_the_epoch_rose_sees_what_it_rose_for(
    client: Client, new_vehicle: NewVehicle, world: World, tasks: Tasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It rises after the poll came and before the question for it is answered."""
    vehicle, number = new_vehicle()
    world.assign(number, world.campaign(world.file(), delivering=False))
    await known(client, vehicle, tasks)

    async def later(connection: AsyncConnection) -> int:
        world.run("UPDATE campaign SET gate_open = true")
        return await epoch(connection)

    monkeypatch.setattr("gateway.fleet.epoch", later)
    assert b"deploymentBase" in (await answered(client, request(vehicle)))[0]
    assert taken(tasks) == 1


@scenes
async def test_a_fault_is_answered_and_logged_by_the_usual_way(
    client: Client,
    new_vehicle: NewVehicle,
    world: World,
    tasks: Tasks,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    scene: Scene,
) -> None:
    vehicle, number = new_vehicle()
    scene(world, number)
    await known(client, vehicle, tasks)

    async def broken(*_: object) -> None:
        raise RuntimeError("ours")

    for question in ("gateway.fleet.epoch", "store.polls.standings"):
        monkeypatch.setattr(question, broken)
    answers = await answered(client, request(vehicle))
    assert status(answers[0]) == 500
    assert taken(tasks) == 1
    assert "request_failed" in caplog.text
    assert VIN not in caplog.text


async def test_a_fault_before_anything_is_asked_is_answered_by_the_usual_way(
    client: Client,
    new_vehicle: NewVehicle,
    tasks: Tasks,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vehicle, _ = new_vehicle()
    await known(client, vehicle, tasks)
    epochs = Fleet.epoch

    def once(self: Fleet, waiting_items: int) -> asyncio.Future[int]:
        monkeypatch.setattr(Fleet, "epoch", epochs)
        raise RuntimeError("ours")

    monkeypatch.setattr(Fleet, "epoch", once)
    assert [status(answer) for answer in await answered(client, request(vehicle))] == [200]
    assert taken(tasks) == 1


async def test_an_answer_that_cannot_be_written_ends_the_connection(
    client: Client, new_vehicle: NewVehicle, tasks: Tasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    vehicle, _ = new_vehicle()
    await known(client, vehicle, tasks)
    wrong: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: wrong.append(context["exception"]))

    def broken(*_: object, **__: object) -> bytes:
        raise RuntimeError("Invalid HTTP header value.")

    monkeypatch.setattr("gateway.whole.text", broken)
    assert await told(client, request(vehicle)) == b""
    assert [type(each) for each in wrong] == [RuntimeError]


async def test_where_many_idle_polls_wait_vehicles_come_more_seldom(pool: Pool) -> None:
    fleet = Fleet(pool)
    waiting = [fleet.epoch(POLLS_WAITING) for _ in range(POLLS_WAITING)]
    assert fleet.pressure == 0
    await asyncio.gather(*waiting)
    assert fleet.pressure == 1
    await fleet.drained()

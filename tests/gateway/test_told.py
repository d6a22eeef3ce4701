"""Reports of known vehicles: recorded without a task for each, and no differently from others."""

import asyncio
from typing import Any

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from campaign.assignment import Target
from tests.gateway.conftest import NewVehicle
from tests.gateway.http import Client, Vehicle
from tests.gateway.wire import FAILURE, PROCEEDING, opened, posted, request, told
from tests.gateway.world import World

REPORTS = "SELECT count(*) FROM report"


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch) -> asyncio.Queue[str]:
    """The methods of the requests that take a task."""
    methods: asyncio.Queue[str] = asyncio.Queue()
    start = HttpToolsProtocol._start_asgi_task

    def counted(self: HttpToolsProtocol, cycle: Any, app: Any) -> None:
        methods.put_nowait(cycle.scope["method"])
        start(self, cycle, app)

    monkeypatch.setattr(HttpToolsProtocol, "_start_asgi_task", counted)
    return methods


async def known(new_vehicle: NewVehicle, world: World, state: Target) -> tuple[Vehicle, int, int]:
    """A vehicle that has polled, its number, and its action."""
    vehicle, number = new_vehicle()
    action = world.assign(number, world.campaign(world.file()), state)
    assert (await vehicle.poll()).status == 200
    return vehicle, number, action


async def test_a_report_of_a_known_vehicle_takes_no_task(
    client: Client, new_vehicle: NewVehicle, world: World, tasks: asyncio.Queue[str]
) -> None:
    vehicle, number, action = await known(new_vehicle, world, Target.DOWNLOADING)
    assert tasks.get_nowait() == "GET"

    answers = await told(client, posted(vehicle, action, FAILURE, "Connection: close"))

    assert answers.startswith(b"HTTP/1.1 200 OK\r\n")
    assert tasks.empty()
    assert world.state(number) is Target.FAILED


async def test_reports_sent_together_are_recorded_in_their_order_and_answered_in_turn(
    client: Client, new_vehicle: NewVehicle, world: World
) -> None:
    vehicle, _, action = await known(new_vehicle, world, Target.DOWNLOADING)
    asked = [
        posted(vehicle, action, PROCEEDING), posted(vehicle, action + 1, PROCEEDING), request(vehicle),
        posted(vehicle, action, FAILURE), posted(vehicle, action, PROCEEDING, "Connection: close"),
    ]  # fmt: skip

    answers = (await told(client, *asked)).split(b"HTTP/1.1 ")[1:]

    assert [answer[:3] for answer in answers] == [b"200", b"404", b"200", b"200", b"410"]
    effects = world.value("SELECT array_agg(effect ORDER BY id) FROM report")
    assert effects == ["progress", "failed", "late"]


@pytest.mark.parametrize("cut", [1, len(FAILURE) // 2, len(FAILURE)])
async def test_a_report_whose_body_comes_later_is_recorded_once(
    client: Client, new_vehicle: NewVehicle, world: World, cut: int, tasks: asyncio.Queue[str]
) -> None:
    vehicle, number, action = await known(new_vehicle, world, Target.DOWNLOADING)
    assert tasks.get_nowait() == "GET"
    whole = posted(vehicle, action, FAILURE, "Connection: close")
    reader, writer = await opened(client)
    writer.write(whole[:-cut])
    assert await asyncio.wait_for(tasks.get(), 10) == "POST"  # begun without the whole of its body
    writer.write(whole[-cut:])

    assert (await asyncio.wait_for(reader.read(), 10)).startswith(b"HTTP/1.1 200 ")
    writer.close()
    assert world.state(number) is Target.FAILED
    assert world.value(REPORTS) == 1


@pytest.mark.parametrize(
    ("body", "more", "status"),
    [
        (b"{", (), b"400"),
        (b'{"status":{"execution":"done","result":{"finished":"failure"}}}', (), b"400"),
        (b'{"status":1' + b" " * 65_536 + b"}", (), b"413"),
        (FAILURE, ("Authorization: TargetToken wrong",), b"200"),
    ],
    ids=["no JSON", "an unknown word", "too long", "two proofs, the first one right"],
)
async def test_what_is_not_in_order_is_answered_as_it_always_was(
    client: Client, new_vehicle: NewVehicle, world: World, body: bytes, more: tuple[str, ...], status: bytes
) -> None:
    vehicle, _, action = await known(new_vehicle, world, Target.DOWNLOADING)

    answer = await told(client, posted(vehicle, action, body, *more, "Connection: close"))

    assert answer.split(b" ")[1] == status
    assert world.value(REPORTS) == (status == b"200")


async def test_whoever_is_sent_away_by_a_full_queue_is_told_when_to_come_back(
    client: Client, new_vehicle: NewVehicle, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    vehicle, number, action = await known(new_vehicle, world, Target.DOWNLOADING)
    monkeypatch.setattr("gateway.batch.Batch.load", lambda _: 1_000_000)
    asked = [posted(vehicle, action, FAILURE)] * 300 + [posted(vehicle, action, FAILURE, "Connection: close")]

    answers = await told(client, *asked)  # more than a stack is deep

    assert answers.count(b"HTTP/1.1 503 ") == answers.count(b"retry-after: ") == 301 - answers.count(b" 429 ")
    assert world.state(number) is Target.DOWNLOADING

"""Reports of known vehicles: recorded without a task for each, and no differently from others."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from psycopg import AsyncConnection
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from campaign.assignment import Target
from gateway import connection
from store import reports
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


#: A vehicle that is known, its number, and the action that it downloads.
Downloading = tuple[Vehicle, int, int]


@pytest.fixture
async def downloading(new_vehicle: NewVehicle, world: World, tasks: asyncio.Queue[str]) -> Downloading:
    """It has polled, which took a task."""
    vehicle, number = new_vehicle()
    action = world.assign(number, world.campaign(world.file()), Target.DOWNLOADING)
    assert (await vehicle.poll()).status == 200
    assert tasks.get_nowait() == "GET"
    return vehicle, number, action


async def test_a_report_of_a_known_vehicle_takes_no_task(
    client: Client, downloading: Downloading, world: World, tasks: asyncio.Queue[str]
) -> None:
    vehicle, number, action = downloading

    answers = await told(client, posted(vehicle, action, FAILURE, "Connection: close"))

    assert answers.startswith(b"HTTP/1.1 200 OK\r\n")
    assert tasks.empty()
    assert world.state(number) is Target.FAILED


async def test_reports_sent_together_are_recorded_in_their_order_and_answered_in_turn(
    client: Client, downloading: Downloading, world: World
) -> None:
    vehicle, _, action = downloading
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
    client: Client, downloading: Downloading, world: World, cut: int, tasks: asyncio.Queue[str]
) -> None:
    vehicle, number, action = downloading
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
        (b'{"status":' + b"[" * 1_000 + b"]" * 1_000 + b"}", (), b"400"),
        (FAILURE, ("Authorization: TargetToken wrong",), b"200"),
    ],
    ids=["no JSON", "an unknown word", "too long", "too deep", "two proofs, the first one right"],
)
async def test_what_is_not_in_order_is_answered_as_it_always_was(
    client: Client, downloading: Downloading, world: World, body: bytes, more: tuple[str, ...], status: bytes
) -> None:
    vehicle, _, action = downloading

    answer = await told(client, posted(vehicle, action, body, *more, "Connection: close"))

    assert answer.split(b" ")[1] == status
    assert world.value(REPORTS) == (status == b"200")


async def test_a_body_that_is_too_long_is_refused_also_where_it_comes_whole(
    client: Client, downloading: Downloading, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    vehicle, _, action = downloading
    for module in ("gateway.told", "gateway.feedback"):
        monkeypatch.setattr(f"{module}.FEEDBACK_MAX_BYTES", len(FAILURE) - 1)

    answer = await told(client, posted(vehicle, action, FAILURE, "Connection: close"))

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert world.value(REPORTS) == 0


async def test_a_fault_of_ours_is_answered_and_logged_by_the_usual_way(
    client: Client,
    downloading: Downloading,
    world: World,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    tasks: asyncio.Queue[str],
) -> None:
    vehicle, _, action = downloading

    def spoilt(body: Any) -> Any:
        raise RuntimeError("ours")

    monkeypatch.setattr("gateway.feedback.read_feedback", spoilt)
    answer = await told(client, posted(vehicle, action, FAILURE, "Connection: close"))

    assert answer.startswith(b"HTTP/1.1 500 ")
    assert tasks.get_nowait() == "POST"
    assert "request_failed" in caplog.text


async def test_a_report_in_another_epoch_is_recorded_by_the_usual_way_once(
    client: Client,
    downloading: Downloading,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    tasks: asyncio.Queue[str],
) -> None:
    vehicle, number, action = downloading
    world.run("UPDATE epoch SET number = number + 1")
    groups: list[int] = []
    record = reports.record

    async def counted(connection: AsyncConnection, group: Sequence[reports.Report]) -> list[reports.Effect]:
        groups.append(len(group))
        return await record(connection, group)

    monkeypatch.setattr(reports, "record", counted)

    answer = await told(client, posted(vehicle, action, FAILURE, "Connection: close"))

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert [tasks.get_nowait(), tasks.empty()] == ["POST", True]
    assert groups == [1, 1]  # refused, proven anew, recorded
    assert world.state(number) is Target.FAILED
    assert world.value(REPORTS) == 1


@pytest.mark.parametrize("whole", [True, False], ids=["its body comes", "its body does not come"])
async def test_a_report_behind_another_waits_for_its_body(
    client: Client, downloading: Downloading, world: World, monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    monkeypatch.setattr(connection, "REQUEST_SECONDS", 30 if whole else 0.2)
    vehicle, number, action = downloading
    last = posted(vehicle, action, FAILURE, "Connection: close")
    reader, writer = await opened(client)
    writer.write(posted(vehicle, action, PROCEEDING) + last[:-5])
    assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).startswith(b"HTTP/1.1 200 ")
    if whole:
        writer.write(last[-5:])

    answer = await asyncio.wait_for(reader.read(), 10)

    writer.close()
    assert answer[:12] == (b"HTTP/1.1 200" if whole else b"")
    assert world.state(number) is (Target.FAILED if whole else Target.DOWNLOADING)


async def test_whoever_is_sent_away_by_a_full_queue_is_told_when_to_come_back(
    client: Client,
    downloading: Downloading,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    tasks: asyncio.Queue[str],
) -> None:
    vehicle, number, action = downloading
    monkeypatch.setattr("gateway.batch.Batch.load", lambda _: 1_000_000)
    asked = [posted(vehicle, action, FAILURE)] * 300 + [posted(vehicle, action, FAILURE, "Connection: close")]

    answers = await told(client, *asked)  # more than a stack is deep

    assert answers.count(b"HTTP/1.1 503 ") == answers.count(b"retry-after: ") == 301
    assert tasks.empty()
    assert world.state(number) is Target.DOWNLOADING

"""Reports of known vehicles: recorded without a task for each, and no differently from others."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from psycopg import AsyncConnection

from campaign.assignment import Target
from gateway import connection
from gateway.fleet import Fleet
from store import reports
from tests.gateway.conftest import NewVehicle
from tests.gateway.http import Client, Vehicle
from tests.gateway.wire import FAILURE, PROCEEDING, answer, answered, opened, posted, request, told
from tests.gateway.world import World

REPORTS = "SELECT count(*) FROM report"


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


@pytest.fixture
async def telling(client: Client, downloading: Downloading, tasks: asyncio.Queue[str]) -> Downloading:
    """It has told something else already, which took a task, as every report of a new shape."""
    vehicle, _, action = downloading
    answers = await answered(client, posted(vehicle, action + 1, PROCEEDING))
    assert answers[0].startswith(b"HTTP/1.1 404 ")
    assert tasks.get_nowait() == "POST"
    return downloading


@pytest.fixture(params=["downloading", "telling"], ids=["a new shape", "a known shape"])
def either(request: pytest.FixtureRequest) -> Downloading:
    """Vehicles of which some say what none has said before, and some do not: no difference to them."""
    vehicle: Downloading = request.getfixturevalue(request.param)
    return vehicle


async def test_a_report_of_a_known_vehicle_takes_no_task(
    client: Client, telling: Downloading, world: World, tasks: asyncio.Queue[str]
) -> None:
    vehicle, number, action = telling

    answers = await answered(
        client,
        posted(vehicle, action, PROCEEDING), posted(vehicle, action, FAILURE),
        posted(vehicle, action, PROCEEDING),
    )  # fmt: skip

    assert [answer[:12] for answer in answers] == [b"HTTP/1.1 200", b"HTTP/1.1 200", b"HTTP/1.1 410"]
    assert tasks.empty()
    assert world.state(number) is Target.FAILED


async def test_what_comes_while_a_report_is_recorded_is_answered_after_it(
    client: Client, telling: Downloading, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    vehicle, number, action = telling
    handed_over = asyncio.Event()
    record = Fleet.record

    def told_of(self: Fleet, report: reports.Report) -> asyncio.Future[reports.Effect]:
        handed_over.set()
        return record(self, report)

    monkeypatch.setattr(Fleet, "record", told_of)
    reader, writer = await opened(client)
    with world.locked_campaigns():
        writer.write(posted(vehicle, action, FAILURE))
        async with asyncio.timeout(10):
            await handed_over.wait()
        for byte in request(vehicle) + posted(vehicle, action, PROCEEDING):
            writer.write(bytes([byte]))
            await writer.drain()

    answers = [await answer(reader) for _ in range(3)]

    assert [answer[:12] for answer in answers] == [b"HTTP/1.1 200", b"HTTP/1.1 200", b"HTTP/1.1 410"]
    assert [b"polling" in answer for answer in answers] == [False, True, False]
    writer.close()
    assert world.state(number) is Target.FAILED


async def test_line_ends_after_a_report_hold_no_connection(
    client: Client, telling: Downloading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "REQUEST_SECONDS", 0.5)
    vehicle, _, action = telling
    reader, writer = await opened(client)
    writer.write(posted(vehicle, action, PROCEEDING))
    await answer(reader)
    writer.write(b"\r\n")
    async with asyncio.timeout(10):  # before uvicorn's own patience is over
        assert await reader.read() == b""
    writer.close()


async def test_the_shape_of_somebody_unknown_is_not_kept(
    client: Client, downloading: Downloading, tasks: asyncio.Queue[str]
) -> None:
    vehicle, _, action = downloading
    stranger = Vehicle(client, vehicle.vin, "not the token")

    answers = await answered(client, *(posted(who, action, PROCEEDING) for who in (stranger, vehicle)))

    assert [answer[:12] for answer in answers] == [b"HTTP/1.1 401", b"HTTP/1.1 200"]
    assert [tasks.get_nowait(), tasks.get_nowait()] == ["POST", "POST"]


async def test_a_shape_that_ends_the_connection_does_so_each_time(
    client: Client, downloading: Downloading
) -> None:
    vehicle, _, action = downloading
    for _ in range(2):
        answers = await told(client, posted(vehicle, action, PROCEEDING, "Connection: close"))
        assert answers.startswith(b"HTTP/1.1 200 ")


async def test_a_shape_that_asks_whether_to_go_on_is_told_so_each_time(
    client: Client, downloading: Downloading
) -> None:
    vehicle, _, action = downloading
    for _ in range(2):
        reader, writer = await opened(client)
        writer.write(posted(vehicle, action, PROCEEDING, "Expect: 100-continue"))
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert (await answer(reader)).startswith(b"HTTP/1.1 200 ")
        writer.close()


async def test_reports_sent_together_are_recorded_in_their_order_and_answered_in_turn(
    client: Client, either: Downloading, world: World
) -> None:
    vehicle, _, action = either
    asked = [
        posted(vehicle, action, PROCEEDING), posted(vehicle, action + 1, PROCEEDING), request(vehicle),
        posted(vehicle, action, FAILURE), posted(vehicle, action, PROCEEDING),
    ]  # fmt: skip

    reader, writer = await opened(client)
    writer.write(b"".join(asked))

    answers = [(await answer(reader)).split(b" ")[1] for _ in asked]

    writer.close()
    assert answers == [b"200", b"404", b"200", b"200", b"410"]
    effects = world.value("SELECT array_agg(effect ORDER BY id) FROM report")
    assert effects == ["progress", "failed", "late"]


@pytest.mark.parametrize("cut", [1, len(FAILURE) // 2, len(FAILURE)])
async def test_a_report_whose_body_comes_later_is_recorded_once(
    client: Client, either: Downloading, world: World, cut: int, tasks: asyncio.Queue[str]
) -> None:
    vehicle, number, action = either
    whole = posted(vehicle, action, FAILURE)
    reader, writer = await opened(client)
    writer.write(whole[:-cut])
    assert await asyncio.wait_for(tasks.get(), 10) == "POST"  # begun without the whole of its body
    writer.write(whole[-cut:])

    assert (await answer(reader)).startswith(b"HTTP/1.1 200 ")
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
    client: Client, either: Downloading, world: World, body: bytes, more: tuple[str, ...], status: bytes
) -> None:
    vehicle, _, action = either

    answers = await answered(client, posted(vehicle, action, body, *more))

    assert answers[0].split(b" ")[1] == status
    assert world.value(REPORTS) == (status == b"200")


async def test_a_body_that_is_too_long_is_refused_also_where_it_comes_whole(
    client: Client, either: Downloading, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    vehicle, _, action = either
    for module in ("gateway.known_reports", "gateway.feedback"):
        monkeypatch.setattr(f"{module}.FEEDBACK_MAX_BYTES", len(FAILURE) - 1)

    answers = await answered(client, posted(vehicle, action, FAILURE))

    assert answers[0].startswith(b"HTTP/1.1 413 ")
    assert world.value(REPORTS) == 0


async def test_a_fault_of_ours_is_answered_and_logged_by_the_usual_way(
    client: Client,
    either: Downloading,
    world: World,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    tasks: asyncio.Queue[str],
) -> None:
    vehicle, _, action = either

    def spoilt(body: Any) -> Any:
        raise RuntimeError("ours")

    monkeypatch.setattr("gateway.feedback.read_feedback", spoilt)
    answers = await answered(client, posted(vehicle, action, FAILURE))

    assert answers[0].startswith(b"HTTP/1.1 500 ")
    assert tasks.get_nowait() == "POST"
    assert "request_failed" in caplog.text


async def test_a_report_in_another_epoch_is_recorded_by_the_usual_way_once(
    client: Client,
    either: Downloading,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    tasks: asyncio.Queue[str],
) -> None:
    vehicle, number, action = either
    world.run("UPDATE epoch SET number = number + 1")
    groups: list[int] = []
    record_group = reports.record_group

    async def counted(
        connection: AsyncConnection, group: Sequence[reports.Report], written: Callable[[], object]
    ) -> list[reports.Effect]:
        groups.append(len(group))
        return await record_group(connection, group, written)

    monkeypatch.setattr(reports, "record_group", counted)

    answers = await answered(client, posted(vehicle, action, FAILURE))

    assert answers[0].startswith(b"HTTP/1.1 200 ")
    assert [tasks.get_nowait(), tasks.empty()] == ["POST", True]
    assert groups == [1, 1]  # refused, proven anew, recorded
    assert world.state(number) is Target.FAILED
    assert world.value(REPORTS) == 1


@pytest.mark.parametrize("whole", [True, False], ids=["its body comes", "its body does not come"])
async def test_a_report_behind_another_waits_for_its_body(
    client: Client, either: Downloading, world: World, monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    monkeypatch.setattr(connection, "REQUEST_SECONDS", 30 if whole else 0.2)
    vehicle, number, action = either
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
    telling: Downloading,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    tasks: asyncio.Queue[str],
) -> None:
    vehicle, number, action = telling
    monkeypatch.setattr("gateway.batch.Batch.load", lambda _: 1_000_000)

    answers = await answered(client, *[posted(vehicle, action, FAILURE)] * 2)

    assert [answer[:12] for answer in answers] == [b"HTTP/1.1 503"] * 2
    assert all(b"\r\nretry-after: " in answer for answer in answers)
    assert tasks.empty()
    assert world.state(number) is Target.DOWNLOADING


async def test_many_reports_sent_together_are_sent_away_together(
    client: Client, either: Downloading, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    vehicle, number, action = either
    monkeypatch.setattr("gateway.batch.Batch.load", lambda _: 1_000_000)
    reader, writer = await opened(client)
    writer.write(posted(vehicle, action, FAILURE) * 301)  # more than a stack is deep

    answers = [await answer(reader) for _ in range(301)]

    writer.close()
    assert {answer[:12] for answer in answers} == {b"HTTP/1.1 503"}
    assert world.state(number) is Target.DOWNLOADING

"""Answers written whole, and polls that are answered before a task begins: nothing else differs."""

import asyncio
import gc
import weakref
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from gateway.connection import Connection
from tests.gateway.conftest import NewVehicle
from tests.gateway.http import Client, Vehicle
from tests.gateway.wire import FAILURE, answered, posted, request, told
from tests.gateway.world import World


class Counting:
    """A transport that counts what is written to it."""

    def __init__(self, transport: asyncio.Transport, written: list[bytes]) -> None:
        self._transport = transport
        self._written = written

    def write(self, data: bytes) -> None:
        self._written.append(data)
        self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What connections that are made from now on write, piece by piece."""
    pieces: list[bytes] = []
    made = Connection.connection_made

    def counted(self: Connection, transport: asyncio.Transport) -> None:
        made(self, Counting(transport, pieces))  # type: ignore[arg-type]

    monkeypatch.setattr(Connection, "connection_made", counted)
    return pieces


async def test_head_and_body_of_an_answer_are_one_write(
    new_vehicle: NewVehicle, world: World, written: list[bytes]
) -> None:
    vehicle, number = new_vehicle()
    for _ in range(2):  # the second one out of memory
        await vehicle.poll()
    world.assign(number, world.campaign(world.file()))
    assert set((await vehicle.poll()).link) == {"deploymentBase"}
    assert (await vehicle.feedback(1, "closed")).status == 404
    assert len(written) == 4
    assert all(piece.startswith(b"HTTP/1.1 ") and piece.endswith(b"}") for piece in written)


async def test_what_is_asked_together_is_answered_in_turn(client: Client, new_vehicle: NewVehicle) -> None:
    idle, _ = new_vehicle()
    await idle.poll()
    stranger = Vehicle(client, "UNKNOWN", "wrong")
    asked = [request(idle), request(stranger), request(idle), request(stranger, "Connection: close")]
    answers = (await told(client, *asked)).split(b"HTTP/1.1 ")[1:]
    assert [answer[:3] for answer in answers] == [b"200", b"401", b"200", b"401"]


@pytest.mark.parametrize(
    "last", [{"more": ("Connection: close",)}, {"version": "1.0"}], ids=["asked to close", "HTTP/1.0"]
)
async def test_an_idle_poll_is_the_last_one_where_the_client_says_so(
    client: Client, new_vehicle: NewVehicle, last: dict[str, Any]
) -> None:
    vehicle, _ = new_vehicle()
    await vehicle.poll()
    answer = await told(client, request(vehicle, *last.get("more", ()), version=last.get("version", "1.1")))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"\r\nconnection: close\r\n" in answer


async def test_more_idle_polls_than_a_stack_is_deep_are_answered_at_once(
    client: Client, new_vehicle: NewVehicle
) -> None:
    vehicle, _ = new_vehicle()
    await answered(client, *[request(vehicle)] * 2)
    answers = await told(client, request(vehicle) * 300, request(vehicle, "Connection: close"))
    assert answers.count(b"HTTP/1.1 200 ") == 301


def away(*_: object) -> None:
    raise psycopg.OperationalError("away")


def broken(*_: object) -> None:
    raise RuntimeError("ours")


@pytest.mark.parametrize(
    ("reports", "wrong", "status"),
    [(False, None, 200), (True, None, 404), (False, away, 503), (True, away, 503), (False, broken, 500)],
    ids=["an idle poll", "a report", "a poll sent away", "a report sent away", "a fault of ours"],
)
@pytest.mark.parametrize("known", [False, True], ids=["the usual way", "the short way"])
async def test_a_connection_is_not_kept_in_memory_after_its_last_answer(
    client: Client,
    new_vehicle: NewVehicle,
    monkeypatch: pytest.MonkeyPatch,
    reports: bool,
    wrong: Callable[..., None] | None,
    status: int,
    known: bool,
) -> None:
    vehicle, _ = new_vehicle()
    asked = posted(vehicle, 1, FAILURE) if reports else request(vehicle)
    if known:
        await answered(client, request(vehicle), *[asked] * 2)
    gone = asyncio.Event()
    made: list[weakref.ref[Connection]] = []
    connected = Connection.connection_made

    def noted(self: Connection, transport: asyncio.Transport) -> None:
        made.append(weakref.ref(self, lambda _: gone.set()))
        connected(self, transport)

    monkeypatch.setattr(Connection, "connection_made", noted)
    if wrong is not None:
        for question in ("gateway.fleet.epoch", "store.polls.standings", "store.reports.record_group"):
            monkeypatch.setattr(question, wrong)
    gc.disable()
    try:
        answer = (await answered(client, asked))[0]
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        async with asyncio.timeout(5):
            await gone.wait()
    finally:
        gc.enable()

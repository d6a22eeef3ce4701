"""Bounds of a connection: what never ends, or never comes, holds nothing for good."""

import asyncio
import contextlib

import pytest

from gateway import connection
from tests.gateway.conftest import NewVehicle
from tests.gateway.http import Client
from tests.gateway.wire import opened


async def test_a_head_that_does_not_end_is_refused(client: Client) -> None:
    reader, writer = await opened(client)
    writer.write(b"GET /health HTTP/1.1\r\n")
    async with asyncio.timeout(10):
        with contextlib.suppress(ConnectionError):
            while not reader.at_eof():
                writer.write(b"X-Much: " + b"x" * 1000 + b"\r\n")
                await writer.drain()
                await asyncio.sleep(0)
    writer.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /health HTTP/1.1\r\nHost: x\r\n",
    ],
    ids=["nothing", "half a head"],
)
async def test_a_request_that_does_not_come_is_not_waited_for(
    client: Client, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(connection, "REQUEST_SECONDS", 0.05)
    reader, writer = await opened(client)
    writer.write(sent)
    assert await reader.read() == b""
    writer.close()


async def test_a_long_body_is_no_long_head(client: Client) -> None:
    reader, writer = await opened(client)
    body = b"x" * (2 * connection.HEAD_MAX_BYTES)
    for _ in range(2):
        writer.write(b"POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body))
        for part in range(0, len(body), 1000):
            writer.write(body[part : part + 1000])
            await writer.drain()
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 405 ")
        await asyncio.wait_for(reader.readuntil(b"}"), 5)
    writer.close()


async def test_a_report_whose_body_does_not_come_is_not_waited_for(
    new_vehicle: NewVehicle, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "REQUEST_SECONDS", 0.2)
    vehicle, _ = new_vehicle()
    reader, writer = await opened(client)
    head = (
        f"PUT {vehicle.home}/configData HTTP/1.1\r\nHost: x\r\nAuthorization: TargetToken {vehicle.token}\r\n"
        "Content-Type: application/json\r\nContent-Length: 9\r\n\r\n"
    )
    writer.write(head.encode() + b"{")
    async with asyncio.timeout(10):
        assert await reader.read() == b""
    writer.close()


async def test_a_request_has_its_own_time_however_long_the_connection_was_silent(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "REQUEST_SECONDS", 0.3)
    reader, writer = await opened(client)
    # Whose time had begun with the connection would be cut at 0.3 seconds.
    monkeypatch.setattr(connection, "REQUEST_SECONDS", 30)
    writer.write(b"GET /hea")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1), 0.6)
    writer.write(b"lth HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    writer.close()


async def test_the_tail_of_a_body_is_no_part_of_the_next_head(client: Client) -> None:
    reader, writer = await opened(client)
    body = b"x" * (2 * connection.HEAD_MAX_BYTES)
    writer.write(b"POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body))
    writer.write(body + b"GET /health HTTP/1.1\r\n")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 405 ")
    await asyncio.wait_for(reader.readuntil(b"}"), 5)
    writer.write(b"Host: x\r\n\r\n")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    writer.close()


async def test_line_ends_after_an_answer_hold_no_connection(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "REQUEST_SECONDS", 0.1)
    reader, writer = await opened(client)
    writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    await reader.readuntil(b"}")
    writer.write(b"\r\n")
    async with asyncio.timeout(10):  # before uvicorn's own patience is over
        assert await reader.read() == b""
    writer.close()

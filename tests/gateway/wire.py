"""Requests byte by byte, where it matters how they are sent."""

import asyncio
import re

from tests.gateway.http import Client, Vehicle

FAILURE = b'{"status":{"execution":"closed","result":{"finished":"failure"}}}'
PROCEEDING = b'{"status":{"execution":"proceeding","result":{"finished":"none"}}}'


def request(vehicle: Vehicle, *more: str, version: str = "1.1") -> bytes:
    """A poll as it is sent."""
    proof = f"Authorization: TargetToken {vehicle.token}"
    return "\r\n".join([f"GET {vehicle.home} HTTP/{version}", "Host: x", proof, *more, "", ""]).encode()


def posted(vehicle: Vehicle, action: int, body: bytes, *more: str) -> bytes:
    """A report as it is sent."""
    lines = [
        f"POST {vehicle.home}/deploymentBase/{action}/feedback HTTP/1.1", "Host: x",
        f"Authorization: TargetToken {vehicle.token}", "Content-Type: application/json",
        f"Content-Length: {len(body)}", *more, "", "",
    ]  # fmt: skip
    return "\r\n".join(lines).encode() + body


async def opened(client: Client) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection."""
    return await asyncio.open_connection("127.0.0.1", int(client.url.rpartition(":")[2]))


async def told(client: Client, *requests: bytes) -> bytes:
    """All that is answered to these, sent at once, of which the last one ends the connection."""
    reader, writer = await opened(client)
    writer.write(b"".join(requests))
    async with asyncio.timeout(10):
        answers = await reader.read()
    writer.close()
    return answers


async def answered(client: Client, *requests: bytes) -> list[bytes]:
    """The answers to these, each sent when the one before is answered, on one connection that goes on."""
    reader, writer = await opened(client)
    answers = []
    for asked in requests:
        writer.write(asked)
        answers.append(await answer(reader))
    writer.close()
    return answers


async def answer(reader: asyncio.StreamReader) -> bytes:
    """The next answer, head and body."""
    async with asyncio.timeout(10):
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"HTTP/1.1 304 "):  # has no body
            return head
        length = re.search(rb"^content-length: ([0-9]+)", head, re.MULTILINE)
        assert length is not None
        return head + await reader.readexactly(int(length[1]))

"""Vehicles that come back: each on a connection of its own, with a poll and, some of them, with a report.

The requests are written by hand: a client library costs more than the gateway, and both share the cores.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from benchmarks.requests import poll, report

#: Refused, cut or not answered in this time: a vehicle tries again after a moment.
PATIENCE_SECONDS = 30.0
BUSY = (429, 503)
#: Fewer than the files that a process may have: who comes beyond that waits before it connects.
CONNECTIONS = 8_000


@dataclass(frozen=True)
class Returning:
    """A vehicle and, if it has one, the action whose end it has to tell. Its token is its VIN."""

    vin: str
    action: int | None = None


@dataclass
class Seen:
    """What the vehicles saw. Times in seconds."""

    polls: list[float] = field(default_factory=list)
    reports: list[float] = field(default_factory=list)
    polls_sent_away: int = 0
    reports_sent_away: int = 0
    #: Connections that failed or were not answered in time.
    broken: int = 0
    #: Answers that are neither a success nor a request to come later.
    wrong: dict[int, int] = field(default_factory=dict)
    #: The longest that one waited from coming back until all it wanted was done.
    longest: float = 0.0
    seconds: float = 0.0


class Crowd:
    """Vehicles at one gateway."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.seen = Seen()
        self._dice = Random(7)
        self._connections = 0
        self._free = asyncio.Semaphore(CONNECTIONS)

    async def come_back(self, vehicles: Sequence[Returning], within_seconds: float) -> Seen:
        """All of them, spread evenly; returns when the last one is served."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number, vehicle in enumerate(vehicles):
                wait = began + within_seconds * number / len(vehicles) - time.monotonic()
                if wait > 0.002:
                    await asyncio.sleep(wait)
                elif number % 50 == 0:
                    await asyncio.sleep(0)
                group.create_task(self._vehicle(vehicle))
        self.seen.seconds = time.monotonic() - began
        return self.seen

    async def _vehicle(self, vehicle: Returning) -> None:
        came = time.monotonic()
        wishes = [(poll(vehicle.vin), False)]
        if vehicle.action is not None:
            wishes.append((report(vehicle.vin, vehicle.action), True))
        while wishes and (wait := await self._visit_when_free(wishes)) is not None:  # noqa: ASYNC110  (no condition)
            # Nobody holds a connection for the minute that it was asked to stay away.
            await asyncio.sleep(wait)
        self.seen.longest = max(self.seen.longest, time.monotonic() - came)

    async def _visit_when_free(self, wishes: list[tuple[bytes, bool]]) -> float | None:
        async with self._free:
            return await self._visit(wishes)

    async def _visit(self, wishes: list[tuple[bytes, bool]]) -> float | None:
        """Says what it has to say, in turn; returns how long to stay away if it was sent away."""
        writer = None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                reader, writer = await self._connect()
            while wishes:
                request, is_report = wishes[0]
                began = time.monotonic()
                status, retry_after = await self._ask(reader, writer, request)
                if status in BUSY:
                    self.seen.reports_sent_away += is_report
                    self.seen.polls_sent_away += not is_report
                    return retry_after
                (self.seen.reports if is_report else self.seen.polls).append(time.monotonic() - began)
                if status != 200:
                    self.seen.wrong[status] = self.seen.wrong.get(status, 0) + 1
                del wishes[0]
            return None
        except (OSError, EOFError, TimeoutError):
            self.seen.broken += 1
            return self._dice.uniform(0.5, 3)
        finally:
            if writer is not None:
                writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        # One address has too few ports for a fleet.
        self._connections += 1
        address = f"127.0.{self._connections % 50 + 1}.{self._connections // 50 % 50 + 1}"
        mine = (address, 0) if sys.platform == "linux" else None
        return await asyncio.open_connection("127.0.0.1", self._port, local_addr=mine)

    async def _ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
    ) -> tuple[int, float]:
        async with asyncio.timeout(PATIENCE_SECONDS):
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            headers = head.lower()
            length = _number(headers, b"content-length:")
            if length:
                await reader.readexactly(int(length))
        return int(head[9:12]), _number(headers, b"retry-after:")


def _number(headers: bytes, name: bytes) -> float:
    place = headers.find(name)
    if place < 0:
        return 0.0
    return float(headers[place + len(name) : headers.index(b"\r\n", place)])

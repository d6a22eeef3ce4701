"""Vehicles as bytes on a wire: requests made beforehand, one after the other on each of some connections.

Written by hand on asyncio's protocols: a client library costs several times what the server does, and both
share the cores.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import cast

import uvloop

CONNECTIONS = 64


@dataclass
class Seen:
    """What the vehicles saw; times in seconds.

    Of each answer, in the order in which they came: when it was asked for, how long it took, and whether it
    holds what was wanted.
    """

    asked_at: list[float] = field(default_factory=list)
    taken: list[float] = field(default_factory=list)
    had: list[bool] = field(default_factory=list)
    statuses: Counter[bytes] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def per_second(self) -> float:
        """Answers per second."""
        return len(self.taken) / self.seconds


class Vehicle(asyncio.Protocol):
    """One connection: asks, reads the whole answer, asks for the next thing."""

    def __init__(self, requests: Iterator[bytes], seen: Seen, wanted: bytes) -> None:
        self._requests = requests
        self._seen = seen
        self._wanted = wanted
        self._buffer = b""
        self._asked_at = 0.0
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._ask()

    def _ask(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._transport.close()
            return
        self._asked_at = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        answer = self._buffer + data if self._buffer else data
        end = answer.find(b"\r\n\r\n")
        if end < 0 or len(answer) < end + 4 + _length(answer, end):
            self._buffer = answer
            return
        self._buffer = b""
        self._seen.asked_at.append(self._asked_at)
        self._seen.taken.append(time.perf_counter() - self._asked_at)
        self._seen.statuses[answer[9:12]] += 1
        self._seen.had.append(self._wanted in answer)
        self._ask()

    def connection_lost(self, error: Exception | None) -> None:
        if error is not None:
            self.done.set_exception(error)
        elif not self.done.done():
            self.done.set_result(None)


def _length(answer: bytes, end: int) -> int:
    place = answer.find(b"content-length: ", 0, end + 2)
    return 0 if place < 0 else int(answer[place + 16 : answer.index(b"\r", place)])


def until(deadline: float, requests: Sequence[bytes], first: int, step: int) -> Iterator[bytes]:
    """Every ``step``-th request from the ``first`` on, round and round until the deadline."""
    for request in islice(cycle(requests), first, None, step):
        if time.perf_counter() > deadline:
            return
        yield request


def ask(
    ports: Sequence[int],
    requests: Sequence[bytes],
    *,
    seconds: float | None = None,
    wanted: bytes = b"",
    connections: int = CONNECTIONS,
) -> Seen:
    """Ask for all of it once, or for so many seconds, on as many connections, in turn to each port."""
    return uvloop.run(_ask(ports, requests, seconds, wanted, connections))


async def _ask(
    ports: Sequence[int], requests: Sequence[bytes], seconds: float | None, wanted: bytes, connections: int
) -> Seen:
    seen = Seen()
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    vehicles = []
    for number in range(connections):
        mine: Iterator[bytes] = (
            iter(requests[number::connections])
            if seconds is None
            else until(began + seconds, requests, number, connections)
        )
        _, vehicle = await loop.create_connection(
            lambda mine=mine: Vehicle(mine, seen, wanted),  # type: ignore[misc]
            "127.0.0.1",
            ports[number % len(ports)],
        )
        vehicles.append(vehicle)
    await asyncio.gather(*(vehicle.done for vehicle in vehicles))
    seen.seconds = time.perf_counter() - began
    return seen

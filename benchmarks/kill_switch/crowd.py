"""Gateways at full load, each a process, for as long as a block runs."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from multiprocessing import Manager
from threading import Event
from typing import Any

from benchmarks.kill_switch import load
from benchmarks.launch import LOOK
from store.connect import Connection

_VINS = "SELECT vin FROM vehicle WHERE model = %s ORDER BY id"


@dataclass
class Crowd:
    """``failing``: every installation fails from now on; ``sums``: what the gateways did in the end."""

    failing: Event
    sums: list[dict[str, float]] = field(default_factory=list)

    @property
    def polls_per_second(self) -> float:
        """Of all gateways together."""
        return sum(each["polls"] / each["seconds"] for each in self.sums)


@asynccontextmanager
async def crowd(connection: Connection, url: str, model: str, gateways: int) -> AsyncIterator[Crowd]:
    """The vehicles of a model poll, begin and report without a break."""
    vins = [row[0] for row in connection.execute(_VINS, [model])]
    with Manager() as shared, ProcessPoolExecutor(gateways) as pool:
        running, stop = Crowd(shared.Event()), shared.Event()
        work = [
            pool.submit(load.run, url, vins[place::gateways], running.failing, stop)
            for place in range(gateways)
        ]
        try:
            yield running
        finally:
            stop.set()
        running.sums = [each.result() for each in work]


async def until(condition: Callable[[], Any]) -> None:
    """Returns when the condition holds; it is another process's."""
    async with asyncio.timeout(300):
        while not condition():  # noqa: ASYNC110  (another process's)
            await asyncio.sleep(LOOK)


async def a_while(seconds: float) -> None:
    """Who would still be admitted is by then."""
    over = time.monotonic() + seconds
    await until(lambda: time.monotonic() > over)

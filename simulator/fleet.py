"""Many vehicles in one process, one task each, over one pool of connections."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Self

import aiohttp
import structlog
from yarl import URL

from simulator.backoff import BackOff
from simulator.behaviour import Behaviour
from simulator.clock import Clock
from simulator.errors import InputError
from simulator.faults import Script
from simulator.ledger import Ledger
from simulator.link import Link
from simulator.memory import Memory
from simulator.phase import Phase
from simulator.record import Record
from simulator.vehicle import Vehicle

log = structlog.get_logger(__name__)


class Fleet:
    """`async with Fleet(...) as fleet:` runs the vehicles until the block ends or `stop()` is called.

    `records` are as-built records (as `as_built` yields them) or Record, `tokens` maps VIN to token, `pace`
    divides the vehicles' working time, `spread_seconds` is the span of the first polls. `memories` are those
    of an earlier run; they are changed in place. Raises InputError when a vehicle has no token.
    """

    def __init__(
        self,
        gateway: str,
        tenant: str,
        records: Iterable[Record | Mapping[str, Any]],
        tokens: Mapping[str, str],
        *,
        seed: int = 0,
        script: Script | None = None,
        pace: float = 1.0,
        spread_seconds: float = 5.0,
        connections: int = 64,
        memories: dict[str, Memory] | None = None,
        clock: Clock | None = None,
        back_off: BackOff | None = None,
    ) -> None:
        if pace <= 0 or connections <= 0 or spread_seconds < 0:
            raise InputError(
                f"pace {pace} and connections {connections} must exceed 0, spread {spread_seconds} at least 0"
            )
        self._address = URL(gateway) / tenant / "controller" / "v1"
        self._tokens = tokens
        self._connections = connections
        self._clock = clock or Clock()
        self._back_off = back_off or BackOff()
        self._ledger = Ledger()
        self._behaviours = [
            Behaviour(Record.model_validate(record), seed, script or Script(), pace, spread_seconds)
            for record in records
        ]
        if strangers := sum(behaviour.record.vin not in tokens for behaviour in self._behaviours):
            raise InputError(f"{strangers} of {len(self._behaviours)} vehicles have no token")
        self.memories = {} if memories is None else memories
        self.vehicles: dict[str, Vehicle] = {}
        self._session: aiohttp.ClientSession | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def totals(self) -> Counter[Phase]:
        """Vehicles by phase, without the empty phases."""
        return self._ledger.totals

    @property
    def troubles(self) -> Counter[str]:
        """What went wrong on the links so far, by cause: "connection", "http 503", ..."""
        return self._ledger.troubles

    @property
    def installed(self) -> dict[str, dict[str, str]]:
        """VIN to ECU to the version that really runs on it, whatever was reported."""
        return {vin: vehicle.installed for vin, vehicle in self.vehicles.items()}

    async def until(self, condition: Callable[[], bool], timeout_seconds: float = 30.0) -> None:
        """Returns once `condition` holds, asked after each change of a phase. Raises TimeoutError."""
        await self._ledger.until(condition, timeout_seconds)

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=self._connections))
        for behaviour in self._behaviours:
            vehicle = self._vehicle(behaviour, self._session)
            self.vehicles[behaviour.record.vin] = vehicle
            task = asyncio.create_task(vehicle.run())
            task.add_done_callback(_report_crash)
            self._tasks.append(task)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Switches every vehicle off where it stands; harmless when repeated.

        Raises ExceptionGroup if a vehicle's task had ended by an error of its own.
        """
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        if self._session:
            await self._session.close()
        if crashes := [end for end in ends if isinstance(end, Exception)]:
            raise ExceptionGroup("simulated vehicles crashed", crashes)

    def _vehicle(self, behaviour: Behaviour, session: aiohttp.ClientSession) -> Vehicle:
        vin = behaviour.record.vin
        link = Link(
            session,
            self._tokens[vin],
            vin=vin,
            clock=self._clock,
            back_off=self._back_off,
            ledger=self._ledger,
        )
        memory = self.memories.setdefault(vin, Memory())
        return Vehicle(behaviour, self._address / vin, link, memory, self._clock, self._ledger)


def _report_crash(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("simulated_vehicle_crashed", error=repr(error))

"""A server and fleets against it. The fleets' clock runs fast: a poll interval of 1 s takes 20 ms."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from simulator import Clock, Fleet, Script, as_built
from simulator.backoff import BackOff
from tests.simulator.ddi import DdiServer

SPEED = 50.0

FleetMaker = Callable[..., Fleet]


@pytest.fixture
async def server() -> AsyncIterator[DdiServer]:
    async with DdiServer().running() as server:
        yield server


@pytest.fixture
def fleet_of(server: DdiServer) -> FleetMaker:
    """`fleet_of(3, Script(...))`: so many vehicles, not yet running; further options are the Fleet's."""

    def make(vehicles: int = 1, script: Script | None = None, **options: Any) -> Fleet:
        records = list(as_built(vehicles, seed=7))
        tokens = {record["vin"]: f"secret-{record['vin']}" for record in records}
        quick: dict[str, Any] = {"seed": 7, "spread_seconds": 0.0, "clock": Clock(SPEED), "pace": 4.0}
        quick |= {"back_off": BackOff(longest_seconds=2.0)}
        return Fleet(server.url, "DEFAULT", records, tokens, script=script, **{**quick, **options})

    return make

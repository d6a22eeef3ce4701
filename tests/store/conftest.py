"""A fleet in a database of its own, and the gateway's side of it, for one test."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.store.fleet import Fleet, Gateway, connected


@pytest.fixture
def fleet(database: str) -> Iterator[Fleet]:
    fleet = Fleet(database)
    yield fleet
    fleet.close()


@pytest.fixture
async def gateway(database: str) -> AsyncIterator[Gateway]:
    async with connected(database) as gateway:
        yield gateway

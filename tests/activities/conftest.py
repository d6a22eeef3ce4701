"""The real activities over a fleet of ten in a database of the test's own."""

from collections.abc import Iterator

import pytest

from tests.store.fleet import Fleet, cars


@pytest.fixture
def fleet(database: str) -> Iterator[Fleet]:
    fleet = Fleet(database)
    fleet.add(cars(10))
    yield fleet
    fleet.close()

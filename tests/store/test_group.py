"""The transaction of a group: all of it or nothing, and the connection is as good as before."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from store.group import group_transaction
from tests.store.fleet import Fleet, Gateway

_WRITE = "INSERT INTO software_change (vehicle_id, ecu, to_version, source) VALUES (1, 'P', '1', 'import')"
_WRITTEN = "SELECT count(*) FROM software_change WHERE ecu = 'P'"


async def write_and(gateway: Gateway, then: Callable[[Gateway], Coroutine[Any, Any, None]]) -> None:
    async with group_transaction(gateway.connection):
        await gateway.connection.execute(_WRITE)
        await then(gateway)


async def test_a_group_is_committed_when_the_block_has_ended(fleet: Fleet, gateway: Gateway) -> None:
    async with group_transaction(gateway.connection):
        await gateway.connection.execute(_WRITE)
        assert fleet.value(_WRITTEN) == 0
    assert fleet.value(_WRITTEN) == 1


async def fails_and_is_waited_for(gateway: Gateway) -> None:
    await (await gateway.connection.execute("SELECT 1 / 0")).fetchall()


async def fails_and_is_not_waited_for(gateway: Gateway) -> None:
    await gateway.connection.execute("SELECT 1 / 0")


async def fails_and_is_passed_over(gateway: Gateway) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):
        await fails_and_is_waited_for(gateway)


async def fails_and_is_synced_away(gateway: Gateway) -> None:
    """After which PostgreSQL answers the commit with a rollback, and with no error."""
    async with gateway.connection.pipeline():
        await fails_and_is_passed_over(gateway)


async def fails_by_itself(gateway: Gateway) -> None:
    raise psycopg.errors.DivisionByZero


async def is_cancelled(gateway: Gateway) -> None:
    raise asyncio.CancelledError


async def is_refused_at_the_commit(gateway: Gateway) -> None:
    await gateway.connection.execute("CREATE TEMP TABLE late (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    await gateway.connection.execute("INSERT INTO late VALUES (1), (1)")


@pytest.mark.parametrize(
    "failing",
    [
        fails_and_is_waited_for,
        fails_and_is_not_waited_for,
        fails_and_is_passed_over,
        fails_and_is_synced_away,
        fails_by_itself,
        is_cancelled,
        is_refused_at_the_commit,
    ],
)
async def test_a_group_that_fails_raises_leaves_nothing_and_spoils_no_connection(
    failing: Callable[[Gateway], Coroutine[Any, Any, None]], fleet: Fleet, gateway: Gateway
) -> None:
    with pytest.raises((psycopg.Error, asyncio.CancelledError)):
        await write_and(gateway, failing)
    assert gateway.connection.info.transaction_status is TransactionStatus.IDLE
    assert fleet.value(_WRITTEN) == 0
    async with group_transaction(gateway.connection):
        await gateway.connection.execute(_WRITE)
    assert fleet.value(_WRITTEN) == 1


async def test_a_group_whose_connection_is_cut_raises_that(fleet: Fleet, gateway: Gateway) -> None:
    async def cut(gateway: Gateway) -> None:
        fleet.run(f"SELECT pg_terminate_backend({gateway.connection.info.backend_pid})")

    with pytest.raises(psycopg.OperationalError):
        await write_and(gateway, cut)
    assert fleet.value(_WRITTEN) == 0

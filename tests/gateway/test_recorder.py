"""What is recorded on an event loop of its own: results, errors and cancellations go between the two."""

import asyncio
import threading

import psycopg
import pytest
from psycopg import AsyncConnection

from gateway.recorder import Recorder
from gateway.server import create_recorder
from tests.gateway.world import World

_SLEEPING = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query = 'SELECT pg_sleep(600)'
  AND state = 'active'
"""


async def test_work_is_done_on_the_recorders_thread_and_its_result_comes_back(recorder: Recorder) -> None:
    async def work(connection: AsyncConnection) -> tuple[str, int]:
        [row] = await (await connection.execute("SELECT 7")).fetchall()
        return threading.current_thread().name, row[0]

    assert await recorder.work(work) == ("recorder", 7)


async def test_what_work_raises_is_raised_to_who_waits_and_the_next_one_finds_a_connection(
    recorder: Recorder,
) -> None:
    async def wrong(connection: AsyncConnection) -> None:
        await connection.execute("SELECT 1 / 0")

    for _ in range(5):  # more than there are connections
        with pytest.raises(psycopg.errors.DivisionByZero):
            await recorder.work(wrong)


async def test_work_nobody_waits_for_any_more_is_cancelled(recorder: Recorder, world: World) -> None:
    here = asyncio.get_running_loop()
    begun, ended = asyncio.Event(), asyncio.Event()

    async def long(connection: AsyncConnection) -> None:
        here.call_soon_threadsafe(begun.set)
        try:
            await connection.execute("SELECT pg_sleep(600)")
        finally:
            here.call_soon_threadsafe(ended.set)

    working = asyncio.create_task(recorder.work(long))
    await begun.wait()
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    async with asyncio.timeout(20):
        await ended.wait()
    assert world.value(_SLEEPING) == 0


async def test_connections_of_a_gateway_plan_once_by_the_indexes_and_for_one_process(
    recorder: Recorder,
) -> None:
    names = ("plan_cache_mode", "enable_seqscan", "jit", "max_parallel_workers_per_gather")

    async def asked(connection: AsyncConnection) -> list[str]:
        found = [await connection.execute(f"SHOW {name}") for name in names]
        return [row[0] for cursor in found for row in await cursor.fetchall()]

    assert await recorder.work(asked) == ["force_generic_plan", "off", "off", "0"]


async def test_its_thread_ends_with_it(database: str) -> None:
    async with create_recorder(database):
        assert "recorder" in [thread.name for thread in threading.enumerate()]
    assert "recorder" not in [thread.name for thread in threading.enumerate()]

"""The connection and the transaction of a group: many vehicles in one, which waits for the database as seldom
as it can.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import psycopg
from psycopg import AsyncConnection

from store.connect import CONNECT_TIMEOUT_SECONDS, conninfo

_PLAN_ONCE = """
SELECT set_config('plan_cache_mode', 'force_generic_plan', false),
       set_config('enable_seqscan', 'off', false), set_config('jit', 'off', false),
       set_config('max_parallel_workers_per_gather', '0', false)
"""


async def plan_once(connection: AsyncConnection) -> None:
    """Make a connection plan each of its statements once and for all, by the indexes and for one process.

    The planner would look at the numbers of each group anew, and read all of a table where it takes an array
    for thousands of rows, or where the table is small and the plan is kept while it grows. A statement of a
    few milliseconds it would give to processes that take longer than that to come and go.

    Args:
        connection: autocommitting.
    """
    await connection.execute(_PLAN_ONCE)


async def connect_for_groups(url: str) -> AsyncConnection:
    """An autocommitting connection as the gateway has them, for a SQLAlchemy URL.

    Raises:
        psycopg.OperationalError: the server does not answer, or refuses.
    """
    connection = await AsyncConnection.connect(
        conninfo(url), autocommit=True, connect_timeout=CONNECT_TIMEOUT_SECONDS
    )
    await plan_once(connection)
    return connection


@asynccontextmanager
async def group_transaction(connection: AsyncConnection) -> AsyncIterator[None]:
    """A transaction whose statements go to the database together (libpq's pipeline) until one is asked for
    its answer: the beginning goes with the first ones, the commit with the last.

    Others wait for its locks, and where many vehicles are served each wait is long: the answer is read when
    all of them have had their turn. What a statement raises comes with the next answer, or at the end.

    psycopg's own transactions wait in a pipeline for the beginning and once more before the commit.

    Args:
        connection: autocommitting, and in no transaction.
    """
    try:
        async with connection.pipeline():
            await connection.execute("BEGIN", prepare=False)
            yield
            commit = await connection.execute("COMMIT", prepare=False)
    except BaseException:
        with suppress(psycopg.Error):  # of a connection that is gone
            await connection.rollback()
        raise
    if commit.statusmessage != "COMMIT":  # PostgreSQL says no more when it rolls back what had failed
        raise psycopg.errors.InFailedSqlTransaction("the group was rolled back")

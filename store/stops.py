"""Word of a stop, from the transaction that shut a gate to whoever must tell people of it.

The gate is shut without it, and the next tick would find it shut: this only saves the wait for the tick.
"""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta

import psycopg

from store.connect import CONNECT_TIMEOUT_SECONDS, conninfo

_CHANNEL = "ringmaster_stop"

#: Sent when the transaction commits, and only then.
TELL_SQL = f"SELECT pg_notify('{_CHANNEL}', workflow_id) FROM campaign WHERE id = %s"

#: One listener is enough, however many workers there are: everyone's word would be the same.
_CHOSEN_SQL = "SELECT pg_try_advisory_lock(hashtext(%s))"

#: How long a listener believes in a silent connection, and how soon another takes over from one that is lost.
_QUIET = timedelta(seconds=5)


async def stops(url: str) -> AsyncGenerator[str]:
    """The workflow ids of campaigns whose gate was just shut by a report or a withdrawal, without end.

    Word that comes while the database is away is lost; the tick brings it.
    """
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(
                conninfo(url), autocommit=True, connect_timeout=CONNECT_TIMEOUT_SECONDS
            ) as connection:
                async for workflow_id in _heard(connection):
                    yield workflow_id
        except psycopg.Error:
            await asyncio.sleep(_QUIET.total_seconds())


async def _heard(connection: psycopg.AsyncConnection) -> AsyncGenerator[str]:
    while not await _chosen(connection):  # noqa: ASYNC110  (another process holds the lock)
        await asyncio.sleep(_QUIET.total_seconds())
    await connection.execute(f"LISTEN {_CHANNEL}")
    while True:
        async for word in connection.notifies(timeout=_QUIET.total_seconds()):
            yield word.payload
        await connection.execute("SELECT")


async def _chosen(connection: psycopg.AsyncConnection) -> bool:
    row = await (await connection.execute(_CHOSEN_SQL, [_CHANNEL])).fetchone()
    return row is not None and bool(row[0])

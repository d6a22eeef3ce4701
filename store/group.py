"""The transaction of a group: many vehicles in one, which waits for the database as seldom as it can."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import psycopg
from psycopg import AsyncConnection


@asynccontextmanager
async def group_transaction(connection: AsyncConnection) -> AsyncIterator[None]:
    """A transaction whose statements go to the database together (libpq's pipeline) until one is asked for
    its answer: the beginning goes with the first ones, the commit with the last.

    The campaign is locked meanwhile, and where many vehicles are served each wait is long: the answer is read
    when all others have had their turn. What a statement raises comes with the next answer, or at the end.

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

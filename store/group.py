"""The transaction of a group: many vehicles in one, which waits for the database as seldom as it can."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from psycopg import AsyncConnection


@asynccontextmanager
async def group_transaction(connection: AsyncConnection) -> AsyncIterator[None]:
    """A transaction whose statements go to the database together (libpq's pipeline) until one is asked for
    its answer: the beginning goes with the first ones, the commit with the last.

    The campaign is locked meanwhile, and where many vehicles are served each wait is long: the answer is read
    when all others have had their turn. What a statement raises comes with the next answer, or at the end.
    """
    async with connection.pipeline(), connection.transaction():
        yield

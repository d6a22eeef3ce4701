"""An event loop of its own for the groups of reports, on a thread of its own.

Between its first statement and its commit a group holds locks, and has to decide. On the loop that serves the
vehicles it would come to that only after all of them that have sent something meanwhile: much of the time the
database would do nothing, and the next group wait. Python runs one thread at a time, but hands over while
another one works.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from threading import Thread
from typing import Any, Self, TypeVar, cast

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

Result = TypeVar("Result")
Pool = AsyncConnectionPool[AsyncConnection]


class Recorder:
    """`async with Recorder(…) as recorder:` works on connections of its own until the block ends.

    Args:
        new_loop: makes its event loop.
        new_pool: makes its pool, not yet open.
    """

    def __init__(
        self, new_loop: Callable[[], asyncio.AbstractEventLoop], new_pool: Callable[[], Pool]
    ) -> None:
        self._new_loop = new_loop
        self._new_pool = new_pool
        #: Also what nobody waits for any more.
        self._under_way: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        self._loop = self._new_loop()
        self._thread = Thread(target=self._loop.run_forever, name="recorder", daemon=True)
        self._thread.start()
        try:
            self.pool = await self._there(self._opened())
        except BaseException:
            await self._ended()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self._there(self._closed())
        finally:
            await self._ended()

    async def work(self, work: Callable[[AsyncConnection], Awaitable[Result]]) -> Result:
        """What this work gives, done there with a connection.

        Cancelled here it is cancelled there, and not waited for: it may still have been committed.
        """
        return await self._there(self._connected(work))

    async def _connected(self, work: Callable[[AsyncConnection], Awaitable[Result]]) -> Result:
        task = cast("asyncio.Task[Result]", asyncio.current_task())
        self._under_way.add(task)
        try:
            async with self.pool.connection() as connection:
                return await work(connection)
        finally:
            self._under_way.discard(task)

    async def _opened(self) -> Pool:
        pool = self._new_pool()
        await pool.open()
        return pool

    async def _closed(self) -> None:
        if self._under_way:
            await asyncio.wait(self._under_way)
        await self.pool.close()

    async def _ended(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        await asyncio.to_thread(self._thread.join)
        self._loop.close()

    async def _there(self, work: Coroutine[Any, Any, Result]) -> Result:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

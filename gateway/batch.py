"""Natural batching: what queued while the last group ran becomes the next group.

An idle batch carries a single item at once, and groups grow as the load does.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from typing import Generic, TypeVar

from gateway.errors import Contended, Unavailable

Item = TypeVar("Item")
Result = TypeVar("Result")

#: Larger groups gain little and hold the locks of their campaigns for longer.
GROUP_ITEMS = 500
#: Some seconds of work: who would wait longer is better told to come back.
WAITING_ITEMS = 4_000
#: A poll is sent away before anything else is: it loses nothing, and a vehicle polls again anyway.
POLLS_WAITING = WAITING_ITEMS // 2

#: Of the group that is carried: the next one may begin.
_GONE_ON: ContextVar[asyncio.Event] = ContextVar("gone_on")


class Batch(Generic[Item, Result]):
    """Carries items in groups by one async function, one group after the other, in the order they came.

    Args:
        carry: takes the items of a group and returns one result per item, in the same order. What it
            raises is raised to every caller of the group; unless it is Unavailable, a group of several is
            carried again in halves, so that one bad item is found and does not refuse its neighbours.
            It must therefore do all of a group or nothing of it.
    """

    def __init__(
        self,
        carry: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]],
        *,
        group_items: int = GROUP_ITEMS,
        waiting_items: int = WAITING_ITEMS,
    ) -> None:
        self._carry = carry
        self._group_items = group_items
        self._waiting_items = waiting_items
        self._queue: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._before: asyncio.Task[None] | None = None
        self._failing = False

    def submit(self, item: Item, waiting_items: int | None = None) -> asyncio.Future[Result]:
        """The result for this item, after the group that carried it is done.

        Args:
            waiting_items: how many may wait before this item is refused, if fewer than for others.

        Raises:
            Unavailable: the queue is full; nothing was or will be done for this item.
        """
        most = self._waiting_items if waiting_items is None else min(waiting_items, self._waiting_items)
        if self.load() >= most:
            raise Unavailable("too much is waiting; come back later")
        if self._worker is None:
            self._loop = asyncio.get_running_loop()  # a system call, and one group has one loop
            self._worker = self._loop.create_task(self._work())
        waiter: asyncio.Future[Result] = self._loop.create_future()
        self._queue.append((item, waiter))
        return waiter

    def load(self) -> int:
        """How many items wait."""
        return len(self._queue)

    async def drained(self) -> None:
        """Returns when nothing is queued or under way."""
        while under_way := [task for task in (self._worker, self._before) if task and not task.done()]:
            await asyncio.wait(under_way)

    async def _work(self) -> None:
        try:
            while self._queue:
                if group := self._next_group():
                    gone_on = asyncio.Event()
                    _GONE_ON.set(gone_on)  # a task takes what is set when it is made
                    carried = self._loop.create_task(self._carry_group(group))
                    carried.add_done_callback(lambda _, gone_on=gone_on: gone_on.set())  # type: ignore[misc]
                    await gone_on.wait()
                    if self._before is not None:
                        await self._before
                    self._before = carried
        finally:
            # Nothing was awaited since the queue was seen empty, so nobody can have queued in vain.
            self._worker = None
            for _, waiter in self._queue:  # only after a cancellation
                waiter.cancel()
            self._queue.clear()

    def _next_group(self) -> list[tuple[Item, asyncio.Future[Result]]]:
        # When none can be carried all that wait are soon told so, and not some of them after the others.
        most = max(self._group_items, GROUP_ITEMS) if self._failing else self._group_items
        group: list[tuple[Item, asyncio.Future[Result]]] = []
        while self._queue and len(group) < most:
            item, waiter = self._queue.popleft()
            if not waiter.done():  # whose caller has gone needs nothing any more
                group.append((item, waiter))
        return group

    async def _carry_group(self, group: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results = await self._carry([item for item, _ in group])
            if len(results) != len(group):
                raise RuntimeError(f"{len(group)} items were carried and {len(results)} results came back")
        except Unavailable as error:
            self._failing = not isinstance(error, Contended)
            _fail(group, error)
        except Exception as error:
            if len(group) == 1:
                _fail(group, error)
            else:
                middle = len(group) // 2
                await self._carry_group(group[:middle])
                await self._carry_group(group[middle:])
        except BaseException:
            for _, waiter in group:
                waiter.cancel()
            raise
        else:
            self._failing = False
            for (_, waiter), result in zip(group, results, strict=True):
                if not waiter.done():
                    waiter.set_result(result)


def going_on() -> Callable[[], object]:
    """For `carry`: what it calls when its group needs nothing more but time, so that the next one may begin
    beside it.

    No more than two are under way: a third one would wait for the same, and be smaller for it.
    """
    return _GONE_ON.get().set


def _fail(group: list[tuple[Item, asyncio.Future[Result]]], error: Exception) -> None:
    for _, waiter in group:
        if not waiter.done():
            waiter.set_exception(error)

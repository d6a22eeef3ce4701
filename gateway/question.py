"""A question that all ask alike: asked once for all who come until it is begun.

It is never answered by what was asked before somebody came. Where it costs much and a caller next to nothing,
questions may be told to follow each other slowly: then more callers share one.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from gateway.batch import WAITING_ITEMS
from gateway.errors import Unavailable

Result = TypeVar("Result")


class Question(Generic[Result]):
    """One question, asked again and again, never twice at once.

    Args:
        ask: called while those who share the question still count as waiting; what it raises, when awaited,
            is raised to all of them.
        apart_seconds: the least time between the beginnings of two.
    """

    def __init__(self, ask: Callable[[], Awaitable[Result]], *, apart_seconds: float = 0) -> None:
        self._ask = ask
        self._apart_seconds = apart_seconds
        self._next_at = 0.0
        self._answer: asyncio.Future[Result] | None = None
        self._waiting = 0
        self._worker: asyncio.Task[None] | None = None

    def put(self, waiting_items: int = WAITING_ITEMS) -> asyncio.Future[Result]:
        """The answer to the question as it is put now. Others have the same future: shield it to await it.

        Args:
            waiting_items: how many may wait for the next one to begin before this caller is refused.

        Raises:
            Unavailable: so many do.
        """
        if self._waiting >= waiting_items:
            raise Unavailable("too much is waiting; come back later")
        if self._answer is None:
            loop = asyncio.get_running_loop()
            self._answer = loop.create_future()
            if self._worker is None:
                self._worker = loop.create_task(self._work())
        self._waiting += 1
        return self._answer

    def load(self) -> int:
        """How many wait for the next question to begin."""
        return self._waiting

    async def drained(self) -> None:
        """Returns when nobody waits for an answer."""
        while self._worker is not None:
            await asyncio.wait([self._worker])

    async def _work(self) -> None:
        answer = None
        try:
            while self._answer is not None:
                await self._rest()
                asking = self._ask()
                answer, self._answer, self._waiting = self._answer, None, 0
                try:
                    result = await asking
                except Exception as error:
                    if not answer.done():
                        answer.set_exception(error)
                        answer.exception()  # whoever asked may have gone, and that is no fault to be logged
                else:
                    if not answer.done():  # somebody did not shield it
                        answer.set_result(result)
                answer = None  # what went wrong holds this frame, and would be held by it
        finally:
            # Nothing was awaited since nobody was seen to wait, so nobody can wait in vain.
            self._worker = None
            for left in (answer, self._answer):  # only after a cancellation
                if left is not None:
                    left.cancel()
            self._answer, self._waiting = None, 0

    async def _rest(self) -> None:
        if self._apart_seconds:
            loop = asyncio.get_running_loop()
            if (wait := self._next_at - loop.time()) > 0:
                await asyncio.sleep(wait)
            self._next_at = loop.time() + self._apart_seconds

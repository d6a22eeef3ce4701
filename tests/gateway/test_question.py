"""A question that all ask alike: whoever comes while it is under way shares the next one."""

import asyncio
import itertools
from collections.abc import Awaitable

import pytest

from gateway.errors import Unavailable
from gateway.question import Question


class Clock:
    """Answers how often it was asked, when it may."""

    def __init__(self, *, held: bool = False) -> None:
        self.asked = 0
        self.began = asyncio.Event()
        self.may_go = asyncio.Event()
        self.wrong: Exception | None = None
        if not held:
            self.may_go.set()

    async def __call__(self) -> int:
        self.asked += 1
        number = self.asked
        self.began.set()
        await self.may_go.wait()
        if self.wrong is not None:
            raise self.wrong
        return number


async def test_whoever_comes_while_a_question_is_under_way_shares_the_next_one() -> None:
    clock = Clock(held=True)
    question = Question(clock)
    first = [question.put(), question.put()]
    await clock.began.wait()
    later = [question.put(), question.put()]
    clock.may_go.set()
    assert await asyncio.gather(*first, *later) == [1, 1, 2, 2]


async def test_an_answer_is_never_from_before_it_was_asked_for() -> None:
    clock = Clock()
    question = Question(clock)
    for number in range(1, 4):
        assert await question.put() == number


@pytest.mark.parametrize("wrong", [Unavailable("away"), ValueError("a fault")], ids=["away", "a fault"])
async def test_what_goes_wrong_is_told_to_all_who_asked_and_to_nobody_else(wrong: Exception) -> None:
    clock = Clock()
    clock.wrong = wrong
    question = Question(clock)
    told = await asyncio.gather(*(question.put() for _ in range(64)), return_exceptions=True)
    assert (set(told), clock.asked) == ({wrong}, 1)
    clock.wrong = None
    assert await question.put() == 2


async def test_where_too_many_wait_one_is_refused_and_those_under_way_do_not_count() -> None:
    clock = Clock(held=True)
    question = Question(clock)
    under_way = question.put()
    await clock.began.wait()
    waiting = [question.put(2), question.put(2)]
    assert question.load() == 2
    with pytest.raises(Unavailable):
        question.put(2)
    more = question.put(3)
    clock.may_go.set()
    assert await asyncio.gather(under_way, *waiting, more) == [1, 2, 2, 2]
    assert question.load() == 0


async def test_a_caller_that_goes_disturbs_no_other() -> None:
    clock = Clock(held=True)
    question = Question(clock)

    async def asks() -> int:
        return await asyncio.shield(question.put())

    gone, stays = asyncio.create_task(asks()), asyncio.create_task(asks())
    await clock.began.wait()
    gone.cancel()
    clock.may_go.set()
    assert await stays == 1


async def test_questions_that_are_to_lie_apart_begin_no_sooner() -> None:
    began: list[float] = []
    loop = asyncio.get_running_loop()

    async def ask() -> None:
        began.append(loop.time())

    question = Question(ask, apart_seconds=0.02)
    for _ in range(4):
        await question.put()
    assert all(later - earlier >= 0.019 for earlier, later in itertools.pairwise(began))


async def test_drained_returns_when_the_last_answer_is_given() -> None:
    clock = Clock(held=True)
    question = Question(clock)
    asked = question.put()
    await clock.began.wait()
    drained = asyncio.create_task(question.drained())
    clock.may_go.set()
    await drained
    assert asked.done()


async def test_whoever_waits_is_told_so_when_questions_end() -> None:
    clock = Clock(held=True)
    question = Question(clock)
    under_way = question.put()
    await clock.began.wait()
    waits = question.put()
    assert question._worker is not None
    question._worker.cancel()
    for asked in (under_way, waits):
        with pytest.raises(asyncio.CancelledError):
            await asked
    clock.may_go.set()
    assert await question.put() == 2


async def test_who_cancels_the_shared_answer_spoils_no_later_one() -> None:
    clock = Clock(held=True)
    question = Question(clock)
    spoilt = question.put()
    await clock.began.wait()
    waits = question.put()
    spoilt.cancel()
    clock.may_go.set()
    assert await waits == 2


async def test_who_asks_is_told_how_many_wait() -> None:
    seen: list[int] = []

    async def nothing() -> None:
        pass

    def ask() -> Awaitable[None]:
        seen.append(question.load())
        return nothing()

    question = Question(ask)
    await asyncio.gather(*(question.put() for _ in range(3)))
    assert (seen, question.load()) == ([3], 0)

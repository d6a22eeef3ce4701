"""Natural batching: what queued while a group ran is the next group."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.batch import Batch, going_on
from gateway.errors import Contended, Unavailable


class Work:
    """Carries numbers: doubles them, one step per permission, and remembers the groups."""

    def __init__(self, *, held: bool = False) -> None:
        self.groups: list[list[int]] = []
        self.started = asyncio.Event()
        self.may_go = asyncio.Event()
        if not held:
            self.may_go.set()
        self.bad: set[int] = set()
        self.away = False

    async def __call__(self, items: Sequence[int]) -> list[int]:
        self.groups.append(list(items))
        self.started.set()
        await self.may_go.wait()
        if self.away:
            raise Unavailable("away")
        if self.bad & set(items):
            raise ValueError(f"bad among {items}")
        return [2 * item for item in items]


def submit(batch: Batch[int, int], *items: int) -> list[asyncio.Future[int]]:
    """The items, queued in this order; their results will come."""
    return [batch.submit(item) for item in items]


async def test_what_queues_while_a_group_runs_becomes_the_next_group_in_order() -> None:
    work = Work(held=True)
    batch = Batch(work)
    first = submit(batch, 1)
    await work.started.wait()
    later = submit(batch, 2, 3, 4)
    work.may_go.set()
    assert await asyncio.gather(*first, *later) == [2, 4, 6, 8]
    assert work.groups == [[1], [2, 3, 4]]


async def test_one_group_runs_at_a_time() -> None:
    running = most = 0

    async def carry(items: Sequence[int]) -> Sequence[int]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return items

    batch = Batch(carry, group_items=2)
    assert await asyncio.gather(*(batch.submit(item) for item in range(9))) == list(range(9))
    assert most == 1


@given(st.lists(st.integers(), max_size=40), st.integers(1, 7), st.sets(st.integers(0, 39)))
def test_everybody_gets_the_answer_to_the_own_item(items: list[int], size: int, bad: set[int]) -> None:
    async def scenario() -> None:
        work = Work()
        work.bad = {items[place] for place in bad if place < len(items)}
        batch = Batch(work, group_items=size)
        results = await asyncio.gather(*(batch.submit(item) for item in items), return_exceptions=True)
        for item, result in zip(items, results, strict=True):
            assert isinstance(result, ValueError) if item in work.bad else result == 2 * item
        await batch.drained()

    asyncio.run(scenario())


async def test_one_bad_item_does_not_refuse_its_neighbours() -> None:
    work = Work()
    work.bad = {3}
    tasks = submit(Batch(work), 1, 2, 3, 4, 5)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert results[:2] + results[3:] == [2, 4, 8, 10]
    assert isinstance(results[2], ValueError)


async def test_a_group_is_not_tried_again_while_the_database_is_away() -> None:
    work = Work()
    work.away = True
    results = await asyncio.gather(*submit(Batch(work), 1, 2, 3), return_exceptions=True)
    assert [type(result) for result in results] == [Unavailable] * 3
    assert work.groups == [[1, 2, 3]]


async def test_a_caller_that_goes_disturbs_no_other_and_its_item_is_not_carried() -> None:
    work = Work(held=True)
    batch = Batch(work)
    first = submit(batch, 1)
    await work.started.wait()
    gone, stays = submit(batch, 2, 3)
    gone.cancel()
    work.may_go.set()
    assert await stays == 6
    assert await first[0] == 2
    assert work.groups == [[1], [3]]


async def test_a_caller_may_go_while_its_group_runs() -> None:
    work = Work(held=True)
    gone, stays = submit(Batch(work), 1, 2)
    await work.started.wait()
    gone.cancel()
    work.may_go.set()
    assert await stays == 4


async def test_a_full_queue_refuses_at_once_and_takes_again_afterwards() -> None:
    work = Work(held=True)
    batch = Batch(work, waiting_items=2)
    running = submit(batch, 1)
    await work.started.wait()
    waiting = submit(batch, 2, 3)
    with pytest.raises(Unavailable) as refused:
        await batch.submit(4)
    assert refused.value.headers["Retry-After"].isdigit()
    work.may_go.set()
    assert await asyncio.gather(*running, *waiting) == [2, 4, 6]
    assert await batch.submit(4) == 8


async def test_a_wrong_number_of_results_is_an_error_for_everybody() -> None:
    async def carry(items: Sequence[int]) -> Sequence[int]:
        return [1, 2, 3]

    results = await asyncio.gather(*submit(Batch(carry), 1, 2), return_exceptions=True)
    assert [type(result) for result in results] == [RuntimeError] * 2


async def test_drained_returns_when_the_last_group_is_done() -> None:
    work = Work(held=True)
    batch = Batch(work)
    tasks = submit(batch, 1)
    await work.started.wait()
    drained = asyncio.create_task(batch.drained())
    await asyncio.sleep(0)
    assert not drained.done()
    work.may_go.set()
    await drained
    assert await tasks[0] == 2


async def test_while_groups_fail_all_that_wait_fail_together() -> None:
    groups: list[int] = []

    async def carry(items: Sequence[int]) -> Sequence[int]:
        groups.append(len(items))
        if len(groups) < 3:
            raise Unavailable("away")
        return items

    batch = Batch(carry, group_items=2)
    results = submit(batch, *range(10))
    failed = await asyncio.gather(*results, return_exceptions=True)
    assert groups == [2, 8]
    assert all(isinstance(error, Unavailable) for error in failed)
    await asyncio.gather(*submit(batch, *range(5)))
    assert groups == [2, 8, 5]
    await asyncio.gather(*submit(batch, *range(5)))
    assert groups == [2, 8, 5, 2, 2, 1]


async def test_a_group_that_others_overtake_says_nothing_of_the_next_ones() -> None:
    groups: list[int] = []

    async def carry(items: Sequence[int]) -> Sequence[int]:
        groups.append(len(items))
        raise Contended("others change the same")

    refused = await asyncio.gather(*submit(Batch(carry, group_items=2), *range(5)), return_exceptions=True)
    assert [type(error) for error in refused] == [Contended] * 5
    assert groups == [2, 2, 1]


async def test_the_next_group_begins_beside_one_that_says_so_and_no_third_one() -> None:
    began: list[list[int]] = []
    begins = [asyncio.Event() for _ in range(3)]
    ends = [asyncio.Event() for _ in range(3)]

    async def carry(items: Sequence[int]) -> Sequence[int]:
        begins[len(began)].set()
        began.append(list(items))
        going_on()()
        await ends[len(began) - 1].wait()
        return items

    batch = Batch(carry)
    results = []
    for item in range(2):
        results += submit(batch, item)
        await begins[item].wait()
    results += submit(batch, 2)
    # What another batch takes for a whole group is longer than a third one here would need to begin.
    assert await Batch(Work()).submit(7) == 14
    assert began == [[0], [1]]
    ends[0].set()
    assert await results[0] == 0
    await begins[2].wait()
    assert began == [[0], [1], [2]]
    assert not results[1].done()
    for end in ends:
        end.set()
    await batch.drained()
    assert [await result for result in results] == [0, 1, 2]

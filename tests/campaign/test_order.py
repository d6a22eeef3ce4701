"""The random order: seeded, reproducible, without ties."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from campaign.order import lot, rank, scramble

SEEDS = st.integers(0, 2**31 - 1)
LOTS = st.integers(0, 2**32 - 1)


@given(SEEDS, LOTS)
def test_a_rank_leads_back_to_its_lot(seed: int, number: int) -> None:
    mask, multiplier = scramble(seed)
    inverse = pow(multiplier, -1, 2**32)
    assert (rank(number, seed) * inverse % 2**32) ^ mask == number


@given(SEEDS, st.sets(LOTS, min_size=2))
def test_no_two_lots_share_a_rank(seed: int, lots: set[int]) -> None:
    assert len({rank(number, seed) for number in lots}) == len(lots)


@given(SEEDS, LOTS)
def test_the_arithmetic_stays_below_what_a_bigint_holds(seed: int, number: int) -> None:
    mask, multiplier = scramble(seed)
    assert multiplier % 2 == 1
    assert 0 <= (number ^ mask) * multiplier < 2**63
    assert 0 <= rank(number, seed) < 2**32


def test_lots_and_orders_are_the_same_today_and_tomorrow() -> None:
    assert lot("WVWZZZ1JZ3W000001") == 1880234219
    assert scramble(0) == (1291949402, 248597583)
    assert rank(lot("WVWZZZ1JZ3W000001"), 7) == 3558447213


def test_two_seeds_give_unrelated_orders() -> None:
    """The first tenth of one order holds about a tenth of any tenth of another one."""
    lots = [lot(f"VIN{number}") for number in range(5_000)]
    first = [set(sorted(lots, key=lambda it: rank(it, seed))[:500]) for seed in range(12)]
    shared = [len(one & other) for one, other in combinations(first, 2)]
    assert max(shared) < 100  # 50 expected, 6.4 standard deviation
    assert min(shared) > 15


def test_every_vehicle_is_as_likely_to_be_early() -> None:
    numbers = [lot(f"VIN{number}") for number in range(50)]
    early = dict.fromkeys(numbers, 0)
    for seed in range(1_000):
        for number in sorted(numbers, key=lambda it: rank(it, seed))[:10]:
            early[number] += 1
    assert min(early.values()) > 130  # 200 expected, 12.6 standard deviation
    assert max(early.values()) < 270

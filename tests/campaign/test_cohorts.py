"""Cohorts: how they are read, which tell vehicles apart, and which one is named as the culprit."""

import random
import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign.cohorts import Cohort, Dimension, cohort_bar, culprit
from campaign.guards import PLAIN_GUARD, STANDARD_GUARDS, Guard, Metric, Rule
from campaign.verdict import Counts

INSTALL = next(guard for guard in STANDARD_GUARDS if guard.metric is Metric.INSTALLATION_SUCCESS)
CRITICAL = next(guard for guard in STANDARD_GUARDS if guard.metric is Metric.CRITICAL)

#: text, dimension, value.
READABLE = [
    ("hw_id=BOSCH-MRR-EVO15", "hw_id", "BOSCH-MRR-EVO15"),
    ("from_version=Radar 1.4.0", "from_version", "Radar 1.4.0"),
    ("model=Model_Y", "model", "Model_Y"),
    ("country=DE", "country", "DE"),
    (" hw_id = EVO 15 ", "hw_id", "EVO 15"),
    ("hw_id=a=b", "hw_id", "a=b"),
]
WRITE = (
    "write DIMENSION=VALUE with one of hw_id, from_version, model, country, such as hw_id=BOSCH-MRR-EVO15; "
)
KNOWN = "known: country, from_version, hw_id, model"
#: text, how it is shown, the hint.
UNREADABLE: list[tuple[object, str, str]] = [
    ("", "''", KNOWN),
    ("hw_id", "'hw_id'", f"did you mean 'hw_id'? {KNOWN}"),
    ("hw_id=", "'hw_id='", f"did you mean 'hw_id'? {KNOWN}"),
    ("hw_id= ", "'hw_id= '", f"did you mean 'hw_id'? {KNOWN}"),
    ("=EVO15", "'=EVO15'", KNOWN),
    ("hwid=EVO15", "'hwid=EVO15'", f"did you mean 'hw_id'? {KNOWN}"),
    ("HW_ID=EVO15", "'HW_ID=EVO15'", KNOWN),
    ("colour=red", "'colour=red'", f"did you mean 'country'? {KNOWN}"),
    (None, "'None'", KNOWN),
    (5, "'5'", KNOWN),
    ("x" * 200, f"'{'x' * 80}'", KNOWN),
]


@pytest.mark.parametrize(("text", "dimension", "value"), READABLE)
def test_a_cohort_is_read_from_dimension_and_value(text: str, dimension: str, value: str) -> None:
    cohort = Cohort.read(text)
    assert (cohort.dimension, cohort.value) == (dimension, value)
    assert Cohort.read(str(cohort)) == cohort


@pytest.mark.parametrize(("text", "shown", "hint"), UNREADABLE, ids=str)
def test_a_text_that_is_no_cohort_is_refused_with_its_value_and_the_cure(
    text: object, shown: str, hint: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(f"cohort = {shown}: {WRITE}{hint}") + "$"):
        Cohort.read(text)


@given(st.sampled_from(Dimension), st.text(min_size=1).map(str.strip).filter(bool))
def test_a_cohort_survives_its_own_text(dimension: Dimension, value: str) -> None:
    cohort = Cohort(dimension, value)
    assert Cohort.read(str(cohort)) == cohort


def test_each_of_many_cohorts_needs_more_evidence() -> None:
    assert [cohort_bar(INSTALL, number) for number in (0, 1, 20)] == [200, 200, 4000]
    assert cohort_bar(INSTALL.model_copy(update={"bar": 1000}), 20) == 40_000


def done(finished: int, failed: int, under_way: int = 0) -> Counts:
    return Counts(started=finished + under_way, finished=finished, failed=failed)


A, B, C, D = "hw_id=A", "hw_id=B", "from_version=Radar 1", "country=DE"

#: the ring, the cohorts, who is named.
CASES: dict[str, tuple[Counts, dict[str, Counts], str | None]] = {
    "41 of 43 failures on one": (done(1000, 43), {A: done(50, 41), B: done(950, 2)}, A),
    "a hundredth at 30 %, the ring within its limit": (
        done(2000, 9), {A: done(20, 6), B: done(1980, 3)}, A,
    ),
    "among many": (
        done(1000, 12),
        {A: done(50, 11)} | {f"country={n}": done(50, 1 if n == 0 else 0) for n in range(19)},
        A,
    ),
    "a uniform failure rate": (done(1000, 50), {A: done(500, 25), B: done(500, 25)}, None),
    "the larger half has the more": (done(1000, 20), {A: done(700, 14), B: done(300, 6)}, None),
    "the others fail as well": (done(1000, 80), {A: done(100, 50), B: done(900, 30)}, None),
    "the others are just within the limit": (done(1000, 68), {A: done(100, 50), B: done(900, 18)}, A),
    "the others are just over the limit": (done(1000, 69), {A: done(100, 50), B: done(900, 19)}, None),
    "two failures may be luck": (done(100, 2), {A: done(40, 2), B: done(60, 0)}, None),
    "enough for the ring is not enough for one of two cohorts": (
        done(100_000, 2), {A: done(11, 2), B: done(99_989, 0)}, None,
    ),
    "enough for one of two cohorts": (done(100_000, 3), {A: done(11, 3), B: done(99_989, 0)}, A),
    "a single failure is nothing": (done(1_000_000, 1), {A: done(1, 1), B: done(999_999, 0)}, None),
    "everybody is in it": (done(100, 50), {A: done(100, 50)}, None),
    "no cohort at all": (done(100, 50), {}, None),
    "no failure at all": (done(1000, 0), {A: done(500, 0), B: done(500, 0)}, None),
    "a good rate that is unlike the others": (done(100_000, 30), {A: done(20_000, 30)}, None),
    "nobody else has an outcome": (done(20, 10, 980), {A: done(20, 10), B: done(0, 0, 980)}, A),
    "those under way count as well": (done(50, 8, 950), {A: done(50, 8, 900), B: done(0, 0, 50)}, None),
    # Three cohorts of the same vehicles: the hardware says most, then the software, then the place.
    "correlated with the hardware": (
        done(1000, 43), {D: done(50, 41), C: done(50, 41), A: done(50, 41)}, A,
    ),
    "correlated with the software": (done(1000, 43), {D: done(50, 41), C: done(50, 41)}, C),
    "of one dimension, the first by name": (done(1000, 43), {B: done(50, 41), A: done(50, 41)}, A),
    "the narrower of two that hold all failures": (
        done(10_000, 41), {A: done(1000, 41), D: done(50, 41)}, D,
    ),
    "the narrower, beyond what a float can tell": (
        done(10_000, 500), {A: done(1500, 500), C: done(500, 500), D: done(5000, 250)}, C,
    ),
    "the wider where the failures go beyond the narrower": (
        done(10_000, 80), {A: done(200, 80), D: done(50, 20)}, A,
    ),
}  # fmt: skip


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_the_culprit_is_named_where_there_is_one(name: str, backwards: bool) -> None:
    ring, cohorts, named = CASES[name]
    given = [(Cohort.read(text), counts) for text, counts in cohorts.items()]
    found = culprit(INSTALL, ring, dict(reversed(given) if backwards else given))
    assert (found.cohort if found else None) == named


def test_the_culprit_comes_with_its_numbers() -> None:
    ring, cohorts, _ = CASES["41 of 43 failures on one"]
    found = culprit(INSTALL, ring, {Cohort.read(text): counts for text, counts in cohorts.items()})
    assert found is not None
    assert found.sentence == ("41 of 43 failures are on hw_id=A (41 of its 50 failed, 2 of the other 950)")


@pytest.mark.parametrize(
    ("guard", "ring", "one", "named"),
    [
        (PLAIN_GUARD, done(1000, 43), done(50, 41), True),
        (PLAIN_GUARD, done(1000, 60), done(50, 30), False),  # 30 of the other 950 are over the limit
        (PLAIN_GUARD, done(1000, 5), done(500, 5), False),  # 5 of 5 in half of all may be luck
        (CRITICAL, done(1000, 3), done(10, 3), True),
        (CRITICAL, done(1_000_000, 1), done(1, 1), False),  # one failure is no pattern
        # Without evidence only luck and the rest are asked.
        (PLAIN_GUARD, done(100_000, 30), done(20_000, 30), True),
    ],
)
def test_a_guard_without_evidence_names_whom_luck_does_not_explain(
    guard: Guard, ring: Counts, one: Counts, named: bool
) -> None:
    assert guard.mode is not Rule.EVIDENCE
    cohorts = {Cohort.read(A): one, Cohort.read(B): ring.without(one)}
    found = culprit(guard, ring, cohorts)
    assert (found is not None and found.cohort == A) is named


RUNS, COHORTS, VEHICLES = 200, 20, 4000


def names(guard: Guard, rate: float, bad_cohort: float | None = None) -> Counter[str]:
    """Who is named in simulated rings of twenty hardware cohorts, one of them with a rate of its own."""
    chance, named = random.Random(20260601), Counter[str]()
    size = VEHICLES // COHORTS
    for _ in range(RUNS):
        cohorts = {}
        for number in range(COHORTS):
            own = bad_cohort if bad_cohort is not None and number == 0 else rate
            failed = sum(chance.random() < own for _ in range(size))
            cohorts[Cohort(Dimension.HARDWARE, f"{number:02}")] = done(size, failed)
        ring = done(VEHICLES, sum(counts.failed for counts in cohorts.values()))
        found = culprit(guard, ring, cohorts)
        named[found.cohort if found else "nobody"] += 1
    return named


@pytest.mark.parametrize("guard", [INSTALL, PLAIN_GUARD], ids=["evidence", "threshold"])
@pytest.mark.parametrize("rate", [0.005, 0.01, 0.018, 0.05])
def test_a_failure_rate_that_is_the_same_everywhere_names_nobody(rate: float, guard: Guard) -> None:
    assert names(guard, rate)["nobody"] >= 0.98 * RUNS


@pytest.mark.parametrize("guard", [INSTALL, PLAIN_GUARD], ids=["evidence", "threshold"])
def test_one_cohort_of_twenty_that_fails_more_is_named(guard: Guard) -> None:
    named = names(guard, 0.003, bad_cohort=0.1)
    assert named["hw_id=00"] >= 0.98 * RUNS
    assert named["hw_id=00"] + named["nobody"] == RUNS

"""The kill switch: what a guard says of counts, exactly."""

import re
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from campaign.guards import PLAIN_GUARD, STANDARD_GUARDS, Guard, Metric, Rule
from campaign.verdict import RING, SEVERITY, Counts, Status, Verdict, evaluate, percent, worst

GUARDS = {guard.metric: guard for guard in STANDARD_GUARDS}
INSTALL = GUARDS[Metric.INSTALLATION_SUCCESS]

#: Every row at the default rates of its guard: evidence and health to four digits, ``~0`` where nothing is
#: left of it, a dot where it is not told. ``complete``: nobody is under way; ``bar=400``: as one of many
#: slices.
EVIDENCE = """
guard   case      started finished failed status         evidence  health   pause_at
install -               0       0      0  no_data        .         .        .
install -              10       0      0  no_data        .         .        .
install -               1       1      1  continue       16.14     0.25     2
install -               2       2      2  breach         408       0.0625   2
install -              11      11      2  breach         113.1     0.07166  2
install -              12      12      2  continue       98.42     0.07275  3
install -              36      36      3  breach         106.5     0.02579  3
install -              37      37      3  continue       94.28     0.02619  4
install -              63      63      4  breach         105.5     0.009572 4
install -              64      64      4  continue       97.43     0.009718 5
install -             113     113      5  breach         100.4     0.005037 5
install -             114     114      5  continue       98.71     0.005114 6
install -             204     204      6  breach         101.2     0.004941 6
install -             205     205      6  continue       99.66     0.005017 7
install -             297     297      7  breach         100.1     0.004997 7
install -             298     298      7  continue       98.55     0.005074 8
install -             389     389      8  breach         100.5     0.004977 8
install -             390     390      8  continue       98.95     0.005053 9
install -             449     449      9  breach         164       0.003049 9
install -             450     450      9  degraded       161.5     0.003096 10
install -            1000    1000     14  continue       41.99     0.01191  21
install -            1000    1000     15  degraded       170.5     0.002932 21
install -            1000    1000     20  degraded       1.884e5   2.654e-6 21
install -            1000    1000     21  breach         7.652e5   6.534e-7 21
install -           10000   10000    112  continue       79.16     .        201
install -           10000   10000    113  degraded       321.5     .        201
install -           10000   10000    200  degraded       2.886e55  .        201
install -           10000   10000    201  breach         1.172e56  .        201
install -         1000000 1000000   5000  healthy        ~0        .        20001
install -         1000000 1000000  20000  degraded       .         ~0       20001
install -         1000000 1000000  20001  breach         .         ~0       20001
install -             200       2      2  continue       0.3953    ~0       6
install -             200      10      5  continue       26.48     ~0       6
install -             200      10      6  breach         107.5     ~0       6
install -            1000      15     12  continue       2.546     ~0       15
install -            1000     300     15  breach         170.5     ~0       15
install -             197     197      0  continue       0.02508   19.93    6
install -             198     198      0  healthy        0.0247    20.24    6
install -             198     197      0  continue       0.0247    4.984    6
install -             289     289      1  continue       0.02518   19.86    7
install -             290     290      1  healthy        0.0248    20.16    7
install -             290     289      0  healthy        0.006107  20.16    7
install -             382     382      2  healthy        0.0249    20.08    8
install complete       30      30      0  inconclusive   0.323     1.577    3
install complete       30      30      1  inconclusive   1.484     0.3884   3
install complete       30      30      2  inconclusive   11.67     0.09563  3
install complete       30      30      3  breach         232.3     0.02355  3
install complete      150     150      0  inconclusive   0.05122   9.762    6
install complete      197     197      0  inconclusive   0.02508   19.93    6
install bar=4000       11      11      3  continue       3506      .        4
install bar=4000       50      50      5  breach         1.214e4   .        5
install bar=400        11      11      2  continue       113.1     .        3
install bar=92400     100     100      7  continue       1.001e4   .        8
install bar=92400     100     100      8  breach         2.707e5   .        8
rollback -             10      10      1  continue       24.16     .        .
rollback -             43      43      2  breach         103.8     .        .
rollback -             44      44      2  continue       96.62     .        .
rollback -            180     180      3  breach         100.8     .        .
rollback -            181     181      3  continue       99.86     .        .
rollback -            399     399      4  breach         .         .        .
rollback -            400     400      4  degraded       138.9     .        .
rollback -           1000    1000     10  degraded       .         .        .
rollback -           1000    1000     11  breach         .         .        .
download -              2       2      2  continue       65.62     .        .
download -             11      11      3  breach         114.5     .        .
download -             12      12      3  continue       91.81     .        .
download -            100     100      8  continue       43.74     .        .
download -            100     100      9  breach         113.5     .        .
download -           1000    1000     50  degraded       .         .        .
download -           1000    1000     51  breach         .         .        .
silence -               4       4      2  breach         108.9     .        .
silence -              21      21      3  breach         110.8     .        .
silence -              22      22      3  continue       93.91     .        .
silence -             100     100      6  continue       .         .        .
silence -             100     100      7  breach         176.3     .        .
silence -            1000    1000     30  degraded       .         .        .
silence -            1000    1000     31  breach         .         .        .
not_ok  -              14      14      3  breach         115.6     .        .
not_ok  -              15      15      3  continue       97.5      .        .
"""
WORDS = {
    "install": INSTALL,
    "rollback": GUARDS[Metric.ROLLBACK],
    "download": GUARDS[Metric.DOWNLOAD_FAILURE],
    "silence": GUARDS[Metric.SILENCE],
    "not_ok": GUARDS[Metric.NOT_OK],
}
_HEAD, *ROWS = map(str.split, EVIDENCE.strip().splitlines())


def says(told: str, found: float | None) -> bool:
    """Whether a number is the one of the table, to as many digits as it has, four at the most."""
    assert found is not None
    if told == "~0":
        return 0 <= found < 1e-100
    return told == "." or f"{found:.4g}" == f"{float(told):.4g}"


@pytest.mark.parametrize("row", ROWS, ids=" ".join)
def test_evidence_and_health_are_those_of_the_table(row: list[str]) -> None:
    word, case, started, finished, failed, status, evidence, health, pause_at = row
    bar = float(case.removeprefix("bar=")) if case.startswith("bar=") else None
    counts = Counts(
        started=int(started), finished=int(finished), failed=int(failed), complete=case == "complete"
    )
    verdict = evaluate(WORDS[word], counts, bar=bar)
    assert verdict.status == status
    assert says(evidence, verdict.evidence)
    assert says(health, verdict.health)
    assert pause_at in (".", str(verdict.pause_at))
    assert verdict.bar == (bar or 100)


def test_the_table_is_read_to_its_end() -> None:
    assert len(ROWS) == 79
    assert _HEAD[-1] == "pause_at"


#: mode, what else is given, the size of the group, started, finished, failed, the answer.
PLAIN: list[tuple[str, dict[str, int], int, int, int, int, str]] = [
    ("threshold", {}, 0, 0, 0, 0, "no_data"),
    ("threshold", {}, 0, 9, 0, 0, "no_data"),
    ("threshold", {}, 0, 1, 1, 0, "continue"),
    ("threshold", {}, 0, 1, 1, 1, "breach"),
    ("threshold", {}, 0, 49, 49, 1, "breach"),
    ("threshold", {}, 0, 50, 50, 1, "continue"),
    ("threshold", {}, 0, 51, 51, 1, "continue"),
    ("threshold", {}, 0, 99, 99, 2, "breach"),
    ("threshold", {}, 0, 100, 100, 2, "continue"),
    ("threshold", {}, 0, 149, 149, 3, "breach"),
    ("threshold", {}, 0, 150, 150, 3, "continue"),
    ("threshold", {}, 0, 10_000, 10_000, 200, "continue"),
    ("threshold", {}, 0, 10_000, 10_000, 201, "breach"),
    ("threshold", {}, 0, 1_000_000, 1_000_000, 20_000, "continue"),
    ("threshold", {}, 0, 1_000_000, 1_000_000, 20_001, "breach"),
    ("threshold", {}, 0, 1_000_000, 49, 1, "breach"),  # who has no outcome is no attempt
    ("threshold", {"min_sample": 100}, 0, 0, 0, 0, "no_data"),
    ("threshold", {"min_sample": 100}, 0, 1, 1, 1, "continue"),
    ("threshold", {"min_sample": 100}, 0, 99, 99, 99, "continue"),
    ("threshold", {"min_sample": 100}, 0, 100, 100, 2, "continue"),
    ("threshold", {"min_sample": 100}, 0, 100, 100, 3, "breach"),
    ("threshold", {"min_sample": 100}, 0, 101, 99, 99, "continue"),
    ("group_share", {}, 30, 0, 0, 0, "no_data"),
    ("group_share", {}, 30, 30, 1, 1, "breach"),
    ("group_share", {}, 1000, 1000, 700, 20, "continue"),
    ("group_share", {}, 1000, 1000, 700, 21, "breach"),
    ("group_share", {"min_sample": 701}, 1000, 1000, 700, 21, "continue"),
    ("count", {}, 0, 5, 0, 0, "no_data"),
    ("count", {}, 0, 5, 5, 0, "continue"),
    ("count", {}, 0, 5, 5, 1, "breach"),
    ("count", {}, 0, 1_000_000, 1, 1, "breach"),
    ("count", {"max_count": 3}, 0, 5, 5, 3, "continue"),
    ("count", {"max_count": 3}, 0, 5, 5, 4, "breach"),
    ("count", {"min_sample": 100}, 0, 5, 5, 1, "breach"),  # a sample is for rates
]


@pytest.mark.parametrize("row", PLAIN, ids=str)
def test_the_plain_rules_are_exact(row: tuple[str, dict[str, int], int, int, int, int, str]) -> None:
    mode, keys, group, started, finished, failed, status = row
    guard = Guard.model_validate({"mode": mode, "limit": "0.02"} | keys)
    verdict = evaluate(guard, Counts(started=started, finished=finished, failed=failed, group=group))
    assert verdict.status == status
    assert (verdict.started, verdict.finished, verdict.failed) == (started, finished, failed)
    assert (verdict.limit, verdict.slice, verdict.guard) == (Decimal("0.02"), RING, guard.name)
    assert (verdict.evidence, verdict.health, verdict.bar) == (None, None, None)


def finished(started: int, failed: int, *, complete: bool = False) -> Counts:
    """Counts of vehicles that all have an outcome."""
    return Counts(started=started, finished=started, failed=failed, complete=complete)


def plain(limit: Decimal | str = "0.02", **keys: int) -> Guard:
    return Guard.model_validate({"metric": "failure_rate", "mode": "threshold", "limit": limit} | keys)


LIMITS = st.decimals(0, "0.999999", allow_nan=False, places=6)


@given(st.integers(1, 10**7), st.integers(0, 10**7), LIMITS, st.integers(0, 10**7))
def test_a_plain_breach_is_more_than_the_limit_in_whole_numbers(
    outcomes: int, bad: int, limit: Decimal, under_way: int
) -> None:
    failed = min(bad, outcomes)
    number, denominator = limit.as_integer_ratio()
    counts = Counts(started=outcomes + under_way, finished=outcomes, failed=failed)
    status = evaluate(plain(limit), counts).status
    assert (status is Status.BREACH) is (failed * denominator > number * outcomes)


@given(st.integers(1, 10**6), st.integers(1, 99))
def test_exactly_the_limit_goes_on_and_one_more_does_not(hundreds: int, of_hundred: int) -> None:
    guard = plain(Decimal(of_hundred) / 100)
    outcomes, allowed = 100 * hundreds, of_hundred * hundreds
    at_the_limit, above = finished(outcomes, allowed), finished(outcomes, allowed + 1)
    assert evaluate(guard, at_the_limit).status is Status.CONTINUE
    assert evaluate(guard, above).status is Status.BREACH
    assert evaluate(guard, above).pause_at == allowed + 1


def test_a_limit_of_zero_tolerates_no_failure() -> None:
    assert evaluate(plain("0"), finished(10**6, 0)).status is Status.CONTINUE
    assert evaluate(plain("0"), finished(10**6, 1)).status is Status.BREACH


def test_a_phase_that_is_over_and_smaller_than_its_sample_proves_nothing() -> None:
    guard = plain(min_sample=100)
    assert evaluate(guard, finished(99, 99, complete=True)).status is Status.INCONCLUSIVE
    assert evaluate(guard, finished(100, 2, complete=True)).status is Status.CONTINUE
    assert evaluate(guard, finished(100, 3, complete=True)).status is Status.BREACH


def test_a_phase_that_is_over_is_judged_before_it_is_called_inconclusive() -> None:
    assert evaluate(INSTALL, finished(0, 0, complete=True)).status is Status.NO_DATA
    assert evaluate(INSTALL, finished(198, 0, complete=True)).status is Status.HEALTHY
    assert evaluate(INSTALL, finished(450, 9, complete=True)).status is Status.DEGRADED


#: The card of a guard: so many failures pause up to so many vehicles; from the next failure on, the limit.
CARDS = {
    Metric.INSTALLATION_SUCCESS: "2:11 3:36 4:63 5:113 6:204 7:297 8:389",
    Metric.ROLLBACK: "2:43 3:180",
    Metric.SILENCE: "2:4 3:21 4:39 5:57 6:80 7:124 8:179 9:233 10:288 11:343 12:398",
    Metric.NOT_OK: "3:14 4:29 5:45 6:60 26:855",
    Metric.DOWNLOAD_FAILURE: "3:11 4:23 5:34 6:47 7:60 8:77 9:103 16:317",
}


def card(metric: Metric) -> list[tuple[int, int]]:
    return [(int(failed), int(most)) for failed, most in (x.split(":") for x in CARDS[metric].split())]


@pytest.mark.parametrize("metric", CARDS, ids=str)
def test_so_many_failures_pause_up_to_so_many_vehicles(metric: Metric) -> None:
    guard = GUARDS[metric]
    for failed, most in card(metric):
        assert evaluate(guard, finished(most, failed)).status is Status.BREACH
        assert evaluate(guard, finished(most + 1, failed)).status is Status.CONTINUE


@pytest.mark.parametrize("metric", CARDS, ids=str)
def test_fewer_failures_than_the_card_begins_with_pause_nobody(metric: Metric) -> None:
    first, _ = card(metric)[0]
    for failed in range(1, first):
        for more in (0, 1, 2, 3, 5, 10, 100, 10_000):
            assert evaluate(GUARDS[metric], finished(failed + more, failed)).status is not Status.BREACH


@pytest.mark.parametrize("metric", CARDS, ids=str)
def test_beyond_the_card_a_guard_is_exactly_its_limit(metric: Metric) -> None:
    guard, (last, _) = GUARDS[metric], card(metric)[-1]
    limit = Fraction(guard.limit)
    for failed in range(last + 1, last + 200):
        most = (failed * limit.denominator - 1) // limit.numerator
        assert evaluate(guard, finished(most, failed)).status is Status.BREACH
        assert evaluate(guard, finished(most + 1, failed)).status is Status.DEGRADED


def test_a_critical_vehicle_pauses_however_many_are_well() -> None:
    guard = GUARDS[Metric.CRITICAL]
    assert evaluate(guard, finished(10**6, 0)).status is Status.CONTINUE
    assert evaluate(guard, Counts(started=10**6, finished=1, failed=1)).status is Status.BREACH


#: The card of one among 20 cohorts.
@pytest.mark.parametrize(("failed", "most"), [(3, 10), (4, 33), (5, 57), (6, 82)])
def test_one_of_twenty_cohorts_needs_one_or_two_failures_more(failed: int, most: int) -> None:
    assert evaluate(INSTALL, finished(most, failed), "hw_id=A", 4000).status is Status.BREACH
    assert evaluate(INSTALL, finished(most + 1, failed), "hw_id=A", 4000).status is Status.CONTINUE


def campaigns_paused(guard: Guard, vehicles: int, rate: float) -> float:
    """The exact share of campaigns that are paused when vehicles report one after another."""
    alive, paused = {0: 1.0}, 0.0
    for started in range(1, vehicles + 1):
        pause_at = evaluate(guard, finished(started, 0)).pause_at
        assert pause_at is not None
        after: dict[int, float] = {}
        for failed, chance in alive.items():
            after[failed] = after.get(failed, 0) + chance * (1 - rate)
            after[failed + 1] = after.get(failed + 1, 0) + chance * rate
        paused += sum(chance for failed, chance in after.items() if failed >= pause_at)
        alive = {failed: chance for failed, chance in after.items() if failed < pause_at}
    return paused


#: vehicles, percent that fail, percent of campaigns paused by looking after every report; and by the bare
#: limit. 0.5 % is what the guard accepts: its promise is fewer than 1 of 100.
CAMPAIGNS = [
    (30, 0.5, "0.17", "14.0"),
    (30, 5, "22", "79"),
    (30, 20, "96", "100"),
    (1000, 0.1, "0.01", "4.9"),
    (1000, 0.5, "0.39", "24.6"),
    (1000, 1, "8.3", "49"),
    (1000, 2, "77", "91"),
    (1000, 3, "99.3", "99.8"),
]


@pytest.mark.parametrize(("vehicles", "rate", "by_evidence", "by_limit"), CAMPAIGNS)
def test_a_healthy_fleet_is_hardly_ever_paused_and_a_bad_one_is(
    vehicles: int, rate: float, by_evidence: str, by_limit: str
) -> None:
    for guard, told in ((INSTALL, by_evidence), (PLAIN_GUARD, by_limit)):
        found = 100 * campaigns_paused(guard, vehicles, rate / 100)
        _, _, decimals = told.partition(".")
        assert f"{found:.{len(decimals)}f}" == told


SENTENCES: list[tuple[Guard, Counts, str]] = [
    (PLAIN_GUARD, finished(0, 0), "failure_rate no_data: no vehicle has an outcome yet"),
    (PLAIN_GUARD, finished(9, 0), "failure_rate continue: 0 of 9 failed (0 % <= 2 %)"),
    (PLAIN_GUARD, finished(49, 1), "failure_rate breach: 1 of 49 failed (2.04 % > 2 %)"),
    (PLAIN_GUARD, finished(50, 1), "failure_rate continue: 1 of 50 failed (2 % <= 2 %)"),
    (
        PLAIN_GUARD,
        finished(1_000_000, 20_001),
        "failure_rate breach: 20001 of 1000000 failed (2.0001 % > 2 %)",
    ),
    (
        plain("0.01234"),
        finished(10_000, 123),
        "failure_rate continue: 123 of 10000 failed (1.23 % <= 1.234 %)",
    ),
    (plain("0.01234"), finished(1000, 12), "failure_rate continue: 12 of 1000 failed (1.2 % <= 1.234 %)"),
    (
        plain("0.01234"),
        finished(100_000, 1235),
        "failure_rate breach: 1235 of 100000 failed (1.235 % > 1.234 %)",
    ),
    (
        plain(min_sample=100),
        finished(99, 99),
        "failure_rate continue: 99 of 99 failed (100 % > 2 %); judged from 100 on",
    ),
    (
        Guard.model_validate({"name": "share", "mode": "group_share"}),
        Counts(started=1000, finished=700, failed=21, group=1000),
        "share breach: 21 of 700 failed (2.1 % of a group of 1000 > 2 %)",
    ),
    (GUARDS[Metric.CRITICAL], finished(5, 0), "critical continue: 0 of 5 came to harm (0 <= 0)"),
    (GUARDS[Metric.CRITICAL], finished(5, 2), "critical breach: 2 of 5 came to harm (2 > 0)"),
    (
        INSTALL,
        Counts(started=9, finished=0),
        "installation_success_rate no_data: no vehicle has an outcome yet",
    ),
    (
        INSTALL,
        Counts(started=200, finished=60, failed=1),
        "installation_success_rate continue: 1 of 60 failed, 140 under way; pauses at 6",
    ),
    (INSTALL, finished(12, 2), "installation_success_rate continue: 2 of 12 failed; pauses at 3"),
    (
        INSTALL,
        finished(11, 2),
        "installation_success_rate breach: 2 of 11 failed (18.2 % > 2 %); 113:1 against a healthy "
        "fleet's 0.5 %, 100:1 is enough",
    ),
    (
        INSTALL,
        finished(449, 9),
        "installation_success_rate breach: 9 of 449 failed (2.004 % > 2 %); 164:1 against a healthy "
        "fleet's 0.5 %, 100:1 is enough",
    ),
    (
        INSTALL,
        finished(1000, 15),
        "installation_success_rate degraded: 15 of 1000 failed (1.5 %); 171:1 against a healthy fleet's "
        "0.5 %, though not over the 2 % limit",
    ),
    (
        INSTALL,
        finished(10_000, 201),
        "installation_success_rate breach: 201 of 10000 failed (2.01 % > 2 %); over 1,000,000:1 against a "
        "healthy fleet's 0.5 %, 100:1 is enough",
    ),
    (
        INSTALL,
        finished(290, 1),
        "installation_success_rate healthy: 1 of 290 failed; a rate under 2 % is proven 20:1",
    ),
    (
        INSTALL,
        finished(30, 0, complete=True),
        "installation_success_rate inconclusive: 0 of 30 failed; 30 vehicles only show a rate under 9.5 %",
    ),
    (
        INSTALL,
        Counts(started=31, finished=30, failed=0, complete=True),
        "installation_success_rate inconclusive: 0 of 30 failed; 31 vehicles only show a rate under 14.4 %",
    ),
]


@pytest.mark.parametrize(("guard", "counts", "sentence"), SENTENCES, ids=[row[2] for row in SENTENCES])
def test_a_verdict_shows_the_numbers_it_compared(guard: Guard, counts: Counts, sentence: str) -> None:
    assert evaluate(guard, counts).sentence == sentence


def test_a_verdict_on_a_part_of_the_ring_names_the_part() -> None:
    verdict = evaluate(INSTALL, finished(57, 5), "hw_id=HW-C3", 4000)
    assert verdict.slice == "hw_id=HW-C3"
    assert verdict.sentence == (
        "installation_success_rate[hw_id=HW-C3] breach: 5 of 57 failed (8.77 % > 2 %); 4,464:1 against a "
        "healthy fleet's 0.5 %, 4,000:1 is enough"
    )


@given(st.integers(1, 10**5), st.integers(0, 10**5), LIMITS)
def test_the_comparison_that_a_sentence_shows_is_true(outcomes: int, bad: int, limit: Decimal) -> None:
    sentence = evaluate(plain(limit), finished(outcomes, min(bad, outcomes))).sentence
    found = re.search(r"\((\S+) % (>|<=) (\S+) %\)", sentence)
    assert found is not None
    rate, sign, shown = float(found[1]), found[2], float(found[3])
    assert rate > shown if sign == ">" else rate <= shown
    assert Decimal(found[3]) == limit * 100


@pytest.mark.parametrize("wrong", [(1, 1, 2), (1, 2, 0), (0, 0, 1), (0, 1, 0)], ids=str)
def test_counts_that_do_not_fit_into_one_another_are_refused(wrong: tuple[int, int, int]) -> None:
    started, outcomes, failed = wrong
    message = f"failed {failed} <= finished {outcomes} <= started {started} does not hold"
    with pytest.raises(ValidationError, match=message):
        Counts(started=started, finished=outcomes, failed=failed)


def test_counts_of_everybody_else_are_what_is_left() -> None:
    whole = Counts(started=100, finished=80, failed=9, group=200, complete=True)
    rest = whole.without(Counts(started=30, finished=20, failed=8))
    assert rest == Counts(started=70, finished=60, failed=1, group=200, complete=True)


def verdict(status: Status, guard: str = "g") -> Verdict:
    return Verdict(guard=guard, status=status, started=1, finished=1, failed=0, limit=Decimal(0), sentence="")


#: The worst first.
ORDER = ["breach", "degraded", "inconclusive", "no_data", "continue", "healthy"]


def test_the_order_of_severity_is_written_down() -> None:
    assert [str(status) for status in SEVERITY] == ORDER
    assert set(SEVERITY) == set(Status)


@pytest.mark.parametrize(("worse", "better"), list(pairwise(ORDER)))
def test_the_more_severe_of_two_verdicts_wins(worse: str, better: str) -> None:
    bad, good = verdict(Status(worse)), verdict(Status(better))
    assert worst([good, bad]) is bad
    assert worst([bad, good]) is bad


@given(st.lists(st.sampled_from(Status), min_size=1))
def test_the_worst_verdict_wins_and_the_first_of_equals(statuses: list[Status]) -> None:
    verdicts = [verdict(status, str(place)) for place, status in enumerate(statuses)]
    worst_status = min(statuses, key=lambda status: ORDER.index(status.value))
    assert worst(verdicts) is verdicts[statuses.index(worst_status)]


def test_without_a_verdict_there_is_no_worst() -> None:
    with pytest.raises(ValueError, match="empty"):
        worst([])


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (Fraction(0), "0 %"),
        (Fraction(1, 49), "2.04 %"),
        (Fraction(1), "100 %"),
        (Fraction(1, 2), "50 %"),
        (Fraction(1, 30_000), "0.00333 %"),
    ],
)
def test_a_rate_is_shown_without_digits_that_say_nothing(rate: Fraction, text: str) -> None:
    assert percent(rate) == text


def test_every_mode_is_in_the_tables_above() -> None:
    assert {INSTALL.mode} | {Rule(row[0]) for row in PLAIN} == set(Rule)

"""docs/guards.md says what the rules do: exactly where that can be computed, else within the dice's luck.

| Given | When | Then |
|---|---|---|
| the bounds derived from a guard | any counts are judged by the product | it breaches exactly there |
| a ring that reports vehicle by vehicle | the chance of a pause is summed up | it is the known one |
| the same by dice | a few thousand runs | it is the same within their error |
| vehicles in flight, fast failures, the brake, a bad cohort | a few runs | the known figures, roughly |
| the page | a rule changes | its exact cells differ from the page, and this test fails |
"""

from random import Random

import numpy as np
import pytest

from benchmarks.guards import cards, exposure
from benchmarks.guards.bounds import Bounds
from benchmarks.guards.chance import chance
from benchmarks.guards.denominator import denominator
from benchmarks.guards.exposure import instant, small
from benchmarks.guards.minority import minority
from benchmarks.guards.overshoot import overshoot
from benchmarks.guards.page import PAGE, blocks, filled
from benchmarks.guards.policy import GUARDS, POLICIES, Policy
from benchmarks.guards.rollout import roll_out, shares
from benchmarks.guards.rules import GROUP_SHARE, MINIMUM_SAMPLE, PLAIN, PRODUCT, RULES
from benchmarks.guards.stream import stops
from campaign.guards import Guard, Metric
from campaign.verdict import Counts, Status, evaluate

RING = 1_000


def breaches(guard: Guard, started: int, finished: int, failed: int) -> bool:
    counts = Counts(started=started, finished=finished, failed=failed, group=RING)
    return evaluate(guard, counts).status is Status.BREACH


@pytest.mark.parametrize("name", RULES)
def test_the_product_breaches_exactly_from_the_derived_number_of_failures_on(name: str) -> None:
    guard, stairs = RULES[name], instant(RULES[name], RING)
    for vehicles in (*range(1, 130), *range(130, RING + 1, 7)):
        fewest = int(stairs.fewest[vehicles]) if vehicles >= stairs.first else vehicles + 1
        if fewest <= vehicles:
            assert breaches(guard, vehicles, vehicles, fewest)
        assert not breaches(guard, vehicles, vehicles, min(fewest - 1, vehicles))


def test_the_most_vehicles_by_failures_are_the_card() -> None:
    assert instant(PRODUCT, RING).last[:10].tolist() == [0, 0, 11, 36, 63, 113, 204, 297, 389, 449]
    assert instant(PLAIN, RING).last[:4].tolist() == [0, 49, 99, 149]
    assert instant(MINIMUM_SAMPLE, RING).last[:4].tolist() == [0, 0, 0, 149]
    assert instant(GROUP_SHARE, RING).last[20:22].tolist() == [0, RING]


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_the_product_breaches_where_both_bounds_are_reached(guard: Guard) -> None:
    dice, bounds = Random(7), Bounds.of(guard, 2_000)
    for _ in range(400):
        started = dice.randint(0, 2_000)
        finished = dice.randint(0, started)
        failed = min(finished, int(dice.expovariate(1 / (1 + started * 0.02))))
        arrays = [np.array([each]) for each in (started, finished, failed)]
        assert bool(bounds.breached(*arrays)[0]) == breaches(guard, started, finished, failed)


@pytest.mark.parametrize(
    ("guard", "known"),
    [
        (PLAIN, ("24.6", "49.5", "99.8", 33, 54, 5)),
        (MINIMUM_SAMPLE, ("4.6", "25.2", "99.6", 131, 140, 100)),
        (GROUP_SHARE, ("0.0", "0.1", "96.7", 944, 687, 105)),
        (PRODUCT, ("0.4", "8.3", "99.3", 135, 205, 12)),
    ],
)
def test_a_ring_of_a_thousand_is_paused_as_often_and_as_late_as_known(
    guard: Guard, known: tuple[str, str, str, int, int, int]
) -> None:
    name = next(name for name, each in RULES.items() if each is guard)
    half, one, three, twenty = small(RING, name, (0.005, 0.01, 0.03, 0.2))
    chances = tuple(f"{cell.chance * 100:.1f}" for cell in (half, one, three))
    assert (*chances, *(round(cell.vehicles) for cell in (half, three, twenty))) == known
    assert twenty.chance == pytest.approx(1)


def test_a_fleet_that_meets_its_target_is_paused_in_39_of_10000_campaigns() -> None:
    [cell] = small(RING, "Ringmaster", (0.005,))
    assert round(cell.chance * 10_000) == 39


def test_the_dice_agree_with_the_exact_sums() -> None:
    runs = 4_000
    for rate in (0.005, 0.03):
        found = stops(
            [instant(guard, RING) for guard in RULES.values()], rate, RING, runs, chance("test", rate)
        )
        for name, stop in zip(RULES, found, strict=True):
            [exact] = small(RING, name, (rate,))
            paused = stop.reported > 0
            assert paused.mean() == pytest.approx(exact.chance, abs=4 / np.sqrt(runs) / 2 + 1e-9)
            if exact.chance > 0.9:
                assert stop.reported[paused].mean() == pytest.approx(exact.vehicles, rel=0.1)
                assert stop.failed[paused].mean() == pytest.approx(exact.failed, rel=0.1)


def test_what_is_in_flight_comes_on_top() -> None:
    cells = {cell.rate: cell for cell in overshoot(100, 100)}
    assert (cells[1.0].started, cells[1.0].failed) == (104, 104)
    assert cells[0.2].started == pytest.approx(129, abs=4)
    assert cells[0.2].failed == pytest.approx(26, abs=4)


def test_fast_failures_fool_only_who_counts_reports_alone() -> None:
    reported, begun = denominator("failures 10 times faster, 1,000 at once", 0.005, 100)
    assert reported.chance > 0.85
    assert begun.chance < 0.02


def policy(name: str) -> Policy:
    return next(each for each in POLICIES if each.name == name)


@pytest.mark.parametrize(
    ("name", "rate", "harmed", "within"),
    [
        ("10,000 in flight, no brake", 0.2, 2_090, 60),
        ("budget 25, failures reported", 0.05, 9.9, 2),
        ("budget 25, failures reported 10 times faster", 0.05, 5.4, 1.5),
        ("budget 25, all failures silent", 1.0, 30, 0),
    ],
)
def test_a_bad_update_is_stopped_with_the_known_harm(
    name: str, rate: float, harmed: float, within: float
) -> None:
    found = roll_out(policy(name), rate, 20_000, 40, chance("test", name))
    assert found.paused.all()
    assert found.harmed.mean() == pytest.approx(harmed, abs=within)


def test_a_healthy_ring_runs_to_its_end() -> None:
    found = roll_out(policy("budget 25, failures reported"), 0.001, 20_000, 10, chance("test", "healthy"))
    assert not found.paused.any()
    assert found.harmed.mean() == pytest.approx(20, abs=6)


def test_reports_take_as_long_as_they_are_said_to() -> None:
    hours = np.arange(1, len(shares(1.0)) + 1) / 12
    assert shares(1.0).sum() == pytest.approx(1)
    assert (shares(1.0) * hours).sum() == pytest.approx(1, abs=0.01)


def test_a_bad_cohort_is_stopped_by_its_own_counts() -> None:
    [cell] = minority(0.01, 1.0, 40)
    assert cell.chance == 1
    assert cell.failed < 6
    assert cell.named > 0.9
    assert cell.wrong == 0


def test_the_guards_look_at_installations_silence_and_both() -> None:
    assert {guard.metric for guard in GUARDS} == {Metric.INSTALLATION_SUCCESS, Metric.SILENCE, Metric.NOT_OK}


def test_the_page_has_the_exact_tables() -> None:
    on_page = blocks(PAGE.read_text(encoding="utf-8"))
    found = [cell for ring in exposure.RINGS for name in RULES for cell in small(ring, name)]
    [table] = exposure.tables(found)
    assert set(table.markdown().splitlines()) <= set(on_page["exposure"].splitlines())
    [table] = cards.tables(cards.card(PRODUCT))
    assert set(table.markdown().splitlines()) <= set(on_page["cards"].splitlines())


def test_filling_the_page_changes_the_blocks_and_nothing_else() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert filled(text, blocks(text).items()) == text
    with pytest.raises(KeyError, match="exposure"):
        filled(text, [(key, body) for key, body in blocks(text).items() if key != "exposure"])

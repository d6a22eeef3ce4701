"""What a vehicle does, as a pure function of record, seed and script."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import Kind, Record, Rule, Script, Where, as_built
from simulator.behaviour import Behaviour, Plan
from simulator.faults import BUILT_IN

RADAR = {"Radar": "1.4.0"}
FLEET = [Record.model_validate(record) for record in as_built(1000, seed=3)]


def plans(script: Script, update: dict[str, str] = RADAR, struck: int = 0) -> list[Plan]:
    return [Behaviour(record, 7, script).plan(update, struck) for record in FLEET]


def struck_share(script: Script, update: dict[str, str] = RADAR) -> float:
    return sum(plan.fault is not None for plan in plans(script, update)) / len(FLEET)


@given(st.integers(), st.floats(0.5, 100))
def test_a_plan_depends_on_its_arguments_only(seed: int, pace: float) -> None:
    first, again = (Behaviour(FLEET[0], seed, BUILT_IN["faulty"], pace).plan(RADAR, 0) for _ in range(2))
    assert first == again


@given(st.integers(), st.floats(0.1, 100))
def test_work_takes_seconds_and_the_pace_divides_them(seed: int, pace: float) -> None:
    plan = Behaviour(FLEET[0], seed, Script(), pace).plan(RADAR, 0)
    normal = Behaviour(FLEET[0], seed, Script()).plan(RADAR, 0)
    assert 1 <= normal.download_seconds <= 3
    assert 2 <= normal.install_seconds <= 6
    assert plan.download_seconds * pace == pytest.approx(normal.download_seconds)
    assert plan.install_seconds * pace == pytest.approx(normal.install_seconds)


@given(st.integers(), st.integers(1, 86_399))
def test_the_jitter_of_the_poll_interval_is_small_and_stable(seed: int, asked: int) -> None:
    habits = Behaviour(FLEET[0], seed, Script())
    assert 0.95 * asked <= habits.poll_seconds(asked) <= 1.05 * asked
    assert habits.poll_seconds(asked) == habits.poll_seconds(asked)


def test_first_polls_fill_the_spread() -> None:
    firsts = [Behaviour(record, 7, Script(), spread_seconds=5).first_poll_seconds() for record in FLEET]
    assert 0 <= min(firsts) < 0.2
    assert 4.8 < max(firsts) < 5


def test_a_rule_strikes_about_its_share() -> None:
    assert struck_share(Script(rules=(Rule(share=0.3, kind=Kind.FAIL),))) == pytest.approx(0.3, abs=0.05)


@pytest.mark.parametrize("share", [0, 1])
def test_shares_of_nothing_and_everything_are_exact(share: float) -> None:
    assert struck_share(Script(rules=(Rule(share=share, kind=Kind.FAIL),))) == share


def test_the_first_rule_whose_lot_falls_wins() -> None:
    rules = (Rule(share=0.5, kind=Kind.BRICK), Rule(share=1, kind=Kind.FAIL))
    kinds = {plan.fault.kind for plan in plans(Script(rules=rules)) if plan.fault}
    assert kinds == {Kind.BRICK, Kind.FAIL}
    assert struck_share(Script(rules=rules)) == 1


def test_the_faulty_scenario_strikes_only_the_late_radars() -> None:
    struck = {
        record.ecus[0].hw_id
        for record, plan in zip(FLEET, plans(BUILT_IN["faulty"]), strict=True)
        if plan.fault
    }
    assert struck == {"BOSCH-MRR-EVO15"}
    assert struck_share(BUILT_IN["faulty"]) == pytest.approx(0.06, abs=0.02)


@pytest.mark.parametrize(
    "where",
    [
        Where(model="Model_3"),
        Where(country="XX"),
        Where(ecu="Camera"),
        Where(hw_id="CONTI-GW-002"),  # the gateway's hardware, which a radar update does not write
        Where(ecu="Radar", hw_id="CONTI-GW-002"),
    ],
    ids=str,
)
def test_a_rule_about_others_strikes_nobody(where: Where) -> None:
    assert struck_share(Script(rules=(Rule(where=where, share=1, kind=Kind.FAIL),))) == 0


def test_a_rule_about_an_ecu_strikes_the_updates_that_write_it() -> None:
    script = Script(rules=(Rule(where=Where(hw_id="CONTI-GW-002"), share=1, kind=Kind.FAIL),))
    assert struck_share(script, {"Gateway": "2.2.0"}) == 1


@pytest.mark.parametrize(
    ("rule", "strikes"),
    [
        (Rule(share=1, kind=Kind.DEFER), [True, False, False]),
        (Rule(share=1, kind=Kind.DEFER, times=2), [True, True, False]),
        (Rule(share=1, kind=Kind.FAIL, times=1), [True, False, False]),
        (Rule(share=1, kind=Kind.FAIL), [True, True, True]),
    ],
)
def test_a_rule_strikes_as_often_as_it_says(rule: Rule, strikes: list[bool]) -> None:
    behaviour = Behaviour(FLEET[0], 7, Script(rules=(rule,)))
    assert [behaviour.plan(RADAR, struck).fault is not None for struck in range(3)] == strikes


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (Rule(share=1, kind=Kind.DEFER), "deferred: battery_12v 11.4 V"),
        (Rule(share=1, kind=Kind.DEFER, message="no consent"), "deferred: no consent"),
        (Rule(share=1, kind=Kind.ROLLBACK, message="rolled back: no boot"), "rolled back: no boot"),
        (Rule(share=1, kind=Kind.CRITICAL), "critical: no brake assist after restart"),
        (Rule(share=1, kind=Kind.FAIL), "flash verification failed: block 17"),
    ],
)
def test_messages_begin_as_the_kind_of_fault_requires(rule: Rule, message: str) -> None:
    plan = Behaviour(FLEET[0], 7, Script(rules=(rule,))).plan(RADAR, 0)
    assert plan.fault is not None
    assert plan.fault.message == message

"""Guards are data: what is absent is filled in, and what cannot work is refused at the door."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from campaign.definition import parse
from campaign.guards import (
    PILOT_GUARDS,
    PLAIN_GUARD,
    STANDARD_GUARDS,
    Action,
    Guard,
    Metric,
    Rule,
    with_limits,
)
from campaign.problems import Refused

NOW = datetime(2026, 6, 1, tzinfo=UTC)
GOOD: dict[str, Any] = {"name": "Winter", "package": "Pkg", "phases": [{"rollout_percent": 100}]}

#: metric, limit, accept: the rates of a guard that gives none.
RATES = [
    ("installation_success_rate", "0.02", "0.005"),
    ("failure_rate", "0.02", "0.005"),
    ("download_failure_rate", "0.05", "0.02"),
    ("rollback_rate", "0.01", "0.001"),
    ("silence", "0.03", "0.01"),
    ("not_ok", "0.03", "0.015"),
    ("critical", "0.02", "0.005"),
]

#: metric, mode, limit, accept: what watches a campaign whose definition names no guards.
STANDARD = [
    ("critical", "count", "0.02", "0.005"),
    ("installation_success_rate", "evidence", "0.02", "0.005"),
    ("rollback_rate", "evidence", "0.01", "0.001"),
    ("silence", "evidence", "0.03", "0.01"),
    ("not_ok", "evidence", "0.03", "0.015"),
    ("download_failure_rate", "evidence", "0.05", "0.02"),
]
PILOT = [
    ("critical", "count", "0.02", "0.005"),
    ("installation_success_rate", "evidence", "0.05", "0.01"),
    ("rollback_rate", "evidence", "0.03", "0.01"),
    ("silence", "evidence", "0.03", "0.01"),
    ("not_ok", "evidence", "0.06", "0.02"),
    ("download_failure_rate", "evidence", "0.05", "0.02"),
]

METRICS = (
    "Input should be 'installation_success_rate', 'failure_rate', 'download_failure_rate', 'rollback_rate', "
    "'silence', 'not_ok' or 'critical'"
)
TOO_CLOSE = (
    "accept 0.011 must be at most half of limit 0.02: closer rates cannot be told apart; give a lower "
    "accept, or mode: threshold for a bare limit"
)

#: The one problem with a guard.
BAD: list[tuple[Any, str]] = [
    ({"metric": "mood"}, f"guards.0.metric = 'mood': {METRICS}"),
    ({"metric": None}, f"guards.0.metric = None: {METRICS}"),
    ({"metric": ["silence"]}, f"guards.0.metric = ['silence']: {METRICS}"),
    (
        {"mode": "guess"},
        "guards.0.mode = 'guess': Input should be 'evidence', 'threshold', 'group_share' or 'count'",
    ),
    ({"action": "call"}, "guards.0.action = 'call': Input should be 'pause' or 'notify'"),
    (
        {"limit": "0.02", "accept": "0.011"},
        f"guards.0 = {{'limit': '0.02', 'accept': '0.011'}}: {TOO_CLOSE}",
    ),
    (
        {"limit": "0.009"},
        "guards.0 = {'limit': '0.009'}: " + TOO_CLOSE.replace("0.011", "0.005").replace("0.02", "0.009"),
    ),
    ({"limit": "1"}, "guards.0.limit = '1': Input should be less than 1"),
    ({"limit": "-0.1"}, "guards.0.limit = '-0.1': Input should be greater than or equal to 0"),
    ({"accept": 0}, "guards.0.accept = 0: Input should be greater than 0"),
    ({"accept": 1}, "guards.0.accept = 1: Input should be less than 1"),
    ({"bar": 1}, "guards.0.bar = 1: Input should be greater than or equal to 2"),
    ({"bar": 1_000_001}, "guards.0.bar = 1000001: Input should be less than or equal to 1000000"),
    ({"health_bar": 1}, "guards.0.health_bar = 1: Input should be greater than or equal to 2"),
    ({"min_sample": -1}, "guards.0.min_sample = -1: Input should be greater than or equal to 0"),
    ({"max_count": -1}, "guards.0.max_count = -1: Input should be greater than or equal to 0"),
    ({"name": ""}, "guards.0.name = '': String should have at least 1 character"),
    ({"name": "x" * 51}, f"guards.0.name = '{'x' * 51}': String should have at most 50 characters"),
    ("strict", "guards.0 = 'strict': Input should be a valid dictionary or instance of Guard"),
]


def read(guard: Any) -> Guard:
    """The guard as it passes the door."""
    [found] = parse(GOOD | {"guards": [guard]}, NOW).guards_of(1)
    return found


def rows(guards: tuple[Guard, ...]) -> list[tuple[str, str, str, str]]:
    return [(guard.metric.value, guard.mode.value, str(guard.limit), str(guard.accept)) for guard in guards]


@pytest.mark.parametrize(("metric", "limit", "accept"), RATES)
def test_a_guard_that_names_its_metric_alone_has_its_rates_and_its_word_for_a_name(
    metric: str, limit: str, accept: str
) -> None:
    guard = read({"metric": metric})
    assert guard.model_dump(mode="json") == {
        "name": metric,
        "metric": metric,
        "mode": "evidence",
        "limit": limit,
        "accept": accept,
        "bar": 100,
        "health_bar": 20,
        "min_sample": 0,
        "max_count": 0,
        "action": "pause",
    }


def test_every_metric_has_rates_that_can_be_told_apart() -> None:
    assert [metric for metric, _, _ in RATES] == [metric.value for metric in Metric]
    for guard in (read({"metric": metric}) for metric in Metric):
        assert 0 < guard.accept * 2 <= guard.limit


def test_a_guard_that_names_nothing_watches_the_success_of_the_installation() -> None:
    assert read({}) == read({"metric": "installation_success_rate"})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", "of my own"), ("metric", Metric.SILENCE), ("mode", Rule.COUNT), ("limit", Decimal("0.4")),
        ("accept", Decimal("0.001")), ("bar", 7), ("health_bar", 9), ("min_sample", 3), ("max_count", 5),
        ("action", Action.NOTIFY),
    ],
)  # fmt: skip
def test_what_a_guard_gives_wins_over_the_default(key: str, value: object) -> None:
    assert getattr(read({key: value}), key) == value


@pytest.mark.parametrize(("guard", "problem"), BAD, ids=lambda value: str(value)[:50])
def test_a_guard_that_cannot_work_is_refused_with_its_one_problem(guard: Any, problem: str) -> None:
    with pytest.raises(Refused) as refused:
        parse(GOOD | {"guards": [guard]}, NOW)
    assert [str(each) for each in refused.value.problems] == [problem]


def test_a_mistyped_key_of_a_guard_is_answered_with_the_right_one() -> None:
    message = "guards.0.acept = '0.1': unknown key; did you mean 'accept'?"
    with pytest.raises(Refused, match=re.escape(message)):
        read({"acept": "0.1"})


def test_half_of_the_limit_may_be_accepted_and_the_plain_rules_accept_nothing() -> None:
    assert read({"limit": "0.02", "accept": "0.01"}).accept == Decimal("0.01")
    for mode in ("threshold", "group_share", "count"):
        assert read({"limit": "0", "mode": mode}).limit == 0


def test_the_standard_guards_are_these() -> None:
    assert rows(STANDARD_GUARDS) == STANDARD
    assert [guard.name for guard in STANDARD_GUARDS] == [metric for metric, *_ in STANDARD]
    assert {guard.action for guard in STANDARD_GUARDS} == {Action.PAUSE}
    assert {(guard.bar, guard.health_bar) for guard in STANDARD_GUARDS} == {(100, 20)}
    [critical] = [guard for guard in STANDARD_GUARDS if guard.mode is Rule.COUNT]
    assert critical.max_count == 0


def test_pilots_bear_more_failures_and_not_more_harm() -> None:
    assert rows(PILOT_GUARDS) == PILOT
    assert [guard.name for guard in PILOT_GUARDS] == [guard.name for guard in STANDARD_GUARDS]


@pytest.mark.parametrize("guard", dict.fromkeys((*STANDARD_GUARDS, *PILOT_GUARDS, PLAIN_GUARD)), ids=str)
def test_a_ready_guard_could_have_been_given(guard: Guard) -> None:
    assert Guard.model_validate_json(guard.model_dump_json()) == guard


def test_the_plain_guard_is_failures_over_attempts_and_nothing_else() -> None:
    assert (PLAIN_GUARD.metric, PLAIN_GUARD.mode) == (Metric.FAILURE, Rule.THRESHOLD)
    assert (PLAIN_GUARD.limit, PLAIN_GUARD.min_sample) == (Decimal("0.02"), 0)
    assert read({"metric": "failure_rate", "mode": "threshold"}) == PLAIN_GUARD


@pytest.mark.parametrize(
    ("kind", "guards"), [("general", STANDARD_GUARDS), ("recall", STANDARD_GUARDS), ("beta", PILOT_GUARDS)]
)
def test_a_definition_without_guards_has_the_standard_ones_of_its_type(
    kind: str, guards: tuple[Guard, ...]
) -> None:
    definition = parse(GOOD | {"type": kind, "phases": [{"rollout_count": 1}, {"rollout_count": 2}]}, NOW)
    assert definition.guards_of(1) == definition.guards_of(2) == guards


@pytest.mark.parametrize("kind", ["general", "recall", "beta"])
def test_a_definition_with_guards_has_exactly_these(kind: str) -> None:
    given = [{"metric": "rollback_rate"}, {"metric": "silence", "limit": "0.2"}]
    found = parse(GOOD | {"type": kind, "guards": given}, NOW).guards_of(1)
    assert found == tuple(Guard.model_validate(guard) for guard in given)


@pytest.mark.parametrize("campaign", [None, [{"limit": "0.1"}]])
def test_the_guards_of_a_phase_win_over_those_of_the_campaign(campaign: list[Any] | None) -> None:
    phases = [{"rollout_count": 1, "guards": [{"name": "mine"}]}, {"rollout_count": 2}]
    definition = parse(GOOD | {"guards": campaign, "phases": phases}, NOW)
    assert [guard.name for guard in definition.guards_of(1)] == ["mine"]
    assert definition.guards_of(2) == (STANDARD_GUARDS if campaign is None else (read(campaign[0]),))


def test_new_limits_are_given_by_name_and_the_other_guards_stay() -> None:
    changed = with_limits(STANDARD_GUARDS, {"silence": Decimal("0.2")})
    assert len(changed) == len(STANDARD_GUARDS)
    for old, new in zip(STANDARD_GUARDS, changed, strict=True):
        limit = Decimal("0.2") if old.name == "silence" else old.limit
        assert new == old.model_copy(update={"limit": limit})
    assert with_limits(STANDARD_GUARDS, {}) == STANDARD_GUARDS


@pytest.mark.parametrize(
    ("limits", "problem"),
    [
        ({"rollback": "0.1"}, "guards = 'rollback': no guard of this name; did you mean 'rollback_rate'?"),
        ({"silence": "0.1", "mood": "0.1"}, "guards = 'mood': no guard of this name; known: critical"),
        ({"rollback_rate": "0.001"}, "accept 0.001 must be at most half of limit 0.001"),
        ({"rollback_rate": "2"}, "Input should be less than 1"),
    ],
)
def test_a_new_limit_that_does_not_fit_is_refused(limits: dict[str, str], problem: str) -> None:
    with pytest.raises(Refused, match=f"^command refused: .*{re.escape(problem)}"):
        with_limits(STANDARD_GUARDS, {name: Decimal(limit) for name, limit in limits.items()})

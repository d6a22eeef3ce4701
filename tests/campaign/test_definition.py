"""What a definition means once it has passed the door."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign.criteria import Criterion
from campaign.definition import Definition, Interaction, Priority
from campaign.guards import STANDARD_GUARDS
from campaign.phase import LONGEST, Limits
from campaign.promotion import Promotion

GOOD: dict[str, Any] = {"name": "Winter", "package": "Pkg", "phases": [{"rollout_percent": 100}]}
ARTIFACT = {"filename": "a.swu", "size_bytes": 1, "sha256": "a" * 64}
PACKAGE = {"name": "P", "modules": [{"ecu": "R", "hw_ids": ["E"], "version": "1", "artifact": ARTIFACT}]}


def define(**changes: Any) -> Definition:
    return Definition.model_validate(GOOD | changes)


WORDS = st.text("abcXYZ_ 0-9é", min_size=1, max_size=12).filter(lambda text: bool(text.strip()))
SPANS = st.timedeltas(timedelta(seconds=1), LONGEST)
CRITERIA = st.recursive(
    st.one_of(
        WORDS,
        st.fixed_dictionaries({"country": st.sampled_from(["DE", "France"])}),
        st.just({"build_date": {"since": "2023-01-01"}}),
        st.just({"ecu": {"name": "R", "hw_id": "E", "sw_version": ">=1,<2"}}),
    ),
    lambda inner: st.one_of(
        st.fixed_dictionaries({"any": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"all": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"not": inner}),
    ),
    max_leaves=5,
)
GUARDS = st.one_of(
    st.builds(lambda limit: [{"limit": limit}], st.decimals("0.01", "0.999", places=4)),
    st.builds(lambda limit: [{"limit": limit, "mode": "threshold"}], st.decimals(0, "0.999", places=4)),
    st.just([{"metric": "critical", "mode": "count", "max_count": 2}, {"metric": "silence", "bar": 1000}]),
)
LIMITS = st.fixed_dictionaries(
    {"in_flight": st.integers(1, 10_000)},
    optional={
        "in_flight_floor": st.integers(1, 100),
        "harm_budget": st.none() | st.integers(1, 1_000),
        "per_minute": st.integers(1, 100),
        "offer_timeout": SPANS,
        "silent_after": st.timedeltas(timedelta(hours=1), LONGEST),
        "overdue_after": st.timedeltas(timedelta(seconds=1), timedelta(hours=1)),
    },
)
PROMOTION = st.fixed_dictionaries(
    {},
    optional={
        "requires": st.sampled_from(["none", "below_limit"]),
        "on_inconclusive": st.sampled_from(["approve", "advance"]),
    },
)
RINGS = st.fixed_dictionaries(
    {"rollout_count": st.integers(1, 10_000)},
    optional={
        "criteria": CRITERIA,
        "wait_time": SPANS,
        "order": st.sampled_from(["random", "volunteers_first"]),
        "quorum_percent": st.decimals("0.1", 100, places=1),
        "deadline": SPANS,
        "limits": LIMITS,
        "guards": GUARDS,
        "promotion": PROMOTION,
    },
)
DEFINITIONS = st.fixed_dictionaries(
    {
        "name": WORDS,
        "package": st.sampled_from(["Pkg", PACKAGE]),
        "phases": st.lists(RINGS, min_size=1, max_size=4),
    },
    optional={
        "type": st.sampled_from(["general", "recall", "beta"]),
        "priority": st.sampled_from(["LOW", "NORMAL", "CRITICAL"]),
        "interaction": st.sampled_from(["silent", "banner", "forced", "confirm"]),
        "install_window": st.sampled_from(
            [{"from": "22:00", "to": "06:00"}, {"from": "00:00", "to": "24:00", "days": ["sat", "sun"]}]
        ),
        "message_version": st.sampled_from(["1", "2.1"]),
        "criteria": CRITERIA,
        "exclude": CRITERIA,
        "start_date": st.integers(0, 4 * 10**9).map(lambda second: datetime.fromtimestamp(second, UTC)),
        "time_zone": st.sampled_from(["Europe/Berlin", "Asia/Kolkata"]),
        "seed": st.integers(0, 2**31 - 1),
        "limits": LIMITS,
        "guards": GUARDS,
        "promotion": PROMOTION,
    },
).map(Definition.model_validate)


@given(DEFINITIONS)
def test_a_definition_survives_json_and_keeps_its_digest(definition: Definition) -> None:
    again = Definition.model_validate_json(definition.model_dump_json(by_alias=True))
    assert again == definition
    assert again.digest == definition.digest
    document = definition.model_dump(mode="json", by_alias=True)
    assert Definition.model_validate(document) == definition


@pytest.mark.parametrize(
    ("zone", "local", "utc"),
    [
        ("Europe/Berlin", "2026-12-01T02:00", "2026-12-01T01:00"),
        ("Europe/Berlin", "2026-07-01T02:00", "2026-07-01T00:00"),
        ("Europe/Berlin", "2026-03-29T01:59", "2026-03-29T00:59"),
        ("Europe/Berlin", "2026-03-29T02:30", "2026-03-29T01:30"),  # this hour does not exist
        ("Europe/Berlin", "2026-03-29T03:00", "2026-03-29T01:00"),
        ("Europe/Berlin", "2026-10-25T02:30", "2026-10-25T00:30"),  # twice: the earlier one
        ("Europe/Berlin", "2026-10-25T03:00", "2026-10-25T02:00"),
        ("America/New_York", "2026-12-01T02:00", "2026-12-01T07:00"),
        ("Asia/Kolkata", "2026-12-01T02:00", "2026-11-30T20:30"),
    ],
)
def test_a_local_start_is_read_in_its_zone_across_summer_time(zone: str, local: str, utc: str) -> None:
    start = define(start_date=local, time_zone=zone).start
    assert start == datetime.fromisoformat(utc).replace(tzinfo=UTC)
    assert start is not None
    assert start.tzinfo is UTC


def test_an_offset_says_more_than_the_time_zone() -> None:
    definition = define(start_date="2026-12-01T02:00+05:00", time_zone="Europe/Berlin")
    assert definition.start == datetime(2026, 11, 30, 21, tzinfo=UTC)


def test_without_a_start_date_there_is_no_start_to_wait_for() -> None:
    assert define().start is None


def test_the_digest_depends_on_every_value_and_not_on_the_order_of_keys() -> None:
    assert define().digest == Definition.model_validate(dict(reversed(GOOD.items()))).digest
    changes: list[dict[str, Any]] = [
        {"name": "Summer"}, {"package": "Pkg2"}, {"priority": "CRITICAL"}, {"seed": 1},
        {"phases": [{"rollout_percent": 99}]}, {"exclude": "Model_Y"}, {"guards": [{"limit": "0.03"}]},
        {"promotion": {"requires": "none"}}, {"limits": {"harm_budget": 26}},
    ]  # fmt: skip
    digests = {define(**change).digest for change in changes}
    assert len(digests | {define().digest}) == len(changes) + 1


def test_what_is_not_given_has_the_documented_default() -> None:
    definition = define()
    assert (definition.type, definition.priority) == ("general", Priority.NORMAL)
    assert (definition.interaction, definition.limits) == (Interaction.SILENT, Limits())
    assert definition.guards is None
    assert definition.guards_of(1) == STANDARD_GUARDS
    assert definition.promotion_of(1) == Promotion()
    assert (Limits().in_flight, Limits().in_flight_floor, Limits().harm_budget) == (10_000, 30, 25)
    assert Limits().per_minute is None
    assert (Limits().offer_timeout, Limits().silent_after) == (timedelta(minutes=30), timedelta(hours=24))
    assert Limits().overdue == timedelta(hours=3)
    [phase] = definition.phases
    assert (phase.name, phase.wait, phase.quorum_percent) == ("phase 1", timedelta(0), Decimal(100))


def test_a_phase_without_limits_or_guards_has_those_of_the_campaign() -> None:
    own = {"rollout_count": 1, "limits": {"in_flight": 7}, "guards": [{"limit": "0.5"}]}
    definition = define(
        limits={"in_flight": 3}, guards=[{"limit": "0.1"}], phases=[own, {"rollout_percent": 100}]
    )
    assert [definition.limits_of(n).in_flight for n in (1, 2)] == [7, 3]
    assert [definition.guards_of(n)[0].limit for n in (1, 2)] == [Decimal("0.5"), Decimal("0.1")]


def test_a_phase_without_a_promotion_has_that_of_the_campaign() -> None:
    own = {"rollout_count": 1, "promotion": {"requires": "none"}}
    definition = define(promotion={"on_inconclusive": "advance"}, phases=[own, {"rollout_percent": 100}])
    assert [definition.promotion_of(n).requires for n in (1, 2)] == ["none", "below_limit"]
    assert [definition.promotion_of(n).on_inconclusive for n in (1, 2)] == ["approve", "advance"]


@pytest.mark.parametrize(
    ("limits", "overdue"),
    [
        ({}, timedelta(hours=3)),
        ({"silent_after": "PT80S"}, timedelta(seconds=10)),
        ({"overdue_after": "PT1H"}, timedelta(hours=1)),
        ({"overdue_after": "PT24H"}, timedelta(hours=24)),
    ],
)
def test_a_vehicle_is_overdue_after_an_eighth_of_the_silence_where_nothing_is_said(
    limits: dict[str, Any], overdue: timedelta
) -> None:
    assert define(limits=limits).limits_of(1).overdue == overdue


def test_an_advance_within_the_budget_is_fine_where_there_is_one() -> None:
    within = {"on_inconclusive": "advance_within_budget"}
    unbraked = {"rollout_percent": 100, "promotion": {"on_inconclusive": "advance"}}
    phases = [{"rollout_percent": 5, "limits": {"harm_budget": 9}}, unbraked]
    definition = define(promotion=within, limits={"harm_budget": None}, phases=phases)
    assert [definition.promotion_of(n).on_inconclusive for n in (1, 2)] == [
        "advance_within_budget",
        "advance",
    ]


def test_the_seed_comes_from_the_name_where_none_is_given() -> None:
    assert define(seed=5).order_seed == 5
    assert define(seed=0).order_seed == 0
    assert define().order_seed == define(package="Other").order_seed
    assert define().order_seed != define(name="Summer").order_seed
    assert 0 <= define().order_seed < 2**31


@given(WORDS)
def test_a_derived_seed_is_one_that_could_be_given(name: str) -> None:
    seed = define(name=name).order_seed
    assert define(seed=seed).order_seed == seed


@pytest.mark.parametrize(
    ("keys", "wait"),
    [
        ({}, timedelta(0)),
        ({"wait_time_hours": 24}, timedelta(days=1)),
        ({"wait_time_hours": "0.5"}, timedelta(minutes=30)),
        ({"wait_time_hours": 0}, timedelta(0)),
        ({"wait_time": "PT5S"}, timedelta(seconds=5)),
        ({"wait_time": "P2D"}, timedelta(days=2)),
        ({"wait_time_hours": LONGEST // timedelta(hours=1)}, LONGEST),
    ],
)
def test_a_bake_is_given_in_hours_or_as_a_duration(keys: dict[str, Any], wait: timedelta) -> None:
    assert define(phases=[{"rollout_percent": 100} | keys]).phases[0].wait == wait


def test_priorities_are_ranked() -> None:
    assert [Priority(word).rank for word in ("LOW", "NORMAL", "CRITICAL")] == [0, 1, 2]


def test_the_package_may_stand_inside() -> None:
    assert define(package="Pkg").package_name == "Pkg"
    assert define(package=PACKAGE).package_name == "P"


def test_every_criterion_is_named_by_the_field_that_holds_it() -> None:
    phases = [{"rollout_count": 1}, {"rollout_percent": 100, "criteria": "Model_3"}]
    definition = define(criteria="Model_Y", exclude={"country": "DE"}, phases=phases)
    assert definition.all_criteria() == {
        "criteria": Criterion(model=("Model_Y",)),
        "exclude": Criterion(country=("DE",)),
        "phases.0.criteria": None,
        "phases.1.criteria": Criterion(model=("Model_3",)),
    }

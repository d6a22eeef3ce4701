"""The four standard rings."""

from datetime import UTC, datetime, timedelta

import pytest

from campaign.assignment import FAILURES, Tally, Target
from campaign.builder import Campaign
from campaign.definition import parse
from campaign.guards import STANDARD_GUARDS
from campaign.judgement import Evidence, breach, judge
from campaign.phase import Order
from campaign.problems import Refused
from campaign.rings import standard_rings

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)

DAY = timedelta(days=1)


def test_the_rings_are_test_fleet_canary_regional_and_global() -> None:
    fleet, canary, regional, everybody = standard_rings("Germany")
    assert [ring.name for ring in (fleet, canary, regional, everybody)] == [
        "test fleet", "canary", "regional", "global",
    ]  # fmt: skip
    assert [fleet.rollout_count, canary.rollout_count, regional.rollout_count] == [30, 1_000, 10_000]
    assert everybody.rollout_percent == 100
    assert [fleet.wait, canary.wait, regional.wait, everybody.wait] == [DAY, DAY, 2 * DAY, timedelta(0)]
    assert fleet.criteria is not None
    assert fleet.criteria.groups == ("internal",)
    assert canary.criteria is not None
    assert canary.criteria.not_ == fleet.criteria
    assert regional.criteria is not None
    assert regional.criteria.country == ("DE",)
    assert everybody.criteria is None


@pytest.mark.parametrize("state", sorted(FAILURES))
def test_any_failure_pauses_the_test_fleet(state: Target) -> None:
    guards = standard_rings("DE")[0].guards
    assert guards is not None
    assert guards[:-1] == STANDARD_GUARDS
    tally = Tally(by_state={Target.SUCCEEDED: 9, state: 1, Target.INSTALLING: 20})
    for watched, paused in ((guards, True), (STANDARD_GUARDS, state is Target.CRITICAL)):
        found = breach(watched, judge(watched, Evidence(size=30, tally=tally)))
        assert (found is not None) is paused


def test_a_test_fleet_without_a_failure_is_not_paused() -> None:
    guards = standard_rings("DE")[0].guards
    assert guards is not None
    good = Evidence(size=30, tally=Tally(by_state={Target.SUCCEEDED: 30}))
    assert breach(guards, judge(guards, good)) is None


def test_the_rings_after_the_test_fleet_have_the_guards_of_the_campaign() -> None:
    assert [ring.guards for ring in standard_rings("DE")[1:]] == [None, None, None]


@pytest.mark.parametrize(("asked", "order"), [(False, Order.RANDOM), (True, Order.VOLUNTEERS_FIRST)])
def test_the_canary_is_random_or_prefers_volunteers(asked: bool, order: Order) -> None:
    orders = [ring.order for ring in standard_rings("DE", volunteers_first=asked)]
    assert orders == [Order.RANDOM, order, Order.RANDOM, Order.RANDOM]


@pytest.mark.parametrize("size", [10, 50])
def test_the_test_fleet_has_ten_to_fifty_vehicles(size: int) -> None:
    assert standard_rings("DE", test_fleet=size)[0].rollout_count == size


@pytest.mark.parametrize("size", [0, 9, 51])
def test_another_test_fleet_is_refused(size: int) -> None:
    with pytest.raises(Refused, match=rf"rings\.test_fleet = {size}: "):
        standard_rings("DE", test_fleet=size)


def test_an_unknown_country_is_refused() -> None:
    with pytest.raises(Refused, match="unknown country 'Germny'"):
        standard_rings("Germny")


def test_rings_pass_the_door_in_a_built_campaign() -> None:
    campaign = Campaign("Winter", package="Pkg")
    campaign.add_rings(standard_rings("DE", volunteers_first=True))
    definition = parse(campaign.document(), datetime(2026, 6, 1, tzinfo=UTC))
    assert definition.phases == standard_rings("DE", volunteers_first=True)


def test_a_definition_may_name_the_preset_instead_of_phases() -> None:
    given = {"name": "Rings", "package": "P", "rings": {"country": "Germany", "volunteers_first": True}}
    assert parse(given, NOW).phases == standard_rings("DE", volunteers_first=True)


@pytest.mark.parametrize(
    ("rings", "says"),
    [
        ({"country": "DE", "test_fleet": 5}, r"rings\.test_fleet = 5: "),
        ({"country": "Xx"}, r"rings\.country = 'Xx': unknown country"),
        ({}, r"rings\.country: is required and missing"),
        (
            {"country": "DE", "volunteer_first": True},
            r"rings\.volunteer_first = True: unknown key",
        ),
    ],
)
def test_a_wrong_preset_is_refused_naming_its_key(rings: dict[str, object], says: str) -> None:
    with pytest.raises(Refused, match=says):
        parse({"name": "Rings", "package": "P", "rings": rings}, NOW)


def test_phases_and_preset_exclude_each_other() -> None:
    with pytest.raises(Refused, match="give phases or rings, not both"):
        parse({"name": "Rings", "package": "P", "rings": {"country": "DE"}, "phases": []}, NOW)

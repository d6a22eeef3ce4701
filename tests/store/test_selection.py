"""Who is selected, for which phase, in which order; and that a preview and an explanation say the same."""

from typing import Any

import pytest
from sqlalchemy import text

from campaign.definition import Definition
from campaign.order import lot, rank
from campaign.problems import Refused
from store.explain import explain_vehicle
from store.forecast import count_targets, forecast
from store.selection import chosen
from tests.store.fleet import PACKAGE, Fleet, car, cars, define, vin


def ordered(vins: list[str], seed: int = 7) -> list[str]:
    return sorted(vins, key=lambda it: rank(lot(it), seed))


def phases(*sizes: Any, **keys: Any) -> list[dict[str, Any]]:
    """Integers are counts, texts percents."""
    return [({"rollout_count": s} if isinstance(s, int) else {"rollout_percent": s}) | keys for s in sizes]


def members(fleet: Fleet, campaign: int) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for name, phase in fleet.targets(campaign).items():
        found.setdefault(phase, set()).add(name)
    return found


def test_percent_phases_are_cumulative(fleet: Fleet) -> None:
    fleet.add(cars(2000))
    campaign = fleet.launch(phases=phases("5", "100"))
    by_phase = members(fleet, campaign)
    assert {phase: len(vins) for phase, vins in by_phase.items()} == {1: 100, 2: 1900}
    in_order = ordered([vin(number) for number in range(2000)])
    assert by_phase == {1: set(in_order[:100]), 2: set(in_order[100:])}
    sizes = fleet.rows("SELECT number, size FROM phase ORDER BY number")
    assert sizes == [(1, 100), (2, 1900)]
    fleet.assert_tally()


@pytest.mark.parametrize(
    ("population", "percent", "taken"),
    [
        (1, "0.1", 1), (10, "1", 1), (100, "1", 1), (101, "1", 2), (150, "33.3", 50), (150, "33.4", 51),
        (3, "100", 3),
    ],
)  # fmt: skip
def test_a_percentage_is_rounded_up_to_whole_vehicles(
    population: int, percent: str, taken: int, fleet: Fleet
) -> None:
    fleet.add(cars(population))
    assert fleet.register(define(phases=phases(percent))) == {1: taken}


def test_a_count_phase_takes_exactly_so_many_who_are_in_no_earlier_phase(fleet: Fleet) -> None:
    fleet.add(cars(100))
    by_phase = members(fleet, fleet.launch(phases=phases(10, 25, "100")))
    in_order = ordered([vin(number) for number in range(100)])
    assert by_phase == {1: set(in_order[:10]), 2: set(in_order[10:35]), 3: set(in_order[35:])}


def test_a_percent_phase_counts_those_an_earlier_phase_has_taken(fleet: Fleet) -> None:
    fleet.add(cars(100))
    assert fleet.register(define(phases=phases(10, "25", "100"))) == {1: 10, 2: 15, 3: 75}


def test_a_count_larger_than_the_fleet_takes_what_is_there(fleet: Fleet) -> None:
    fleet.add(cars(5))
    assert fleet.register(define(phases=phases(10))) == {1: 5}


def test_volunteers_come_first_where_the_phase_says_so(fleet: Fleet) -> None:
    fleet.add(cars(20) + cars(5, 20, groups=["volunteers"]))
    volunteers = {vin(number) for number in range(20, 25)}
    rest = ordered([vin(number) for number in range(20)])
    by_phase = members(fleet, fleet.launch(phases=phases(8, order="volunteers_first")))
    assert by_phase[1] == volunteers | set(rest[:3])
    other = members(fleet, fleet.launch(name="Other", phases=phases(8)))
    assert other[1] == set(ordered([vin(number) for number in range(25)])[:8])


def test_each_phase_has_its_own_population(fleet: Fleet) -> None:
    fleet.add(cars(40, country="DE") + cars(60, 40, country="FR") + cars(10, 100))
    rings = [
        {"criteria": {"country": "DE"}, "rollout_percent": 50},
        {"criteria": {"country": "FR"}, "rollout_percent": 10},
        {"rollout_percent": 100},
    ]
    by_phase = members(fleet, fleet.launch(phases=rings))
    assert {phase: len(vins) for phase, vins in by_phase.items()} == {1: 20, 2: 6, 3: 84}
    assert by_phase[1] <= {vin(number) for number in range(40)}
    assert by_phase[2] <= {vin(number) for number in range(40, 100)}


#: What is added to twenty vehicles that are selected, and why none of it ever is.
LEFT_OUT: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "wrong hardware": ({}, {"hw_id": "EVO16"}),
    "wrong hardware whatever the criteria say": (
        {"criteria": {"ecu": {"name": "Radar", "hw_id": ["EVO14", "EVO16"]}}},
        {"hw_id": "EVO16"},
    ),
    "no such ECU": ({}, {"ecus": [{"name": "Camera", "hw_id": "EVO14", "sw_version": "1.3.0"}]}),
    "already updated": ({}, {"sw_version": "1.4.0"}),
    "already updated, in other words": ({}, {"sw_version": "1.4"}),
    "newer as a version, older as a text": ({}, {"sw_version": "1.10.0"}),
    "version without a place in the order": ({}, {"sw_version": "MU-0923"}),
    "criteria": ({"criteria": "Model_Y"}, {"model": "Model_3"}),
    "exclusion": ({"exclude": {"country": "FR"}}, {"country": "FR"}),
    "criteria on an ECU": (
        {"criteria": {"ecu": {"name": "Radar", "sw_version": ">=1.2"}}},
        {"sw_version": "1.1"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("definition", "facts"), LEFT_OUT.values(), ids=list(LEFT_OUT))
def test_a_vehicle_the_update_is_not_for_is_never_selected(
    definition: dict[str, Any], facts: dict[str, Any], fleet: Fleet
) -> None:
    fleet.add(cars(20) + cars(5, 20, **facts))
    assert set(fleet.targets(fleet.launch(**definition))) == {vin(number) for number in range(20)}


def test_a_release_candidate_is_older_than_its_release(fleet: Fleet) -> None:
    fleet.add([car(0, sw_version="1.4.0rc1"), car(1, sw_version="1.9"), car(2, sw_version="1.3.99")])
    assert set(fleet.targets(fleet.launch())) == {vin(0), vin(2)}


def test_exclusions_reach_only_those_they_name(fleet: Fleet) -> None:
    """Vehicles of which the country is unknown are not in the excluded country."""
    fleet.add([car(0, country="FR"), car(1, country="DE"), car(2)])
    assert set(fleet.targets(fleet.launch(exclude={"country": "FR"}))) == {vin(1), vin(2)}


def test_a_beta_campaign_reaches_only_the_pilot_groups(fleet: Fleet) -> None:
    fleet.add(
        [car(0), car(1, groups=["internal"]), car(2, groups=["taxi"]), car(3, groups=["taxi", "volunteers"])]
    )
    assert set(fleet.targets(fleet.launch(type="beta"))) == {vin(1), vin(3)}
    assert len(fleet.targets(fleet.launch(name="Other", type="general"))) == 4


def test_the_order_is_that_of_the_rules_and_another_for_every_seed(fleet: Fleet) -> None:
    fleet.add(cars(200))
    vins = [vin(number) for number in range(200)]
    first = []
    for seed in (0, 1, 2**31 - 1):
        campaign = fleet.launch(name=f"seed {seed}", seed=seed, phases=phases(20), start=False)
        first.append(members(fleet, campaign)[1])
        assert first[-1] == set(ordered(vins, seed)[:20])
    assert first[0] != first[1] != first[2] != first[0]


def test_the_same_seed_gives_the_same_vehicles_again(fleet: Fleet) -> None:
    fleet.add(cars(200))
    one, other = (fleet.launch(name=name, phases=phases(20), start=False) for name in ("a", "b"))
    assert fleet.targets(one) == fleet.targets(other)


def test_selecting_twice_changes_nothing_also_when_the_fleet_has_grown(fleet: Fleet) -> None:
    fleet.add(cars(50))
    campaign = fleet.launch(phases=phases("10", "100"), start=False)
    before = fleet.everything()
    fleet.add(cars(50, 50))
    assert fleet.select(campaign) == {1: 5, 2: 45}
    assert fleet.everything() | {"ecu": before["ecu"]} == before


def test_a_phase_that_became_empty_freezes_nothing(fleet: Fleet) -> None:
    fleet.add(cars(10, country="DE") + cars(10, 10, country="FR"))
    rings = [{"criteria": {"country": name}, "rollout_percent": 100} for name in ("DE", "FR")]
    assert fleet.register(define(phases=rings)) == {1: 10, 2: 10}
    fleet.change("country = 'DE'")
    campaign = fleet.value("SELECT id FROM campaign")
    with pytest.raises(Refused, match="phase 2: no vehicle is left for this phase; the fleet has"):
        fleet.select(campaign)
    assert fleet.targets(campaign) == {}
    assert fleet.rows("SELECT * FROM configuration") == []
    assert fleet.value("SELECT selected_at FROM campaign") is None
    assert fleet.rows("SELECT size FROM phase ORDER BY number") == [(10,), (10,)]


def test_the_facts_a_selection_was_decided_on_are_frozen(fleet: Fleet) -> None:
    fleet.add([car(0, country="DE"), car(1, country="DE"), car(2, sw_version="1.2.0", region="EU")])
    campaign = fleet.launch(start=False)
    frozen = "SELECT model, country, region, ecus FROM configuration WHERE campaign_id = :c ORDER BY country"
    before = fleet.rows(frozen, c=campaign)
    assert before == [
        ("Model_Y", "DE", None, {"Radar": {"hw_id": "EVO14", "sw_version": "1.3.0"}}),
        ("Model_Y", None, "EU", {"Radar": {"hw_id": "EVO14", "sw_version": "1.2.0"}}),
    ]
    fleet.run("UPDATE ecu SET sw_version = '9.9', hw_id = 'X'")
    fleet.change("country = 'US', model = 'Z'")
    assert fleet.rows(frozen, c=campaign) == before
    shared = "SELECT count(DISTINCT configuration_id) FROM assignment WHERE campaign_id = :c"
    assert fleet.value(shared, c=campaign) == 2
    fleet.assert_tally()


MIXED: list[dict[str, Any]] = [
    {"name": "test", "criteria": {"groups": "internal"}, "rollout_count": 2},
    {"name": "german", "criteria": {"country": "DE"}, "rollout_percent": 40, "order": "volunteers_first"},
    {"name": "all", "rollout_percent": 90},
]


def mixed(fleet: Fleet) -> Definition:
    fleet.add(
        cars(3, groups=["internal"])
        + cars(8, 10, country="DE", sw_version="1.2")
        + cars(3, 20, country="DE", groups=["volunteers"])
        + cars(6, 30, hw_id="EVO15", model="Model_3")
        + cars(2, 40, hw_id="EVO16")
        + cars(2, 50, country="FR")
        + cars(1, 60, sw_version="1.4.0")
    )
    return define(exclude={"country": "FR"}, phases=MIXED)


def test_a_preview_shows_what_the_selection_freezes(fleet: Fleet) -> None:
    definition = mixed(fleet)
    with fleet.engine.connect() as connection:
        counted = count_targets(connection, chosen(connection, definition, PACKAGE))
        preview = forecast(connection, definition, PACKAGE, samples=2)
    campaign = fleet.launch(definition, start=False)
    by_phase = members(fleet, campaign)
    sizes = {phase: len(vins) for phase, vins in by_phase.items()}
    assert counted == dict(preview.phases) == sizes == {1: 2, 2: 5, 3: 11}

    def frozen(value: str) -> dict[tuple[int, str], int]:
        found = fleet.rows(
            f"SELECT a.phase, {value}, count(*) FROM assignment AS a JOIN configuration AS c "
            "ON c.id = a.configuration_id GROUP BY 1, 2"
        )
        return {(phase, word): count for phase, word, count in found}

    assert dict(preview.models) == frozen("model")
    assert dict(preview.countries) == frozen("coalesce(country, 'unknown')")
    assert dict(preview.hardware) == frozen("'Radar ' || (ecus -> 'Radar' ->> 'hw_id')")
    assert dict(preview.software) == frozen("'Radar ' || (ecus -> 'Radar' ->> 'sw_version')")
    assert preview.samples.keys() == by_phase.keys()
    for phase, samples in preview.samples.items():
        assert 1 <= len(samples) <= 2
        assert set(samples) <= by_phase[phase]


def test_an_explanation_agrees_with_the_selection_for_every_vehicle(fleet: Fleet) -> None:
    definition = mixed(fleet)
    with fleet.engine.connect() as connection:
        vins = list(connection.scalars(text("SELECT vin FROM vehicle")))
        explained = {it: explain_vehicle(connection, definition, PACKAGE, it) for it in vins}
    targets = fleet.targets(fleet.launch(definition, start=False))
    assert {it: found.phase for it, found in explained.items() if found.phase} == targets
    names = {1: "test", 2: "german", 3: "all", None: None}
    for found in explained.values():
        assert found.phase_name == names[found.phase]
        assert found.reasons


def test_an_explanation_names_the_reason(fleet: Fleet) -> None:
    definition = mixed(fleet)
    with fleet.engine.connect() as connection:

        def reasons(number: int) -> list[str]:
            return explain_vehicle(connection, definition, PACKAGE, vin(number)).reasons

        assert reasons(40) == ["package: Radar hardware is EVO16, the package fits EVO14, EVO15"]
        assert reasons(50) == ["exclude: it matches what the campaign leaves out"]
        assert reasons(60) == ["package: Radar software is 1.4.0, the package replaces <1.4.0"]
        assert reasons(20)[0] == "Radar EVO14 goes from 1.3.0 to 1.4.0"
        assert reasons(20)[1] == "not in phase 1 (test): groups are volunteers, wanted internal"
        beta = define(type="beta", criteria="Model_S", phases=MIXED)
        assert explain_vehicle(connection, beta, PACKAGE, vin(10)).reasons == [
            "criteria: model is Model_Y, wanted Model_S",
            "type: beta reaches only the groups internal and volunteers",
        ]
        with pytest.raises(Refused, match=f"vin = '{vin(99)}': the fleet has no such vehicle"):
            reasons(99)


def test_a_vehicle_that_only_came_too_late_in_the_order_is_told_so(fleet: Fleet) -> None:
    fleet.add(cars(10))
    definition = define(phases=phases(9))
    last = ordered([vin(number) for number in range(10)])[-1]
    with fleet.engine.connect() as connection:
        found = explain_vehicle(connection, definition, PACKAGE, last)
    assert found.phase is None
    assert found.reasons == [
        "not in phase 1 (phase 1): it takes 9 in the seeded order, and this one comes later"
    ]

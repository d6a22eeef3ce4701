"""The generator of fleets and VINs."""

from collections import Counter
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import Record, as_built
from simulator.vin import CAPACITY, check_digit, vin

seeds = st.integers(-(2**63), 2**63)


@pytest.mark.parametrize("known", ["1M8GDM9AXKP042788", "11111111111111111", "1HGCM82633A004352"])
def test_the_check_digit_agrees_with_published_vins(known: str) -> None:
    assert check_digit(known) == known[8]


@given(st.integers(0, CAPACITY - 1), st.integers(2010, 2030), st.sampled_from(["5YJ", "XP7", "LRW"]))
def test_every_vin_has_17_allowed_characters_and_a_valid_check_digit(
    index: int, year: int, maker: str
) -> None:
    made = vin(index, maker=maker, descriptor="YGDEE", year=year)
    assert len(made) == 17
    assert not set(made) & set("IOQ")
    assert check_digit(made) == made[8]


@pytest.mark.parametrize(
    ("year", "code"), [(2010, "A"), (2017, "H"), (2018, "J"), (2023, "P"), (2026, "T"), (2030, "Y")]
)
def test_the_tenth_character_is_the_model_year(year: int, code: str) -> None:
    assert vin(0, maker="5YJ", descriptor="YGDEE", year=year)[9] == code


@given(st.lists(st.integers(0, CAPACITY - 1), unique=True, max_size=50))
def test_two_vehicles_never_share_a_vin(indices: list[int]) -> None:
    vins = {vin(index, maker="5YJ", descriptor="YGDEE", year=2024) for index in indices}
    assert len(vins) == len(indices)


def test_more_vehicles_than_there_are_vins_are_refused() -> None:
    with pytest.raises(ValueError, match=str(CAPACITY)):
        vin(CAPACITY, maker="5YJ", descriptor="YGDEE", year=2024)


@given(seeds, st.integers(0, 60), st.integers(0, 60))
def test_the_same_seed_makes_the_same_fleet_and_a_larger_one_begins_with_it(
    seed: int, size: int, more: int
) -> None:
    assert list(as_built(size + more, seed))[:size] == list(as_built(size, seed))


@given(seeds, st.integers(0, 60), st.integers(0, 60))
def test_a_fleet_may_begin_at_any_vehicle_of_a_larger_one(seed: int, first: int, size: int) -> None:
    assert list(as_built(size, seed, first=first)) == list(as_built(first + size, seed))[first:]


def test_another_seed_makes_another_fleet() -> None:
    assert list(as_built(20, 1)) != list(as_built(20, 2))


@given(seeds)
def test_every_vehicle_of_a_default_fleet_is_a_possible_target(seed: int) -> None:
    for record in as_built(40, seed):
        radar, gateway = Record.model_validate(record).ecus
        assert record["model"] == "Model_Y"
        assert radar.name == "Radar"
        assert radar.hw_id in {"BOSCH-MRR-EVO14", "BOSCH-MRR-EVO15"}
        assert radar.sw_version in {"1.3.0", "1.3.2"}
        assert (gateway.name, gateway.hw_id, gateway.sw_version) == ("Gateway", "CONTI-GW-002", "2.1.0")
        assert check_digit(record["vin"]) == record["vin"][8]


@given(seeds)
def test_shares_are_exact_in_round_fleets(seed: int) -> None:
    fleet = list(as_built(200, seed))
    groups = Counter(group for record in fleet for group in record["groups"])
    assert groups == {"internal": 4, "volunteers": 10}
    assert sum(record["ecus"][0]["hw_id"] == "BOSCH-MRR-EVO15" for record in fleet) == 20


def test_country_region_and_time_zone_belong_together() -> None:
    places = {(r["country"], r["region"], r["timezone"]) for r in as_built(2000, 7)}
    assert {("DE", "EU", "Europe/Berlin"), ("US", "NA", "America/New_York")} <= places
    assert ("CN", "APAC", "Asia/Shanghai") in places
    assert len({(country, region) for country, region, _ in places}) == len({c for c, _, _ in places})
    for _, _, timezone in places:
        assert ZoneInfo(timezone).key == timezone


def test_other_models_come_only_when_asked_for_and_carry_another_radar() -> None:
    fleet = list(as_built(1000, 7, {"Model_Y": 0.8, "Model_3": 0.2}))
    others = [record for record in fleet if record["model"] == "Model_3"]
    assert 150 < len(others) < 250
    assert {record["ecus"][0]["hw_id"] for record in others} == {"CONTI-ARS-540"}


@pytest.mark.parametrize("models", [{}, {"Model_Y": 0.5}, {"Model_Y": 1.2, "Model_3": -0.2}])
def test_shares_that_do_not_sum_to_one_are_refused(models: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="sum to 1"):
        as_built(1, 7, models)

"""Who a criterion matches, and why not."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from campaign.criteria import Criteria, Criterion, ecu_names, matches, misses, vin_lists
from campaign.vehicle import Vehicle

VIN = "WVWZZZ1JZ3W000001"
RADAR = {"name": "Radar", "hw_id": "EVO14", "sw_version": "1.3.0"}
GATEWAY = {"name": "Gateway", "hw_id": "GW2", "sw_version": "MU-0923-b"}
KNOWN: dict[str, Any] = {
    "vin": VIN, "model": "Model_Y", "build_date": "2023-05-20", "country": "DE", "region": "EU",
    "groups": ["volunteers", "taxi"], "vin_lists": ["recall-7"], "ecus": [RADAR, GATEWAY],
}  # fmt: skip
BARE: dict[str, Any] = {"vin": VIN, "model": "Model_Y", "ecus": [RADAR]}


def read(raw: Any) -> Criterion:
    found: Criterion = TypeAdapter(Criteria).validate_python(raw)
    return found


def vehicle(**changes: Any) -> Vehicle:
    return Vehicle.model_validate(KNOWN | changes)


MATCHING: list[Any] = [
    "Model_Y",
    {"model": "Model_Y"},
    {"model": ["Model_3", "Model_Y"]},
    {"country": "Germany"},
    {"country": ["FR", "deu"]},
    {"region": "EU"},
    {"groups": ["internal", "taxi"]},
    {"build_date": {"since": "2023-05-20"}},
    {"build_date": {"until": "2023-05-20"}},
    {"build_date": {"since": "2023-01-01", "until": "2023-12-31"}},
    {"vin_list": "recall-7"},
    {"vin_list": ["other", "recall-7"]},
    {"ecu": {"name": "Radar"}},
    {"ecu": {"name": "Radar", "hw_id": ["EVO15", "EVO14"]}},
    {"ecu": {"name": "Radar", "hw_id": "EVO14", "sw_version": ">=1.3,<1.10"}},
    {"all": ["Model_Y", {"country": "DE"}]},
    {"any": ["Model_3", {"country": "DE"}]},
    {"not": "Model_3"},
    {"not": {"not": "Model_Y"}},
    {"not": {"ecu": {"name": "Gateway", "sw_version": ">=0"}}},
    {"model": "Model_Y", "region": "EU", "not": {"groups": "internal"}},
]

REFUSED_BY: list[tuple[Any, str]] = [
    ("Model_3", "model is Model_Y, wanted Model_3"),
    ({"model": "model_y"}, "model is Model_Y, wanted model_y"),
    ({"model": list("abcdef")}, "model is Model_Y, wanted one of 6"),
    ({"country": ["FR", "CH"]}, "country is DE, wanted FR or CH"),
    ({"region": "NA"}, "region is EU, wanted NA"),
    ({"groups": "internal"}, "groups are volunteers, taxi, wanted internal"),
    ({"build_date": {"since": "2023-05-21"}}, "build date is 2023-05-20, outside the wanted range"),
    ({"build_date": {"until": "2023-05-19"}}, "build date is 2023-05-20, outside the wanted range"),
    ({"vin_list": "other"}, "VIN is not in the list other"),
    ({"ecu": {"name": "Camera"}}, "has no ECU Camera"),
    ({"ecu": {"name": "Radar", "hw_id": "EVO15"}}, "Radar hardware is EVO14, wanted EVO15"),
    ({"ecu": {"name": "Radar", "sw_version": "<1.3"}}, "Radar software is 1.3.0, wanted <1.3"),
    ({"ecu": {"name": "Gateway", "sw_version": "!=1"}}, "Gateway software is MU-0923-b, wanted !=1"),
    ({"all": ["Model_Y", "Model_3"]}, "model is Model_Y, wanted Model_3"),
    (
        {"any": ["Model_3", {"country": "FR"}]},
        "none of the alternatives matches: model is Model_Y, wanted Model_3 / country is DE, wanted FR",
    ),
    ({"not": "Model_Y"}, "matches what 'not' leaves out"),
]


@pytest.mark.parametrize("raw", MATCHING, ids=str)
def test_a_vehicle_that_has_all_that_is_asked_matches(raw: Any) -> None:
    assert matches(read(raw), vehicle())
    assert list(misses(read(raw), vehicle())) == []


@pytest.mark.parametrize(("raw", "reason"), REFUSED_BY, ids=str)
def test_a_vehicle_that_misses_something_is_told_what(raw: Any, reason: str) -> None:
    assert not matches(read(raw), vehicle())
    assert list(misses(read(raw), vehicle())) == [reason]


@pytest.mark.parametrize(("raw", "_"), REFUSED_BY, ids=str)
def test_not_turns_a_miss_into_a_match(raw: Any, _: str) -> None:
    assert matches(read({"not": raw}), vehicle())


@pytest.mark.parametrize(("raw", "reason"), [
    ({"country": "DE"}, "country is unknown, wanted DE"),
    ({"region": "EU"}, "region is unknown, wanted EU"),
    ({"groups": "taxi"}, "groups are none, wanted taxi"),
    ({"vin_list": "recall-7"}, "VIN is not in the list recall-7"),
    ({"build_date": {"since": "1900-01-01"}}, "build date is unknown, outside the wanted range"),
    ({"build_date": {"until": "2100-01-01"}}, "build date is unknown, outside the wanted range"),
])  # fmt: skip
def test_what_is_unknown_of_a_vehicle_never_matches_and_always_matches_not(
    raw: dict[str, Any], reason: str
) -> None:
    bare = Vehicle.model_validate(BARE)
    assert list(misses(read(raw), bare)) == [reason]
    assert matches(read({"not": raw}), bare)


def test_every_reason_is_given_and_not_only_the_first() -> None:
    criterion = read({"model": "Model_3", "country": "FR", "ecu": {"name": "Camera"}})
    assert len(list(misses(criterion, vehicle()))) == 3


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({}, "an empty criterion; name at least one of model, country"),
        ({"model": None}, "an empty criterion"),
        ({"model": None, "country": None}, "an empty criterion"),
        ({"model": []}, "at least 1 item"),
        ("", "at least 1 character"),
        ({"model": ["Model_Y", ""]}, "at least 1 character"),
        ({"country": []}, "at least 1 item"),
        ({"groups": []}, "at least 1 item"),
        ({"vin_list": []}, "at least 1 item"),
        ({"all": []}, "at least 1 item"),
        ({"any": []}, "at least 1 item"),
        ({"any": [{}]}, "an empty criterion"),
        ({"not": {}}, "an empty criterion"),
        ({"build_date": {}}, "give since, until or both"),
        (
            {"build_date": {"since": "2024-01-02", "until": "2024-01-01"}},
            "since is later than until; no day lies between them",
        ),
        ({"country": "Germny"}, "unknown country 'Germny'"),
        ({"vins": [VIN]}, "a definition holds no VINs: keep them in a list with `fleet vin-list NAME FILE`"),
        ({"not": {"vins": [VIN]}}, "a definition holds no VINs"),
        ({"ecu": {"hw_id": "EVO14"}}, "Field required"),
        ({"ecu": {"name": "Radar", "hw_id": []}}, "at least 1 item"),
        ({"ecu": {"name": "Radar", "sw_version": "1.4"}}, "a version range is a list of comparisons"),
        ({"modle": "Model_Y"}, "Extra inputs are not permitted"),
        (5, "valid dictionary or instance of Criterion"),
    ],
    ids=str,
)
def test_a_criterion_that_says_nothing_or_nonsense_is_refused(raw: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        read(raw)


def test_the_ecus_a_criterion_speaks_of_are_found_at_every_depth() -> None:
    nested = {
        "ecu": {"name": "A"},
        "all": [{"ecu": {"name": "B"}}],
        "any": ["Model_Y", {"not": {"ecu": {"name": "C"}}}],
        "not": {"any": [{"ecu": {"name": "D"}}]},
    }
    assert ecu_names(read(nested)) == set("ABCD")
    assert ecu_names(read("Model_Y")) == set()
    assert ecu_names(None) == set()


def test_the_vin_lists_a_criterion_speaks_of_are_found_at_every_depth() -> None:
    nested = {
        "vin_list": ["a", "b"],
        "all": [{"vin_list": "c"}],
        "any": ["Model_Y", {"not": {"vin_list": "d"}}],
        "not": {"any": [{"vin_list": "e"}]},
    }
    assert vin_lists(read(nested)) == set("abcde")
    assert vin_lists(read("Model_Y")) == set()
    assert vin_lists(None) == set()

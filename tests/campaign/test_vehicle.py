"""As-built records: what is taken, what is kept, what is refused."""

import json
from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from campaign.vehicle import AsBuilt, Vehicle

HONDA: dict[str, Any] = {
    "vin": "1HGCM82633A004352",
    "model": "Civic_Type_R",
    "build_date": "2023-05-20",
    "ecus": [
        {"name": "Radar", "hw_id": "BOSCH-MRR-EVO14", "sw_version": "1.4.0"},
        {"name": "Gateway", "hw_id": "CONTI-GW-002", "sw_version": "2.1.0"},
    ],
}


def read(**changes: Any) -> AsBuilt:
    return AsBuilt.model_validate_json(json.dumps(HONDA | changes))


def test_the_manufacturing_record_is_taken_unchanged() -> None:
    built = read()
    assert (built.vin, built.model, built.build_date) == (HONDA["vin"], "Civic_Type_R", date(2023, 5, 20))
    assert [ecu.model_dump() for ecu in built.ecus] == HONDA["ecus"]
    assert built.attributes == {}


def test_a_key_no_vehicle_has_becomes_an_attribute() -> None:
    built = read(paint="red", attributes={"trim": "GT"})
    assert built.attributes == {"trim": "GT", "paint": "red"}


def test_a_key_may_be_told_twice_with_one_value() -> None:
    assert read(paint="red", attributes={"paint": "red"}).attributes == {"paint": "red"}


def test_a_key_told_twice_with_two_values_is_refused() -> None:
    with pytest.raises(ValidationError, match="paint stands beside attributes and inside, with two values"):
        read(paint="red", attributes={"paint": "blue"})


def test_a_vehicle_of_the_rules_takes_no_unknown_key() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        Vehicle.model_validate(HONDA | {"paint": "red"})


def test_an_unknown_key_in_an_ecu_is_refused() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        read(ecus=[HONDA["ecus"][0] | {"serial": "7"}])


@pytest.mark.parametrize("day", [0, 86400, 20230520, 1.5, True, "86400", "20.05.2023", "2023-02-30", ""])
def test_what_is_no_day_is_no_build_date(day: object) -> None:
    with pytest.raises(ValidationError, match="2023-05-20"):
        read(build_date=day)


def test_the_build_date_may_be_unknown() -> None:
    assert read(build_date=None).build_date is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ecus": []}, "at least 1 item"),
        ({"ecus": [HONDA["ecus"][0], HONDA["ecus"][0]]}, "ECU Radar appears more than once"),
        ({"model": " "}, "at least 1 character"),
        ({"country": "Atlantis"}, "unknown country"),
        ({"timezone": "Europe/Berlyn"}, "did you mean 'Europe/Berlin'"),
        ({"install_window": {"from": "22:00", "to": "06:00"}}, "give timezone, such as Europe/Berlin"),
        (
            {"timezone": "Europe/Berlin", "install_window": {"from": "10pm", "to": "06:00"}},
            "not a time of day",
        ),
        ({"update_preference": "maybe"}, "Input should be 'automatic', 'ask' or 'never'"),
        ({"ecus": [{"name": "Radar", "hw_id": "X", "sw_version": 1.4}]}, "valid string"),
        ({"vin": "1HGCM82643A004352"}, "check digit '4' at position 9 is wrong"),
    ],
)
def test_a_record_that_breaks_a_rule_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        read(**changes)


def test_a_country_may_be_given_by_name() -> None:
    assert read(country="Germany").country == "DE"

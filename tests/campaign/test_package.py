"""Packages: what they state, and which vehicles they fit whatever the criteria say."""

from typing import Any

import pytest
from pydantic import ValidationError

from campaign.package import Package, package_misses
from campaign.vehicle import Vehicle

VIN = "1HGCM82633A004352"

#: Of the package below, computed before packages could require anything.
DIGEST = "29ec89d3876b40961572900ca2db9a20f52288471e07638c091c123eab1b15e1"


def module(**changes: Any) -> dict[str, Any]:
    artifact = {"filename": "radar.swu", "size_bytes": 1, "sha256": "a" * 64}
    facts = {"ecu": "Radar", "hw_ids": ["EVO14", "EVO15"], "version": "1.4.0", "from_versions": "<1.4.0"}
    return facts | {"artifact": artifact} | changes


def package(*modules: dict[str, Any]) -> Package:
    return Package.model_validate({"name": "Pkg_v2.4", "modules": list(modules) or [module()]})


def vehicle(hw_id: str = "EVO14", sw_version: str = "1.3.0", name: str = "Radar") -> Vehicle:
    ecu = {"name": name, "hw_id": hw_id, "sw_version": sw_version}
    return Vehicle.model_validate({"vin": VIN, "model": "M", "ecus": [ecu]})


@pytest.mark.parametrize(
    ("candidate", "reasons"),
    [
        (vehicle(), []),
        (vehicle(hw_id="EVO15"), []),
        (vehicle(hw_id="EVO16"), ["Radar hardware is EVO16, the package fits EVO14, EVO15"]),
        (vehicle(name="Camera"), ["has no ECU Radar"]),
        (vehicle(sw_version="1.4.0"), ["Radar software is 1.4.0, the package replaces <1.4.0"]),
        (vehicle(sw_version="1.10.0"), ["Radar software is 1.10.0, the package replaces <1.4.0"]),
        (vehicle(sw_version="MU-0923"), ["Radar software is MU-0923, the package replaces <1.4.0"]),
    ],
)
def test_a_package_names_why_it_does_not_fit(candidate: Vehicle, reasons: list[str]) -> None:
    assert package_misses(package(), candidate) == reasons


def test_without_a_range_any_other_software_is_replaced() -> None:
    anything = package(module(from_versions=None))
    assert package_misses(anything, vehicle(sw_version="9.0")) == []
    assert package_misses(anything, vehicle(sw_version="1.4")) == ["already has this software"]


def test_one_module_that_is_new_is_enough() -> None:
    two = package(module(from_versions=None), module(ecu="Camera", from_versions=None))
    ecus = [
        {"name": "Radar", "hw_id": "EVO14", "sw_version": "1.4.0"},
        {"name": "Camera", "hw_id": "EVO14", "sw_version": "1.0.0"},
    ]
    assert package_misses(two, Vehicle.model_validate({"vin": VIN, "model": "M", "ecus": ecus})) == []


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        ([module(), module()], "one module per ECU"),
        (
            [module(), module(ecu="Camera", artifact=module()["artifact"] | {"sha256": "b" * 64})],
            "stands for two different contents",
        ),
        ([module(artifact=module()["artifact"] | {"filename": "../radar.swu"})], "match pattern"),
        ([module(artifact=module()["artifact"] | {"sha256": "A" * 64})], "match pattern"),
        ([module(artifact=module()["artifact"] | {"size_bytes": 0})], "greater than 0"),
        ([module(from_versions="older")], "version range"),
        ([module(hw_ids=[])], "at least 1 item"),
    ],
)
def test_a_package_that_breaks_a_rule_is_refused(modules: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        package(*modules)


def test_the_digest_follows_the_content_and_nothing_else() -> None:
    assert package().digest == package().digest
    assert package().digest != package(module(version="1.4.1")).digest


def needing(*needs: tuple[str, str], **changes: Any) -> dict[str, Any]:
    return module(requires=[{"ecu": ecu, "versions": versions} for ecu, versions in needs], **changes)


@pytest.mark.parametrize(
    ("gateway", "reasons"),
    [
        ("2.0", []),
        ("2.1.7", []),
        ("1.9", ["GW software is 1.9, the package needs >=2.0 first"]),
        ("old", ["GW software is old, the package needs >=2.0 first"]),
        (None, ["has no ECU GW"]),
    ],
)
def test_what_another_ecu_must_have_first_is_named(gateway: str | None, reasons: list[str]) -> None:
    ecus = [{"name": "Radar", "hw_id": "EVO14", "sw_version": "1.3.0"}]
    ecus += [{"name": "GW", "hw_id": "G1", "sw_version": gateway}] if gateway else []
    candidate = Vehicle.model_validate({"vin": VIN, "model": "M", "ecus": ecus})
    assert package_misses(package(needing(("GW", ">=2.0"))), candidate) == reasons


def test_what_the_package_brings_before_is_required_of_no_vehicle() -> None:
    both = package(module(ecu="GW", version="2.0", from_versions=None), needing(("GW", ">=2.0")))
    assert both.requirements == ()


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        ([needing(("GW", ">=2.0")), module(ecu="GW", version="2.0")], "only after it; put its module first"),
        ([module(ecu="GW", version="1.9"), needing(("GW", ">=2.0"))], "and this package brings 1.9"),
        ([needing(("Radar", ">=1.0"))], "only after it"),
    ],
)
def test_a_package_that_cannot_meet_its_own_requirements_is_refused(
    modules: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        package(*modules)


def test_a_package_that_requires_nothing_keeps_the_digest_it_had() -> None:
    assert package().digest == DIGEST
    assert package(needing(("GW", ">=2.0"))).digest != DIGEST

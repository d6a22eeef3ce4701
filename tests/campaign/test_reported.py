"""What a configuration says of software, and when it contradicts a success."""

import pytest

from campaign.reported import disproves, reported_versions


@pytest.mark.parametrize(
    ("data", "versions"),
    [
        ({"sw_version.Radar": "1.4.0"}, {"Radar": "1.4.0"}),
        ({"sw_version.Radar": " 1.4.0 ", "sw_version.Gate.Way": "2"}, {"Radar": "1.4.0", "Gate.Way": "2"}),
        ({"sw_version.Radar": None, "sw_version.Camera": " "}, {}),
        ({"sw_version.": "1", "sw_version": "1", "Radar": "1", "SW_VERSION.Radar": "1"}, {}),
        ({"vin": "V", "hwRevision": "1.0"}, {}),
        ({}, {}),
    ],
)
def test_an_attribute_with_the_prefix_names_what_an_ecu_runs(
    data: dict[str, str | None], versions: dict[str, str]
) -> None:
    assert reported_versions(data) == versions


@pytest.mark.parametrize(
    ("version", "before", "contradicts"),
    [
        ("1.3.0", "1.3.0", True),
        ("1.3", "1.3.0", True),
        ("1.4.0", "1.3.0", False),
        ("1.4", "1.3.0", False),
        # From elsewhere since: a workshop, a USB stick.
        ("1.5.0", "1.3.0", False),
        ("1.2.0", "1.3.0", False),
        # Nobody knows what it ran; and an update that brought what was there disproves nothing.
        ("1.3.0", None, False),
        ("1.4.0", "1.4.0", False),
        ("MU-0923-b", "MU-0923-b", True),
    ],
)
def test_only_who_still_runs_what_it_ran_has_disproved_its_success(
    version: str, before: str | None, contradicts: bool
) -> None:
    assert disproves(version, before=before, installed="1.4.0") is contradicts

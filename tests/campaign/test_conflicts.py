"""Two packages contradict each other on an ECU to which they bring different software."""

from typing import Any

import pytest

from campaign.conflicts import differences
from campaign.package import Package


def package(**ecus: str) -> Package:
    """Of modules as ``ECU="version content"``."""
    modules: list[dict[str, Any]] = []
    for name, words in ecus.items():
        version, content = words.split()
        artifact = {"filename": f"{name}{content}.swu", "size_bytes": 7, "sha256": content * 64}
        modules.append({"ecu": name, "hw_ids": ["H1"], "version": version, "artifact": artifact})
    return Package.model_validate({"name": "P", "modules": modules})


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ({"Radar": "1.5 a"}, {"Camera": "2.0 b"}, []),
        ({"Radar": "1.5 a"}, {"Radar": "1.5 a"}, []),
        ({"Radar": "1.5 a"}, {"Radar": "1.4 b"}, ["Radar 1.5 against 1.4"]),
        ({"Radar": "1.5 a"}, {"Radar": "1.4 a"}, ["Radar 1.5 against 1.4"]),
        ({"Radar": "1.5 a"}, {"Radar": "1.5 b"}, ["Radar 1.5 against another file of that version"]),
        (
            {"Radar": "1.5 a", "Camera": "2 c", "Brake": "3 d"},
            {"Brake": "2 d", "Radar": "1.4 b", "Camera": "2 c"},
            ["Radar 1.5 against 1.4", "Brake 3 against 2"],
        ),
    ],
)
def test_packages_contradict_each_other_on_the_ecus_they_leave_with_other_software(
    one: dict[str, str], other: dict[str, str], found: list[str]
) -> None:
    assert differences(package(**one), package(**other)) == found
    assert len(differences(package(**other), package(**one))) == len(found)

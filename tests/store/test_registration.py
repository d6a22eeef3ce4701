"""What a definition must find in fleet and packages before its campaign exists."""

import re
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from campaign.package import Package
from campaign.problems import Refused
from tests.store.fleet import ARTIFACT, MODULE, PACKAGE, Fleet, cars, define

OTHER_ARTIFACT = ARTIFACT | {"sha256": "b" * 64}


def inline(name: str = "Inside", **changes: Any) -> dict[str, Any]:
    return {"name": name, "modules": [MODULE | changes]}


REFUSED: list[tuple[dict[str, Any], str]] = [
    (
        {"package": "Pkgg"},
        "package = 'Pkgg': unknown package; did you mean 'Pkg'? known: Pkg; register it with `package add",
    ),
    (
        {"package": inline(ecu="Rader")},
        "package.modules.0.ecu = 'Rader': no vehicle has this ECU; did you mean 'Radar'? known: Radar",
    ),
    (
        {"criteria": {"ecu": {"name": "Camera"}}},
        "criteria = 'Camera': no vehicle has this ECU; known: Radar",
    ),
    ({"exclude": {"not": {"ecu": {"name": "radar"}}}}, "exclude = 'radar': no vehicle has this ECU; did you"),
    (
        {"phases": [{"rollout_percent": 100, "criteria": {"any": [{"ecu": {"name": "GW"}}]}}]},
        "phases.0.criteria = 'GW': no vehicle has this ECU",
    ),
    (
        {"package": inline("Pkg", version="1.4.1")},
        "package.name = 'Pkg': a package of this name is registered with other content; a name never changes",
    ),
    (
        {"package": inline(artifact=OTHER_ARTIFACT)},
        f"package.modules.0.artifact.sha256 = {'b' * 64}: not in the artifact directory; put it there with",
    ),
    (
        {"package": inline(artifact=ARTIFACT | {"size_bytes": 8})},
        "package.modules.0.artifact.size_bytes = 8: the stored file of this sha256 has 7 bytes",
    ),
    ({"criteria": "Model_S"}, "phases.0 = phase 1: no vehicle is left for this phase; `preview FILE` shows"),
    (
        {"phases": [{"rollout_percent": 100}, {"name": "late", "rollout_count": 5}]},
        "phases.1 = late: no vehicle is left for this phase",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "message"), REFUSED, ids=lambda value: str(value)[:50])
def test_what_fleet_and_packages_do_not_know_is_refused_and_leaves_no_row(
    changes: dict[str, Any], message: str, fleet: Fleet
) -> None:
    fleet.add(cars(5))
    before = fleet.everything()
    with pytest.raises(Refused, match=re.escape(message)):
        fleet.register(define(**changes))
    assert fleet.everything() == before
    assert fleet.rows("SELECT name FROM package") == [("Pkg",)]


def test_without_a_fleet_there_is_no_campaign(fleet: Fleet) -> None:
    with pytest.raises(Refused, match="no vehicle is known; import as-built records with `fleet import`"):
        fleet.register(define())


def test_every_empty_phase_is_named(fleet: Fleet) -> None:
    fleet.add(cars(5))
    rings = [{"criteria": model, "rollout_percent": 100} for model in ("Model_S", "Model_Y", "Model_X")]
    with pytest.raises(Refused) as refused:
        fleet.register(define(phases=rings))
    assert [problem.field for problem in refused.value.problems] == ["phases.0", "phases.2"]


def test_a_registered_campaign_is_a_draft_with_a_shut_gate_and_its_phases(fleet: Fleet) -> None:
    fleet.add(cars(40))
    rings = [
        {"rollout_percent": 10, "limits": {"in_flight": 3}, "guards": [{"limit": "0.1"}]},
        {"name": "rest", "rollout_percent": 100},
    ]
    definition = define(priority="CRITICAL", phases=rings)
    assert fleet.register(definition) == {1: 4, 2: 36}
    [row] = fleet.rows(
        "SELECT name, priority, state, gate_open, gate_seq, lease_until, digest, "
        "package ->> 'name', \"window\" FROM campaign"
    )
    assert row == ("Winter", 2, "Draft", False, 0, None, definition.digest, "Pkg", 1)
    phases = fleet.rows(
        "SELECT number, name, size, allowance, released_at, guards -> 0 ->> 'limit', limits -> 'in_flight' "
        "FROM phase ORDER BY number"
    )
    assert phases == [(1, "phase 1", 4, 0, None, "0.1", 3), (2, "rest", 36, 0, None, "0.02", 10_000)]
    assert fleet.value("SELECT definition FROM campaign") == definition.model_dump(mode="json", by_alias=True)


def test_the_same_run_registers_twice_and_changes_nothing(fleet: Fleet) -> None:
    fleet.add(cars(40))
    first = fleet.register(define())
    before = fleet.everything()
    fleet.add(cars(1, 40))
    assert fleet.register(define()) == first == {1: 40}
    assert fleet.everything() | {"ecu": before["ecu"]} == before


def test_a_used_name_is_refused_to_another_run_also_when_it_is_over(fleet: Fleet) -> None:
    fleet.add(cars(5))
    campaign = fleet.launch()
    fleet.finish(campaign, 2)
    with pytest.raises(Refused, match=r"a campaign of this name exists \(Completed\); names are never used"):
        fleet.register(define(), run="another")
    with pytest.raises(IntegrityError):
        fleet.run(
            "INSERT INTO campaign SELECT (jsonb_populate_record(c, '{\"id\": 99}')).* FROM campaign AS c"
        )


def test_a_package_inside_the_definition_is_registered_with_it(fleet: Fleet) -> None:
    fleet.add(cars(5))
    package = Package.model_validate(inline())
    fleet.register(define(package=inline()))
    assert fleet.package("Inside") == package
    assert fleet.value("SELECT digest FROM package WHERE name = 'Inside'") == package.digest


def test_a_package_inside_the_definition_may_be_the_registered_one(fleet: Fleet) -> None:
    fleet.add(cars(5))
    assert fleet.register(define(package=PACKAGE.model_dump(mode="json"))) == {1: 5}
    assert fleet.rows("SELECT name FROM package") == [("Pkg",)]


def test_the_content_of_a_campaigns_package_is_kept_with_the_campaign(fleet: Fleet) -> None:
    fleet.add(cars(5))
    fleet.register(define())
    assert Package.model_validate(fleet.value("SELECT package FROM campaign")) == PACKAGE

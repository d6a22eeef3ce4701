"""Campaigns on an imported fleet: hundreds of configurations, one rival, four phases in random order."""

import tempfile
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from benchmarks import asbuilt_file
from benchmarks.launch import add_package
from campaign.definition import Definition
from store.campaigns import register, select_targets
from store.connect import Connection
from store.fleet_import import import_fleet
from store.packages import package

#: One in so many vehicles more belongs to a campaign that is not done with it.
RIVAL_ONE_IN = 20

#: It is the first campaign.
RIVAL_ID = 1

#: Percents, each in the seeded order.
PHASES: list[dict[str, object]] = [
    {"rollout_percent": 1},
    {"rollout_percent": 5},
    {"rollout_percent": 25},
    {"rollout_percent": 100},
]


def fill(connection: Connection, vehicles: int) -> None:
    """Import a fleet and register what the campaigns here deliver."""
    with tempfile.TemporaryDirectory() as folder:
        import_fleet(connection, asbuilt_file.write(Path(folder) / "fleet.jsonl", vehicles))
        add_package(connection, Path(folder))


def definition(connection: Connection, name: str, **more: Any) -> Definition:
    """A campaign by model, region, ECU, version and conflicts, for all that no other one is busy with."""
    plain = package(connection, "Pkg_v2.4").model_dump(mode="json")
    # Decided on by two ECUs, so that there are hundreds of configurations.
    module = plain["modules"][0] | {"requires": [{"ecu": "Camera", "versions": ">=5.0.0"}]}
    document: dict[str, Any] = {
        "name": name,
        "package": plain | {"name": "Pkg_cameras", "modules": [module]},
        "criteria": {
            "model": ["Model_Y"],
            "region": ["EU", "NA", "APAC"],
            "ecu": {"name": "Gateway", "sw_version": ">=2.0.0"},
        },
        "exclude": {"ecu": {"name": "Gateway", "hw_id": ["NONE"]}},
        "conflicts": "skip",
        "seed": 7,
        "phases": PHASES,
    }
    return Definition.model_validate(document | more)


def rival(connection: Connection, engine: Engine, vehicles: int) -> None:
    """A campaign that would leave so many vehicles with another version, and is not done with them."""
    other = package(connection, "Pkg_v2.4").model_dump(mode="json")
    other["name"], other["modules"][0]["version"] = "Pkg_other", "1.3.9"
    ring = [{"rollout_count": vehicles}]
    assert start(engine, definition(connection, "Rival", package=other, phases=ring)) == RIVAL_ID


def start(engine: Engine, wanted: Definition) -> int:
    """Register a campaign and select its targets; its id."""
    with engine.begin() as connection:
        campaign_id = register(connection, wanted, wanted.name, "run").campaign_id
    with engine.begin() as connection:
        select_targets(connection, campaign_id)
    return campaign_id

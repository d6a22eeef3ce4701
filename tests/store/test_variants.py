"""What selections see of vehicles: each has the variant that its record and its ECUs make it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event

from store import variants
from store.claims import keep_software
from store.connect import connect
from store.fleet_import import import_fleet
from store.fleet_load import Seen, load, prepare
from store.fleet_records import open_fleet_file, records
from store.fleet_rows import Batch, batch
from store.selection import chosen
from store.variants import Variants, variant
from tests.store.fleet import (
    PACKAGE,
    Fleet,
    Gateway,
    add_vehicles,
    car,
    cars,
    closing,
    define,
    software_locked,
    waiting_for_a_lock,
)

VARIANTS = "SELECT variant_id, count(*) FROM candidate GROUP BY 1 ORDER BY 2"
RADAR = (("Radar", "EVO14", "1.3.0"),)


def written(path: Path, *numbers: int, sw_version: str = "1.3.0", **facts: str) -> Path:
    vehicles = [car(number, sw_version=sw_version, **facts) for number in numbers]
    keys = {"vin", "model", "country", "ecus"}
    lines = [
        json.dumps(vehicle.model_dump(mode="json", include=keys, exclude_none=True)) for vehicle in vehicles
    ]
    path.write_text("\n".join(lines))
    return path


def prepared(path: Path) -> Batch:
    with open_fleet_file(path) as file:
        return batch(list(records(file, path)), 0)


def test_vehicles_that_are_alike_share_a_variant(fleet: Fleet, tmp_path: Path) -> None:
    with connect(fleet.url) as connection:
        import_fleet(connection, written(tmp_path / "a", 0, 1, 2))
        import_fleet(connection, written(tmp_path / "b", 3, country="DE"))
        import_fleet(connection, written(tmp_path / "c", 4, 5))
    assert [count for _, count in fleet.rows(VARIANTS)] == [1, 5]
    assert fleet.value("SELECT count(*) FROM variant") == 2


def test_unknown_and_empty_are_two_variants(fleet: Fleet) -> None:
    with connect(fleet.url) as connection:
        known = Variants()
        known.learn(connection, [variant("M", None, "", RADAR), variant("M", "", None, RADAR)])
    assert known.id_of(variant("M", None, "", RADAR)) != known.id_of(variant("M", "", None, RADAR))


async def test_a_success_moves_the_vehicle_to_the_variant_it_is_now(fleet: Fleet, gateway: Gateway) -> None:
    ids = fleet.add(cars(3))
    campaign = fleet.launch()
    for vehicle in ids[:2]:
        await gateway.start(vehicle)
    await gateway.record(*closing(campaign, ids[:2], "success"))
    now = "SELECT ecus -> 'Radar' ->> 'sw_version', count(*) FROM candidate JOIN variant ON id = variant_id"
    assert fleet.rows(f"{now} GROUP BY 1 ORDER BY 1") == [("1.3.0", 1), ("1.4.0", 2)]


async def test_two_changes_of_one_vehicle_at_the_same_time_are_both_in_its_variant(
    fleet: Fleet, gateway: Gateway
) -> None:
    ecus = [("Camera", "CAM", "5.0"), *RADAR]
    fitted = [dict(zip(("name", "hw_id", "sw_version"), ecu, strict=True)) for ecu in ecus]
    [vehicle] = fleet.add([car(0, ecus=fitted)])
    campaign = fleet.launch()
    await gateway.start(vehicle)
    async with asyncio.TaskGroup() as tasks, software_locked(fleet, vehicle) as other:
        await keep_software(other, vehicle, {"Camera": "6.0"})
        tasks.create_task(gateway.record(*closing(campaign, [vehicle], "success")))
        await waiting_for_a_lock(fleet)
    runs = "SELECT ecus -> 'Camera' ->> 'sw_version', ecus -> 'Radar' ->> 'sw_version' FROM variant"
    assert fleet.rows(f"{runs} JOIN candidate ON id = variant_id") == [("6.0", "1.4.0")]


async def test_an_import_and_what_the_vehicle_says_of_itself_never_wait_crosswise(
    fleet: Fleet, gateway: Gateway, tmp_path: Path
) -> None:
    def imported() -> None:
        with connect(fleet.url) as importing:
            import_fleet(importing, written(tmp_path / "a", 0, sw_version="1.5.0"))

    [vehicle] = fleet.add([car(0)])
    async with asyncio.TaskGroup() as tasks, software_locked(fleet, vehicle) as other:
        tasks.create_task(asyncio.to_thread(imported))
        await waiting_for_a_lock(fleet)
        tasks.create_task(gateway.configure(vehicle, {"sw_version.Radar": "1.6.0"}))
        await waiting_for_a_lock(fleet, sessions=2)
        # The import has left the ECUs alone so far.
        await other.execute("SELECT FROM ecu FOR NO KEY UPDATE NOWAIT")
    assert fleet.value("SELECT sw_version FROM ecu") == "1.6.0"


def test_a_changed_record_moves_its_vehicle_only(fleet: Fleet, tmp_path: Path) -> None:
    with connect(fleet.url) as connection:
        import_fleet(connection, written(tmp_path / "a", 0, 1))
        before = fleet.rows("SELECT * FROM candidate ORDER BY 1")
        import_fleet(connection, written(tmp_path / "b", 1, country="FR"))
    after = fleet.rows("SELECT * FROM candidate ORDER BY 1")
    assert before[0] == after[0]
    assert before[1] != after[1]


def test_more_variants_than_are_remembered_are_asked_for_again(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(variants, "KEPT", 3)
    some = [variant(f"M{number}", None, None, RADAR) for number in range(7)]
    known = Variants()
    with connect(fleet.url) as connection:
        for first in range(0, 6, 2):
            known.learn(connection, some[first : first + 2])
            found = [known.id_of(each) for each in some[first : first + 2]]
            assert len(set(found)) == 2
        known.learn(connection, some)
        assert len({known.id_of(each) for each in some}) == 7
    assert fleet.value("SELECT count(*) FROM variant") == 7


async def test_who_reports_a_new_variant_waits_for_no_import(
    fleet: Fleet, gateway: Gateway, tmp_path: Path
) -> None:
    [vehicle] = fleet.add([car(0)])
    campaign = fleet.launch()
    await gateway.start(vehicle)
    rows = prepared(written(tmp_path / "b", 1, sw_version="1.4.0")).rows
    known = Variants()
    with connect(fleet.url) as importing:
        prepare(importing)
        known.learn(importing, [row.variant for row in rows])
        with importing.transaction():
            load(importing, rows, Seen(), known)
            await gateway.connection.execute("SET lock_timeout = '3s'")
            await gateway.record(*closing(campaign, [vehicle], "success"))
    assert [count for _, count in fleet.rows(VARIANTS)] == [2]


@pytest.mark.parametrize(
    ("changes", "reads"),
    [
        ({"criteria": {"model": ["Model_Y"], "country": ["DE"], "ecu": {"name": "Radar"}}}, False),
        ({"criteria": {"groups": ["taxi"]}}, True),
        ({"phases": [{"rollout_percent": 50, "order": "volunteers_first"}]}, True),
    ],
)
def test_vehicles_are_read_only_where_their_variant_does_not_say_it(
    fleet: Fleet, changes: dict[str, Any], reads: bool
) -> None:
    fleet.add(cars(3))
    plans = []

    def explain(connection: Connection, cursor: Any, statement: str, parameters: Any, *_: object) -> None:
        if statement.startswith("CREATE TEMPORARY TABLE eligible"):
            plans.append(cursor.execute(f"EXPLAIN {statement}", parameters).fetchall())

    with fleet.engine.begin() as connection:
        event.listen(connection, "before_cursor_execute", explain)
        chosen(connection, define(**changes), PACKAGE)
    assert any("on vehicle" in line for [line] in plans[0]) is reads


def test_an_import_finds_vehicles_that_were_written_without_a_candidate(fleet: Fleet, tmp_path: Path) -> None:
    with fleet.engine.begin() as connection:
        add_vehicles(connection, cars(3, 10))
    with connect(fleet.url) as importing:
        import_fleet(importing, written(tmp_path / "a", 0))
    assert fleet.value("SELECT count(*) FROM candidate") == 4

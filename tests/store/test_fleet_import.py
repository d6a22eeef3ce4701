"""The fleet import, against PostgreSQL.

| Given | When | Then |
|---|---|---|
| an empty database | a file is imported | every good record is there, every bad one is named |
| an imported file | it is imported again | nothing is touched |
| a vehicle updated by a campaign | its old record is imported again | its software stays |
| an import cut in the middle | it is started again | the rows of an import in one go |
"""

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaign.order import lot
from campaign.vehicle import AsBuilt
from simulator.asbuilt import as_built
from store import fleet_import
from store.connect import Connection, connect
from store.fleet_import import Imported, import_fleet
from store.fleet_rows import Refusal
from tests.store.candidates import WRONG

HONDA: dict[str, Any] = {
    "vin": "1HGCM82633A004352",
    "model": "Civic_Type_R",
    "build_date": "2023-05-20",
    "ecus": [
        {"name": "Radar", "hw_id": "BOSCH-MRR-EVO14", "sw_version": "1.4.0"},
        {"name": "Gateway", "hw_id": "CONTI-GW-002", "sw_version": "2.1.0"},
    ],
}

VEHICLES = """
SELECT vin, model, build_date, country, region, timezone, groups, install_window,
       update_preference, attributes, lot, record_digest
FROM vehicle ORDER BY vin
"""
ECUS = """
SELECT vin, name, hw_id, sw_version, built_version FROM ecu JOIN vehicle ON vehicle.id = vehicle_id
ORDER BY vin, name
"""
HISTORY = "SELECT ecu, from_version, to_version, campaign_id, source FROM software_change ORDER BY id"


@pytest.fixture
def connection(database: str) -> Iterator[Connection]:
    """After each test selections see every vehicle as it is then."""
    with connect(database) as opened:
        yield opened
        assert opened.execute(WRONG).fetchall() == []


@pytest.fixture
def fleet_file(tmp_path: Path) -> Path:
    return tmp_path / "fleet.jsonl"


def write(path: Path, *records: dict[str, Any] | str) -> Path:
    lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def honda(radar: dict[str, str] | None = None, **changes: Any) -> dict[str, Any]:
    """The Honda's record; ``radar`` changes that ECU."""
    return HONDA | {"ecus": [HONDA["ecus"][0] | (radar or {}), HONDA["ecus"][1]]} | changes


def counts(result: Imported) -> tuple[int, int, int, int]:
    return result.inserted, result.updated, result.unchanged, result.refused


def rows(connection: Connection, query: str) -> list[tuple[Any, ...]]:
    return connection.execute(query.encode()).fetchall()


def install(connection: Connection, ecu: str, version: str) -> None:
    """What a campaign's success does."""
    connection.execute("UPDATE ecu SET sw_version = %s WHERE name = %s", (version, ecu))


def test_the_manufacturing_record_imports_unchanged(connection: Connection, fleet_file: Path) -> None:
    assert counts(import_fleet(connection, write(fleet_file, HONDA))) == (1, 0, 0, 0)
    [(vin, model, day, *_, order, _)] = rows(connection, VEHICLES)
    assert (vin, model, str(day), order) == (HONDA["vin"], "Civic_Type_R", "2023-05-20", lot(vin))
    assert rows(connection, ECUS) == [
        (vin, "Gateway", "CONTI-GW-002", "2.1.0", "2.1.0"),
        (vin, "Radar", "BOSCH-MRR-EVO14", "1.4.0", "1.4.0"),
    ]
    assert rows(connection, HISTORY) == []


def test_all_forms_of_a_file_give_the_same_rows(connection: Connection, fleet_file: Path) -> None:
    fleet = list(as_built(3, seed=1))
    lines, array = [json.dumps(record) for record in fleet], json.dumps(fleet, indent=1)
    assert counts(import_fleet(connection, write(fleet_file, *lines))) == (3, 0, 0, 0)
    assert counts(import_fleet(connection, write(fleet_file, "\ufeff" + array))) == (0, 0, 3, 0)
    assert counts(import_fleet(connection, write(fleet_file, json.dumps(fleet[0], indent=2)))) == (0, 0, 1, 0)


def test_nothing_in_a_record_is_dropped(connection: Connection, fleet_file: Path) -> None:
    extra: dict[str, Any] = {"paint": "red", "plant": {"line": 2, "shift": None}, "weights": [1.5, 10**30]}
    window = {"from": "22:00", "to": "06:00", "days": ["fri", "sat"]}
    wishes: dict[str, Any] = {"timezone": "Asia/Tokyo", "install_window": window, "update_preference": "ask"}
    record = honda(groups=["b", "a", "b"], country="Japan", attributes={"x": 1}, **wishes, **extra)
    import_fleet(connection, write(fleet_file, record))
    [(_, _, _, country, _, zone, groups, found, preference, attributes, *_)] = rows(connection, VEHICLES)
    assert (country, groups) == ("JP", ["a", "b"])
    assert {"timezone": zone, "install_window": found, "update_preference": preference} == wishes
    assert attributes == extra | {"x": 1}


#: What survives the door: a name has no blanks around it, and a database stores no NUL.
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)
ANY_JSON = st.dictionaries(
    NAMES,
    st.none() | st.integers() | NAMES | st.lists(NAMES | st.floats(-1e6, 1e6)),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    model=NAMES,
    hw_id=NAMES,
    version=NAMES,
    groups=st.lists(NAMES),
    attributes=ANY_JSON,
    ascii_only=st.booleans(),
)
def test_every_text_arrives_as_it_was_written(
    model: str, hw_id: str, version: str, groups: list[str], attributes: dict[str, Any], ascii_only: bool,
    connection: Connection, fleet_file: Path,
) -> None:  # fmt: skip
    ecu = {"name": "Radar", "hw_id": hw_id, "sw_version": version}
    record = honda(model=model, groups=groups, attributes=attributes, ecus=[ecu])
    try:
        wanted = AsBuilt.model_validate(record)
    except ValueError:
        return  # blanks only, which is no name
    connection.execute("TRUNCATE vehicle, auto_confirm, ecu, software_change")
    text = json.dumps(record, ensure_ascii=ascii_only)
    fleet_file.write_text(text, encoding="utf-8")
    assert counts(import_fleet(connection, fleet_file)) == (1, 0, 0, 0)
    [(_, found_model, _, _, _, _, found_groups, _, _, found_attributes, *_)] = rows(connection, VEHICLES)
    assert (found_model, found_groups) == (wanted.model, sorted(set(wanted.groups)))
    assert found_attributes == wanted.attributes
    [(_, _, found_hw_id, found_version, _)] = rows(connection, ECUS)
    assert (found_hw_id, found_version) == (wanted.ecus[0].hw_id, wanted.ecus[0].sw_version)


def test_a_second_import_touches_nothing(connection: Connection, fleet_file: Path) -> None:
    write(fleet_file, *as_built(20, seed=1))
    import_fleet(connection, fleet_file)
    where = "SELECT ctid, xmin::text FROM vehicle UNION ALL SELECT ctid, xmin::text FROM ecu ORDER BY 2, 1"
    before = rows(connection, where)
    assert counts(import_fleet(connection, fleet_file)) == (0, 0, 20, 0)
    assert rows(connection, where) == before


def test_a_selection_right_after_an_import_knows_what_has_just_arrived(
    connection: Connection, fleet_file: Path
) -> None:
    known = "SELECT most_common_vals::text FROM pg_stats WHERE tablename = 'vehicle' AND attname = 'model'"
    for model in ("Model_Y", "Model_3"):
        first = 0 if model == "Model_Y" else 500
        records = [{**record, "model": model} for record in as_built(100, seed=7, first=first)]
        fleet_file.write_text("\n".join(map(json.dumps, records)))
        import_fleet(connection, fleet_file)
        assert model in str(connection.execute(known).fetchone())


def test_the_order_of_keys_ecus_and_groups_is_no_change(connection: Connection, fleet_file: Path) -> None:
    record = honda(groups=["a", "b"], plant={"x": 1, "y": 2})
    import_fleet(connection, write(fleet_file, record))
    turned = dict(reversed((record | {"ecus": record["ecus"][::-1], "groups": ["b", "a", "a"]}).items()))
    turned["plant"] = {"y": 2, "x": 1}
    assert counts(import_fleet(connection, write(fleet_file, turned))) == (0, 0, 1, 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "Civic"}, {"build_date": "2023-05-21"}, {"country": "JP"}, {"region": "APAC"},
        {"timezone": "Asia/Tokyo"}, {"groups": ["internal"]}, {"paint": "red"}, {"ecus": HONDA["ecus"][:1]},
        {"install_window": {"from": "22:00", "to": "06:00"}, "timezone": "Asia/Tokyo"},
        {"update_preference": "never"},
    ],
    ids=lambda changes: next(iter(changes)),
)  # fmt: skip
def test_any_changed_fact_updates_the_vehicle(
    changes: dict[str, Any], connection: Connection, fleet_file: Path
) -> None:
    import_fleet(connection, write(fleet_file, HONDA))
    changed = write(fleet_file, honda(**changes))
    assert counts(import_fleet(connection, changed)) == (0, 1, 0, 0)
    updated = rows(connection, VEHICLES), [row[1:] for row in rows(connection, ECUS)]
    connection.execute("TRUNCATE vehicle, auto_confirm, ecu, software_change")
    import_fleet(connection, changed)
    assert updated == (rows(connection, VEHICLES), [row[1:] for row in rows(connection, ECUS)])


def test_a_re_import_takes_no_installed_software_back(connection: Connection, fleet_file: Path) -> None:
    import_fleet(connection, write(fleet_file, HONDA))
    install(connection, "Radar", "1.5.0")
    import_fleet(connection, write(fleet_file, HONDA))
    assert rows(connection, ECUS)[1][3:] == ("1.5.0", "1.4.0")
    import_fleet(connection, write(fleet_file, honda(paint="red")))
    assert rows(connection, ECUS)[1][3:] == ("1.5.0", "1.4.0")
    assert rows(connection, HISTORY) == []


@pytest.mark.parametrize(
    ("radar", "history"),
    [
        ({"sw_version": "1.4.1"}, [("Radar", "1.5.0", "1.4.1", None, "as_built")]),
        ({"hw_id": "BOSCH-MRR-EVO15"}, [("Radar", "1.5.0", "1.4.0", None, "as_built")]),
        ({"sw_version": "1.5.0"}, []),
    ],
    ids=["other software", "other hardware", "the record caught up"],
)
def test_an_ecu_whose_record_changed_is_as_the_record_says(
    radar: dict[str, str], history: list[tuple[Any, ...]], connection: Connection, fleet_file: Path
) -> None:
    import_fleet(connection, write(fleet_file, HONDA))
    install(connection, "Radar", "1.5.0")
    install(connection, "Gateway", "2.2.0")
    import_fleet(connection, write(fleet_file, honda(radar)))
    gateway, changed = rows(connection, ECUS)
    wanted = HONDA["ecus"][0] | radar
    assert changed[2:] == (wanted["hw_id"], wanted["sw_version"], wanted["sw_version"])
    assert gateway[2:] == ("CONTI-GW-002", "2.2.0", "2.1.0")
    assert rows(connection, HISTORY) == history


def test_ecus_come_and_go_with_their_record(connection: Connection, fleet_file: Path) -> None:
    other = next(as_built(1, seed=1))
    import_fleet(connection, write(fleet_file, HONDA, other))
    camera = {"name": "Camera", "hw_id": "ZF-CAM-4", "sw_version": "3.2.1"}
    import_fleet(connection, write(fleet_file, honda(ecus=[HONDA["ecus"][1], camera]), other))
    names = [name for vin, name, *_ in rows(connection, ECUS) if vin == HONDA["vin"]]
    assert names == ["Camera", "Gateway"]
    assert len(rows(connection, ECUS)) == 2 + len(other["ecus"])
    assert rows(connection, HISTORY) == [("Camera", None, "3.2.1", None, "as_built")]


BROKEN: list[tuple[dict[str, Any] | str, str, str]] = [
    ('{"vin": ', "record", "is no JSON"),
    ("[]", "record", "is no JSON object"),
    (honda(vin="1HGCM82643A004352"), "vin", "check digit"),
    ({"vin": HONDA["vin"], "ecus": HONDA["ecus"]}, "model", "is required and missing"),
    (honda(build_date=20230520), "build_date", "not a day"),
    (honda({"sw_version": ""}), "ecus.0.sw_version", "at least 1 character"),
    (honda({"serial": "7"}), "ecus.0.serial", "unknown key"),
    (honda(model="a\0b"), "model", "\\u0000"),
    (honda(paint={"a\0b": 1}), "paint", "\\u0000"),
    (json.dumps(honda(paint=1)).replace('"paint": 1', '"paint": NaN'), "attributes", "NaN"),
    (json.dumps(honda(paint=1)).replace('"paint": 1', '"paint": 1e999'), "attributes", "1e308"),
    (honda(timezone="Europe/Belrin"), "timezone", "did you mean 'Europe/Berlin'"),
    (honda(install_window={"from": "22:00", "to": "06:00"}), "record", "give timezone"),
    (honda(paint="red", attributes={"paint": "blue"}), "record", "with two values"),
]


@pytest.mark.parametrize(
    ("broken", "field", "reason"), BROKEN, ids=[f"{field} {reason}" for _, field, reason in BROKEN]
)
def test_a_bad_record_is_named_and_the_good_ones_are_kept(
    broken: dict[str, Any] | str, field: str, reason: str, connection: Connection, fleet_file: Path
) -> None:
    one, two = as_built(2, seed=1)
    result = import_fleet(connection, write(fleet_file, one, broken, two))
    assert counts(result) == (2, 0, 0, 1)
    [refusal] = result.refusals
    assert (refusal.line, refusal.index) == (2, None)
    assert [problem.field for problem in refusal.problems] == [field]
    assert reason in refusal.problems[0].cure


def test_a_bad_element_of_an_array_is_named_by_line_and_index(
    connection: Connection, fleet_file: Path
) -> None:
    one, two = as_built(2, seed=1)
    text = f"[{json.dumps(one)},\n\n{{'vin': 1}},\n{json.dumps(two)}, 7]"
    result = import_fleet(connection, write(fleet_file, text))
    assert counts(result) == (2, 0, 0, 2)
    assert [(refusal.line, refusal.index) for refusal in result.refusals] == [(3, 1), (4, 3)]


def test_an_escaped_backslash_before_u0000_is_no_nul(connection: Connection, fleet_file: Path) -> None:
    assert counts(import_fleet(connection, write(fleet_file, honda(model="a\\u0000")))) == (1, 0, 0, 0)
    assert rows(connection, VEHICLES)[0][1] == "a\\u0000"


@pytest.mark.parametrize("batch_records", [1, 2, 10])
def test_the_same_vin_twice_names_both_lines_and_keeps_the_first(
    batch_records: int, connection: Connection, fleet_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet_import, "BATCH_RECORDS", batch_records)
    other = next(as_built(1, seed=1))
    result = import_fleet(connection, write(fleet_file, HONDA, other, honda(model="Second"), "{}", HONDA))
    assert counts(result) == (2, 0, 0, 3)
    assert [refusal.line for refusal in result.refusals] == [3, 4, 5]
    assert "is already on line 1" in str(result.refusals[0])
    assert {model for _, model, *_ in rows(connection, VEHICLES)} == {"Civic_Type_R", other["model"]}


def test_a_refused_record_takes_no_vin(connection: Connection, fleet_file: Path) -> None:
    result = import_fleet(connection, write(fleet_file, honda(ecus=[]), HONDA))
    assert counts(result) == (1, 0, 0, 1)
    assert [refusal.line for refusal in result.refusals] == [1]


def test_every_refusal_is_told_and_only_the_first_are_kept(
    connection: Connection, fleet_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet_import, "KEPT_REFUSALS", 3)
    monkeypatch.setattr(fleet_import, "BATCH_RECORDS", 2)
    told: list[Refusal] = []
    result = import_fleet(connection, write(fleet_file, *["{}"] * 7), on_refusal=told.append)
    assert result.refused == 7
    assert [refusal.line for refusal in told] == [1, 2, 3, 4, 5, 6, 7]
    assert result.refusals == told[:3]


def test_progress_adds_up_to_the_file(connection: Connection, fleet_file: Path) -> None:
    write(fleet_file, *as_built(5, seed=1))
    steps: list[int] = []
    import_fleet(connection, fleet_file, on_progress=steps.append)
    assert sum(steps) == fleet_file.stat().st_size


class Cut(Exception):
    """The process died here."""


@pytest.mark.parametrize("cut_after", [1, 2, 3])
def test_an_import_cut_in_the_middle_and_started_again_gives_the_same_rows(
    cut_after: int, connection: Connection, database: str, fleet_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = list(as_built(8, seed=3))
    import_fleet(connection, write(fleet_file, *fleet))
    for record in fleet[::2]:
        record["ecus"][0]["sw_version"] = "9.9.9"
    write(fleet_file, *fleet, *as_built(2, seed=3), {"vin": "?"}, HONDA)
    monkeypatch.setattr(fleet_import, "BATCH_RECORDS", 3)
    done: list[int] = []

    def cut(read_bytes: int) -> None:
        done.append(read_bytes)
        if len(done) == cut_after:
            raise Cut

    with connect(database) as dying, pytest.raises(Cut):
        import_fleet(dying, fleet_file, on_progress=cut)
    result = import_fleet(connection, fleet_file)
    assert (result.inserted + result.updated + result.unchanged, result.refused) == (9, 3)
    changed = hashlib.sha256(repr(rows(connection, VEHICLES) + rows(connection, ECUS)).encode()).hexdigest()
    assert len(rows(connection, HISTORY)) == 4
    connection.execute("TRUNCATE vehicle, auto_confirm, ecu, software_change")
    import_fleet(connection, fleet_file)
    whole = hashlib.sha256(repr(rows(connection, VEHICLES) + rows(connection, ECUS)).encode()).hexdigest()
    assert changed == whole


def test_two_imports_at_once_take_turns(database: str, connection: Connection, tmp_path: Path) -> None:
    fleet = list(as_built(600, seed=4))
    files = [write(tmp_path / "up", *fleet), write(tmp_path / "down", *reversed(fleet))]

    def run(path: Path) -> Imported:
        with connect(database) as own:
            return import_fleet(own, path)

    for _ in range(3):
        connection.execute("TRUNCATE vehicle, auto_confirm, ecu, software_change")
        with ThreadPoolExecutor(2) as pool:
            both = [counts(result) for result in pool.map(run, files)]
        assert sorted(both) == [(0, 0, 600, 0), (600, 0, 0, 0)]


def test_an_import_leaves_nothing_behind_on_its_connection(connection: Connection, fleet_file: Path) -> None:
    import_fleet(connection, write(fleet_file, HONDA))
    temporary = "SELECT relname FROM pg_class WHERE relpersistence = 't' AND relkind = 'r'"
    assert rows(connection, temporary) == []


def test_the_sample_of_the_project_imports_whole(connection: Connection) -> None:
    sample = Path(__file__).parents[2] / "examples" / "fleet-sample.jsonl"
    assert counts(import_fleet(connection, sample)) == (5, 0, 0, 0)
    first = json.loads(sample.read_text(encoding="utf-8").splitlines()[0])
    assert first == HONDA

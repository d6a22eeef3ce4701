"""Everything a person hands to the simulator, right and wrong: scripts, files, options, commands."""

from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from simulator import BUILT_IN, Closing, Fleet, Kind, Memory, Phase, as_built
from simulator.__main__ import app, shares
from simulator.errors import InputError
from simulator.faults import scenario
from simulator.files import read_memories, read_records, read_tokens, write_memories, write_records


def test_built_in_scenarios_are_found_by_name() -> None:
    assert scenario("healthy").rules == ()
    (rule,) = scenario("faulty").rules
    assert (rule.share, rule.kind, rule.code) == (0.6, Kind.FAIL, 4201)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("faults.yaml", "rules:\n- {where: {country: DE}, share: 0.1, kind: rollback, times: 2}\n"),
        (
            "faults.json",
            '{"rules": [{"where": {"country": "DE"}, "share": 0.1, "kind": "rollback", "times": 2}]}',
        ),
    ],
)
def test_a_script_is_read_from_yaml_or_json(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    (rule,) = scenario(str(tmp_path / name)).rules
    assert (rule.where.country, rule.share, rule.kind, rule.times) == ("DE", 0.1, Kind.ROLLBACK, 2)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("rules: [{share: 2, kind: fail}]", "rules.0.share"),
        ("rules: [{share: .nan, kind: fail}]", "rules.0.share"),
        ("rules: [{share: 1, kind: explode}]", "explode"),
        ("rules: [{kind: fail}]", "rules.0.share"),
        ("rules: [{share: 1, kind: fail, wher: {}}]", "rules.0.wher"),
        ("rules: [{share: 1, kind: fail, where: {ecus: Radar}}]", "rules.0.where.ecus"),
        ("rules: [{share: 1, kind: defer, times: 0}]", "rules.0.times"),
        ("rules: [{share: 1, kind: brick, code: 7}]", "reports nothing"),
        ("duplicates: 1", "duplicates"),
        ("- {share: 1, kind: fail}", "script"),
        ("rules: [", "not readable"),
        ("", "script"),
    ],
)
def test_a_wrong_script_is_refused_with_the_place_of_the_mistake(
    tmp_path: Path, text: str, complaint: str
) -> None:
    file = tmp_path / "faults.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=complaint):
        scenario(str(file))


def test_an_unknown_scenario_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=", ".join(sorted(BUILT_IN))):
        scenario("helthy")


def test_a_fleet_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "fleet.jsonl"
    write_records(file, as_built(3, 7))
    assert [record.vin for record in read_records(file)] == [r["vin"] for r in as_built(3, 7)]


def test_a_wrong_line_is_refused_by_its_number(tmp_path: Path) -> None:
    file = tmp_path / "tokens.jsonl"
    file.write_text('{"vin": "V1", "token": "t"}\n\n{"vin": "V2", "token": ""}\n')
    with pytest.raises(InputError, match="line 3: token"):
        read_tokens(file)


def test_a_vin_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "fleet.jsonl"
    write_records(file, [*as_built(2, 7), *as_built(1, 7)])
    with pytest.raises(InputError, match="more than once"):
        read_records(file)


def test_memories_survive_a_stop(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    closing = Closing("42", Phase.SUCCEEDED, 200, "installed", 1, 200)
    memories = {"V1": Memory({"Radar": "1.4.0"}, {"Radar 1.4.0": 1}, {}, closing), "V2": Memory(bricked=True)}
    write_memories(file, memories)
    assert read_memories(file) == memories
    assert list(tmp_path.iterdir()) == [file]


def test_without_a_state_file_nothing_is_remembered(tmp_path: Path) -> None:
    assert read_memories(tmp_path / "state.json") == {}


def test_a_file_that_is_no_state_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    file.write_text('{"V1": {"installed": 4}}')
    with pytest.raises(InputError, match=r"V1\.installed"):
        read_memories(file)


def test_a_vehicle_without_a_token_is_refused_without_naming_it() -> None:
    records = list(as_built(2, 7))
    with pytest.raises(InputError, match=r"^1 of 2 vehicles have no token$"):
        Fleet("http://gateway.test", "DEFAULT", records, {records[0]["vin"]: "t"})


@pytest.mark.parametrize("option", [{"pace": 0.0}, {"connections": 0}, {"spread_seconds": -1.0}])
def test_impossible_settings_are_refused(option: dict[str, float]) -> None:
    with pytest.raises(InputError, match="pace"):
        Fleet("http://gateway.test", "DEFAULT", [], {}, **option)  # type: ignore[arg-type]


def test_model_shares_are_read_from_one_option() -> None:
    assert shares("Model_Y=0.8, Model_3=0.2") == {"Model_Y": 0.8, "Model_3": 0.2}
    with pytest.raises(ValueError, match="Model_Y"):
        shares("Model_Y")


def test_the_fleet_command_writes_json_lines(tmp_path: Path) -> None:
    file = tmp_path / "fleet.jsonl"
    arguments = ["fleet", "--vehicles", "5", "--seed", "7", "--out", str(file)]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert [orjson.loads(line) for line in file.read_bytes().splitlines()] == list(as_built(5, 7))


def test_a_wrong_option_ends_the_command_with_its_reason(tmp_path: Path) -> None:
    arguments = ["fleet", "--models", "Model_Y=0.5", "--out", str(tmp_path / "fleet.jsonl")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "sum to 1" in result.output

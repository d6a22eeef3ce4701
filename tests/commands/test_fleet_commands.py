"""The commands ``fleet`` and ``package`` as an operator runs them: output, one-line errors, exit codes."""

import hashlib
import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from commands.fleet import fleet
from commands.output import print_error
from commands.packages import package
from runtime.settings import load_settings
from store.connect import connect

EXAMPLES = Path(__file__).parents[2] / "examples"
SAMPLE = str(EXAMPLES / "fleet-sample.jsonl")
HONDA = "1HGCM82633A004352"

app = typer.Typer()
app.add_typer(fleet, name="fleet")
app.add_typer(package, name="package")


def run(*arguments: str, exit_code: int = 0) -> Result:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == exit_code, result.output
    return result


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RINGMASTER_DATA_DIR", str(tmp_path / "data"))


@pytest.fixture
def served(database: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database the commands find."""
    monkeypatch.setenv("RINGMASTER_DATABASE_URL", database)
    return database


@pytest.mark.usefixtures("served")
def test_an_import_tells_its_counts_and_may_be_repeated() -> None:
    assert run("fleet", "import", SAMPLE).stdout == "5 inserted, 0 updated, 0 unchanged, 0 refused\n"
    again = json.loads(run("fleet", "import", SAMPLE, "--json").stdout)
    assert again == {"inserted": 0, "updated": 0, "unchanged": 5, "refused": 0, "refusals": []}


@pytest.mark.usefixtures("served")
def test_refused_records_are_told_on_stderr_and_in_the_exit_code(tmp_path: Path) -> None:
    bad, errors = tmp_path / "bad.jsonl", tmp_path / "errors.jsonl"
    bad.write_text(Path(SAMPLE).read_text() + '{"vin": 1}\n' * 25)
    result = run("fleet", "import", str(bad), "--errors", str(errors), exit_code=1)
    assert result.stdout == "5 inserted, 0 updated, 0 unchanged, 25 refused\n"
    told = result.stderr.splitlines()
    assert told[0].startswith("line 6: vin = 1: Input should be a valid string; model: is required")
    assert (len(told), told[-1]) == (21, f"… 5 more, all in {errors}")
    written = [json.loads(line) for line in errors.read_text().splitlines()]
    assert [item["line"] for item in written] == list(range(6, 31))
    assert written[0]["problems"][1] == {"field": "model", "value": "", "reason": "is required and missing"}
    as_json = json.loads(run("fleet", "import", str(bad), "--json", exit_code=1).stdout)
    assert as_json["refusals"] == written


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    ("arguments", "cure"),
    [
        (["fleet", "import", "none.json"], "there is no such file"),
        (["fleet", "import", str(EXAMPLES)], "is a folder"),
        (["fleet", "import", SAMPLE, "--errors", str(EXAMPLES)], "Is a directory"),
        (["fleet", "show", HONDA], "there is no such vehicle"),
        (["fleet", "tokens", "--out", SAMPLE], "exists already"),
        (["package", "add", "none.yaml"], "No such file"),
        (["package", "show", "Pkg"], "is not registered"),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else "",
)
def test_a_refused_input_is_one_line_and_exit_code_1(arguments: list[str], cure: str) -> None:
    result = run(*arguments, exit_code=1)
    assert cure in result.stderr
    assert (result.stderr.count("\n"), result.stdout) == (1, "")


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    "arguments",
    [["fleet", "import"], ["fleet", "list", "--limit", "0"], ["fleet", "tokens"], ["package", "add"]],
)
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    run(*arguments, exit_code=2)


def test_a_wrong_setting_is_exit_code_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGMASTER_DATABASE_URL", "mysql://somewhere/fleet")
    assert "RINGMASTER_DATABASE_URL" in run("fleet", "list", exit_code=2).stderr


def test_a_missing_database_is_one_line_and_exit_code_3(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGMASTER_DATABASE_URL", "postgresql://127.0.0.1:1/fleet")
    result = run("fleet", "list", exit_code=3)
    assert "cannot reach PostgreSQL at 127.0.0.1:1/fleet" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_database_without_our_schema_is_exit_code_3(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RINGMASTER_DATABASE_URL", empty_database)
    assert "migrate" in run("fleet", "list", exit_code=3).stderr


@pytest.mark.usefixtures("served")
def test_a_list_shows_the_vehicles_asked_for() -> None:
    run("fleet", "import", SAMPLE)
    text = run("fleet", "list", "--country", "de").stdout
    assert "XP7YGCEK5PB100002" in text
    assert text.endswith("1 of 1 vehicles\n")
    found = json.loads(run("fleet", "list", "--limit", "2", "--json").stdout)
    assert (found["total"], len(found["vehicles"])) == (5, 2)


def test_a_vehicle_is_shown_with_both_versions(served: str) -> None:
    run("fleet", "import", SAMPLE)
    with connect(served) as connection:
        connection.execute("UPDATE ecu SET sw_version = '1.5.0' WHERE name = 'Radar'")
    text = run("fleet", "show", HONDA).stdout
    assert "Radar    BOSCH-MRR-EVO14  1.5.0  1.4.0" in text
    found = json.loads(run("fleet", "show", HONDA, "--json").stdout)
    assert found["ecus"][1] == {"name": "Radar", "hw_id": "BOSCH-MRR-EVO14", "now": "1.5.0", "built": "1.4.0"}


@pytest.mark.usefixtures("served")
def test_tokens_go_to_the_file_and_never_to_the_screen(tmp_path: Path) -> None:
    run("fleet", "import", SAMPLE)
    out = tmp_path / "tokens.jsonl"
    result = run("fleet", "tokens", "--out", str(out), "--vin", HONDA)
    [line] = out.read_text().splitlines()
    assert result.stdout == f"1 tokens issued to {out}\n"
    assert json.loads(line)["token"] not in result.output
    more = tmp_path / "more.jsonl"
    assert json.loads(run("fleet", "tokens", "--out", str(more), "--json").stdout) == {
        "issued": 4, "kept": 1, "out": str(more),
    }  # fmt: skip


@pytest.mark.usefixtures("served")
def test_tokens_are_replaced_with_an_overlap_and_revoked(tmp_path: Path) -> None:
    run("fleet", "import", SAMPLE)
    for name in ("a", "b"):
        out = str(tmp_path / name)
        run("fleet", "tokens", "--out", out, "--vin", HONDA, "--renew", "--overlap-hours", "48")
    run("fleet", "tokens", "--out", str(tmp_path / "c"), "--overlap-hours", "1", exit_code=2)
    assert run("fleet", "revoke", HONDA).stdout == "1 vehicles have no token any more\n"
    assert json.loads(run("fleet", "revoke", HONDA, "--json").stdout) == {"revoked": 0}
    assert "there is no such vehicle" in run("fleet", "revoke", "X", exit_code=1).stderr


@pytest.mark.usefixtures("served")
def test_a_vehicle_is_asked_for_its_configuration() -> None:
    run("fleet", "import", SAMPLE)
    assert run("fleet", "ask-config", HONDA).stdout == "0 vehicles more are asked for their configuration\n"
    assert json.loads(run("fleet", "ask-config", HONDA, "--json").stdout) == {"asked": 0}
    refused = run("fleet", "ask-config", "X", exit_code=1).stderr
    assert refused.startswith("configuration refused")
    assert "there is no such vehicle" in refused


def test_a_gateway_token_is_made_with_the_setting_that_admits_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "token"
    name, _, value = run("fleet", "gateway-token", "--out", str(out)).stdout.strip().partition("=")
    monkeypatch.setenv(name, value)
    [digest] = load_settings().gateway_token_sha256
    assert digest == hashlib.sha256(out.read_text().strip().encode()).digest()


@pytest.mark.usefixtures("served")
def test_a_package_is_added_once_listed_and_shown(tmp_path: Path) -> None:
    example = str(EXAMPLES / "winter-package.yaml")
    assert run("package", "add", example).stdout == "Pkg_v2.4 registered\n"
    assert run("package", "add", example).stdout == "Pkg_v2.4 was registered already\n"
    assert "Radar 1.4.0" in run("package", "list").stdout
    shown = json.loads(run("package", "show", "Pkg_v2.4", "--json").stdout)
    sha256 = shown["modules"][0]["artifact"]["sha256"]
    assert sha256 in run("package", "show", "Pkg_v2.4").stdout
    assert (tmp_path / "data" / "artifacts" / sha256).stat().st_size == 32 * 1024
    assert [item["name"] for item in json.loads(run("package", "list", "--json").stdout)] == ["Pkg_v2.4"]


@pytest.mark.usefixtures("served")
def test_the_folder_of_the_files_may_be_given(tmp_path: Path) -> None:
    copy = tmp_path / "package.yaml"
    copy.write_text((EXAMPLES / "winter-package.yaml").read_text())
    assert "name the folder that holds it" in run("package", "add", str(copy), exit_code=1).stderr
    run("package", "add", str(copy), "--artifacts", str(EXAMPLES / "artifacts"))


def test_an_error_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_error("key \x1b[31mred\nsecond")
    assert capsys.readouterr().err == "key [31mred second\n"

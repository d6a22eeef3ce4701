"""Registering packages, against PostgreSQL and a real folder."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from campaign.package import Package
from campaign.problems import Refused
from store.connect import Connection, connect
from store.packages import known, package, packages, read_package, register, registered

EXAMPLES = Path(__file__).parents[2] / "examples"
CONTENT = b"radar software"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
STATED = {"filename": "radar.swu", "size_bytes": len(CONTENT), "sha256": SHA256}


@pytest.fixture
def connection(database: str) -> Iterator[Connection]:
    with connect(database) as opened:
        yield opened


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "radar.swu").write_bytes(CONTENT)
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "data" / "artifacts"


def body(version: str = "1.4.0", **artifact: Any) -> dict[str, Any]:
    module = {"ecu": "Radar", "hw_ids": ["EVO14"], "version": version, "artifact": STATED | artifact}
    return {"name": "Pkg", "modules": [module]}


def make(**changes: Any) -> Package:
    return Package.model_validate(body(**changes))


def test_a_package_is_registered_with_its_file_and_all_its_hashes(
    connection: Connection, source: Path, store: Path
) -> None:
    result = register(connection, make(), source, store)
    assert (result.is_new, result.digest, result.package) == (True, make().digest, make())
    assert [path.name for path in store.iterdir()] == [SHA256]
    assert (store / SHA256).read_bytes() == CONTENT
    query = "SELECT sha256, sha1, md5, size_bytes FROM artifact"
    hashes = (hashlib.sha1(CONTENT).hexdigest(), hashlib.md5(CONTENT).hexdigest())
    assert connection.execute(query).fetchall() == [(SHA256, *hashes, len(CONTENT))]
    assert package(connection, "Pkg") == make()


def test_registering_twice_changes_nothing(connection: Connection, source: Path, store: Path) -> None:
    first = register(connection, make(), source, store)
    again = register(connection, make(), source, store)
    assert (again.is_new, again.registered_at) == (False, first.registered_at)
    assert connection.execute("SELECT count(*) FROM artifact").fetchone() == (1,)
    assert [path.name for path in store.iterdir()] == [SHA256]


def test_a_name_never_changes_its_content(connection: Connection, source: Path, store: Path) -> None:
    register(connection, make(), source, store)
    with pytest.raises(Refused, match="a name never changes its content: choose a new name"):
        register(connection, make(version="1.4.1"), source, store)
    assert package(connection, "Pkg") == make()


def test_two_packages_may_share_a_file(connection: Connection, source: Path, store: Path) -> None:
    register(connection, make(), source, store)
    register(connection, make().model_copy(update={"name": "Other"}), source, store)
    assert known(connection) == ["Other", "Pkg"]
    assert [item.package.name for item in packages(connection)] == ["Other", "Pkg"]


@pytest.mark.parametrize(
    ("artifact", "message"),
    [
        ({"size_bytes": 13}, r"radar.swu size_bytes = 13: is stated, the file has 14"),
        ({"sha256": "a" * 64}, rf"radar.swu sha256 = a{{64}}: is stated, the file has {SHA256}"),
        ({"filename": "none.swu"}, r"none.swu: cannot be read in .*source: No such file"),
    ],
)
def test_a_file_that_is_not_what_the_package_states_is_refused(
    artifact: dict[str, Any], message: str, connection: Connection, source: Path, store: Path
) -> None:
    with pytest.raises(Refused, match=message):
        register(connection, make(**artifact), source, store)
    assert known(connection) == []
    assert connection.execute("SELECT count(*) FROM artifact").fetchone() == (0,)
    assert list(store.iterdir()) == []


def test_a_damaged_copy_is_made_good(connection: Connection, source: Path, store: Path) -> None:
    register(connection, make(), source, store)
    (store / SHA256).write_bytes(b"damaged")
    register(connection, make(), source, store)
    assert (store / SHA256).read_bytes() == CONTENT


def test_an_unknown_name_is_answered_with_the_closest(
    connection: Connection, source: Path, store: Path
) -> None:
    register(connection, make(), source, store)
    with pytest.raises(Refused, match="did you mean 'Pkg'"):
        registered(connection, "Pkgs")


@pytest.mark.parametrize("left_out", [("size_bytes", "sha256"), ("size_bytes",), ("sha256",), ()], ids=str)
@pytest.mark.parametrize("suffix", [".yaml", ".json"])
def test_what_a_file_leaves_out_is_computed(
    left_out: tuple[str, ...], suffix: str, source: Path, tmp_path: Path
) -> None:
    raw = body()
    for key in left_out:
        del raw["modules"][0]["artifact"][key]
    path = tmp_path / f"package{suffix}"
    path.write_text("\ufeff" + json.dumps(raw, indent="\t" if suffix == ".json" else None))
    assert read_package(path, source) == make()


def test_what_a_file_states_is_kept_for_the_check(source: Path, tmp_path: Path) -> None:
    raw = body(size_bytes=13)
    del raw["modules"][0]["artifact"]["sha256"]
    path = tmp_path / "package.yaml"
    path.write_text(json.dumps(raw))
    assert read_package(path, source) == make(size_bytes=13)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "give one mapping"),
        ("[1]", "give one mapping"),
        ("a: [", "is neither YAML nor JSON"),
        ('{"a": }', "is neither YAML nor JSON"),
        ("name: P\nmodules: 7", "modules = 7"),
        ("name: P\nmodules: [7]", "modules.0 = 7"),
        (json.dumps(body() | {"modul": 1}), "modul = 1: unknown key; did you mean 'modules'"),
        (json.dumps(body(filename="../secret")), "modules.0.artifact.filename"),
        (
            json.dumps(body())
            .replace(f', "size_bytes": 14, "sha256": "{SHA256}"', "")
            .replace("radar", "none"),
            "none.swu: cannot be read",
        ),
    ],
)
def test_a_bad_package_file_is_refused_with_the_cure(
    text: str, message: str, source: Path, tmp_path: Path
) -> None:
    path = tmp_path / "package.yaml"
    path.write_text(text)
    with pytest.raises(Refused, match=message):
        read_package(path, source)


def test_a_missing_package_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="cannot be read: No such file"):
        read_package(tmp_path / "none.yaml", tmp_path)


def test_a_path_in_a_file_name_reaches_no_other_folder(source: Path, tmp_path: Path) -> None:
    shutil.copy(source / "radar.swu", tmp_path / "radar.swu")
    raw = body(filename="../radar.swu")
    del raw["modules"][0]["artifact"]["sha256"]
    path = tmp_path / "package.yaml"
    path.write_text(json.dumps(raw))
    with pytest.raises(Refused, match="filename"):
        read_package(path, source)


def test_the_example_registers_and_fits_its_file(connection: Connection, store: Path) -> None:
    source = EXAMPLES / "artifacts"
    read = read_package(EXAMPLES / "winter-package.yaml", source)
    assert (read.name, read.modules[0].artifact.size_bytes) == ("Pkg_v2.4", 32 * 1024)
    assert register(connection, read, source, store).is_new

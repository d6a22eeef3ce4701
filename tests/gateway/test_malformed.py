"""Rubbish in bodies: refused in the words of the protocol, or read as far as it makes sense."""

import asyncio
import contextlib
import http.client
import json
from collections.abc import Callable
from typing import Any

import cbor2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaign.assignment import Target
from gateway.body import CBOR, JSON, decoded, decoded_cbor
from gateway.errors import Refusal
from gateway.said import read_auto_confirm, read_config, read_feedback, read_installed
from tests.gateway.conftest import VIN, Gateway
from tests.gateway.world import TOKEN, World

READERS: list[Callable[[Any], Any]] = [read_feedback, read_config, read_installed, read_auto_confirm]

#: Each with the members that are read, so that what is generated gets far.
DOCUMENTS: list[dict[str, Any]] = [
    {
        "id": "1",
        "timestamp": 1,
        "status": {"execution": "closed", "result": {"finished": "none"}, "code": 1, "details": ["x"]},
    },
    {"mode": "merge", "data": {"a": "b"}},
    {"name": "radar", "version": "1.4.0"},
    {"initiator": "owner", "remark": "always"},
]

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["closed", "\0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def damaged(draw: st.DrawFn) -> Any:
    """A good document with something else in one place, or any value at all."""
    document = json.loads(json.dumps(draw(st.sampled_from(DOCUMENTS))))
    place = document
    while True:
        key = draw(st.sampled_from(sorted(place)))
        if not isinstance(place[key], dict) or draw(st.booleans()):
            break
        place = place[key]
    place[key] = draw(VALUES)
    return draw(st.just(document) | VALUES)


def bodies() -> st.SearchStrategy[tuple[str, bytes]]:
    """A type and a body that may be of it."""
    as_json = damaged().map(lambda value: json.dumps(value).encode())
    as_cbor = damaged().map(cbor2.dumps)
    cut = st.tuples(as_json | as_cbor, st.integers(0, 60)).map(lambda pair: pair[0][: pair[1]])
    return st.tuples(st.sampled_from([JSON, CBOR]), as_json | as_cbor | cut | st.binary(max_size=60))


@pytest.mark.parametrize("read", READERS)
@given(sent=bodies())
def test_what_is_read_can_be_stored_and_all_else_is_refused(
    read: Callable[[Any], Any], sent: tuple[str, bytes]
) -> None:
    kind, body = sent
    with contextlib.suppress(Refusal):
        value = read((decoded if kind == JSON else decoded_cbor)(body))
        for text in _texts(value):
            assert "\0" not in text
            text.encode()


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if hasattr(value, "details"):
        return list(value.details)
    inner = [*value, *value.values()] if isinstance(value, dict) else value
    return [text for each in inner for text in _texts(each)] if isinstance(inner, tuple | list) else []


# A pool draws a random number for each new connection, on another thread than the one that draws the bodies.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")
async def test_no_body_is_a_fault_of_the_gateway_or_moves_what_is_over(
    gateway: Gateway, world: World
) -> None:
    action = world.assign(world.vehicle(VIN), world.campaign(world.file()), Target.FAILED)
    paths = [
        ("POST", f"/deploymentBase/{action}/feedback"),
        ("POST", f"/cancelAction/{action}/feedback"),
        ("PUT", "/configData"),
        ("PUT", "/installedBase"),
        ("POST", "/confirmationBase/activateAutoConfirm"),
        ("POST", "/confirmationBase/deactivateAutoConfirm"),
    ]

    def ask(url: str) -> None:
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)

        @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
        @given(st.sampled_from(paths), bodies())
        def run(path: tuple[str, str], sent: tuple[str, bytes]) -> None:
            method, below = path
            headers = {"Authorization": f"TargetToken {TOKEN}", "Content-Type": sent[0]}
            connection.request(method, f"/DEFAULT/controller/v1/{VIN}{below}", sent[1], headers)
            response = connection.getresponse()
            response.read()
            assert response.status < 500

        try:
            run()
        finally:
            connection.close()

    async with gateway(requests_per_second=100_000) as client:
        await asyncio.to_thread(ask, client.url)
    assert world.value("SELECT state FROM assignment") == Target.FAILED.value

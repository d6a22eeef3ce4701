"""CBOR beside JSON, in and out."""

import contextlib
import re
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign.assignment import Target
from gateway.body import CBOR, decoded_cbor
from gateway.errors import Malformed
from tests.gateway.conftest import NewVehicle
from tests.gateway.world import World

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(PLAIN)
def test_plain_cbor_is_read(value: Any) -> None:
    try:
        assert decoded_cbor(cbor2.dumps(value)) == value
    except Malformed:
        assert _depth(value) >= 16


def _depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max((_depth(each) for each in inner), default=0)


@given(st.binary(max_size=400))
def test_no_bytes_are_a_fault_of_ours(body: bytes) -> None:
    with contextlib.suppress(Malformed):
        decoded_cbor(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        cbor2.dumps(2**64),
        cbor2.dumps(re.compile("a")),
        bytes.fromhex("c5821a3b9aca0003"),  # 3 * 2^1000000000
        bytes.fromhex("d81c81d81d00"),  # a list that holds itself
        bytes.fromhex("d9303901"),  # a tag nobody knows
        b"\x81" * 100 + b"\x01",
        b"\x9a\xff\xff\xff\xff",
        b"\xa1\x80\x01",
    ],
)
def test_tags_and_depths_are_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        decoded_cbor(body)


async def test_a_vehicle_may_speak_cbor_alone(new_vehicle: NewVehicle, world: World) -> None:
    vehicle, number = new_vehicle()
    action = world.assign(number, world.campaign(world.file()))
    answer = await vehicle.send("GET", headers={"Accept": CBOR})
    assert answer.headers["content-type"] == CBOR
    link = cbor2.loads(answer.body)["_links"]["deploymentBase"]["href"]
    described = await vehicle.send("GET", link, headers={"Accept": CBOR})
    assert cbor2.loads(described.body)["id"] == str(action)
    known = {"Accept": CBOR, "If-None-Match": described.headers["etag"]}
    assert (await vehicle.send("GET", link, headers=known)).status == 304
    assert (await vehicle.send("GET", link, headers=known | {"Accept": "application/json"})).status == 200
    body = cbor2.dumps({"status": {"execution": "closed", "result": {"finished": "failure"}}})
    path = f"/deploymentBase/{action}/feedback"
    assert (await vehicle.send("POST", path, data=body, headers={"Content-Type": CBOR})).status == 200
    assert world.state(number) is Target.FAILED
    config = cbor2.dumps({"data": {"hwRevision": "1.0"}})
    assert (
        await vehicle.send("PUT", "/configData", data=config, headers={"Content-Type": CBOR})
    ).status == 200
    assert world.value("SELECT reported ->> 'hwRevision' FROM vehicle") == "1.0"

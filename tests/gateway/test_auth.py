"""Who is let in."""

import hashlib

import pytest

from gateway.auth import TARGET_TOKEN, matches, presented
from tests.gateway.conftest import VIN, NewVehicle
from tests.gateway.http import Client
from tests.gateway.world import TOKEN, World

PATHS = [
    ("GET", ""),
    ("GET", "/deploymentBase/129"),
    ("POST", "/deploymentBase/129/feedback"),
    ("GET", "/cancelAction/129"),
    ("POST", "/cancelAction/129/feedback"),
    ("PUT", "/configData"),
    ("GET", "/softwaremodules/1/artifacts/radar.swu"),
    ("HEAD", "/softwaremodules/1/artifacts/radar.swu"),
]


@pytest.mark.parametrize(
    "header",
    [None, "", "TargetToken", "TargetToken ", "GatewayToken s", "Bearer s", "TargetToken " + "s" * 129],
)
def test_no_token_is_presented(header: str | None) -> None:
    assert presented(header, TARGET_TOKEN) is None


@pytest.mark.parametrize("header", ["TargetToken s", "targettoken s", "TargetToken  s "])
def test_a_token_is_presented(header: str) -> None:
    assert presented(header, TARGET_TOKEN) == "s"


@pytest.mark.parametrize(
    ("token", "token_hashes", "let_in"),
    [
        ("s", [hashlib.sha256(b"s").digest()], True),
        ("s", [hashlib.sha256(b"new").digest(), hashlib.sha256(b"s").digest()], True),
        ("S", [hashlib.sha256(b"s").digest()], False),
        ("", [hashlib.sha256(b"s").digest()], False),
        ("", [hashlib.sha256(b"").digest()], False),
        (None, [hashlib.sha256(b"").digest()], False),
        ("s", [], False),
        (None, [], False),
        ("s", [b""], False),
        ("s", [bytes(32)], False),
        ("caf\u00e9", [hashlib.sha256(b"caf\xe9").digest()], True),
    ],
)
def test_only_the_token_behind_the_hash_matches(
    token: str | None, token_hashes: list[bytes], let_in: bool
) -> None:
    assert matches(token, token_hashes) is let_in


async def test_without_the_own_token_every_path_answers_401_with_an_empty_body(
    client: Client, world: World, new_vehicle: NewVehicle
) -> None:
    new_vehicle(VIN)
    world.vehicle("5YJYGDEE0MF000002", token="another")
    world.vehicle("5YJYGDEE0MF000003", token=None)
    for vin, authorization in [
        (VIN, None),
        (VIN, "TargetToken another"),
        ("5YJYGDEE0MF000002", f"TargetToken {TOKEN}"),
        ("5YJYGDEE0MF000003", f"TargetToken {TOKEN}"),
        ("not-in-the-fleet", f"TargetToken {TOKEN}"),
        ("%00", f"TargetToken {TOKEN}"),
        ("%F0%9F%9A%97", f"TargetToken {TOKEN}"),
    ]:
        headers = {} if authorization is None else {"Authorization": authorization}
        for method, path in PATHS:
            answer = await client.send(method, f"/DEFAULT/controller/v1/{vin}{path}", headers=headers)
            assert (answer.status, answer.body) == (401, b""), (vin, authorization, method, path)


async def test_another_tenant_is_not_there(client: Client, new_vehicle: NewVehicle) -> None:
    new_vehicle()
    headers = {"Authorization": f"TargetToken {TOKEN}"}
    assert (await client.send("GET", f"/OTHER/controller/v1/{VIN}", headers=headers)).status == 404


async def test_a_controller_id_has_at_most_256_characters(client: Client) -> None:
    headers = {"Authorization": f"TargetToken {TOKEN}"}
    for length, status in [(256, 401), (257, 400)]:
        path = f"/DEFAULT/controller/v1/{'x' * length}"
        assert (await client.send("GET", path, headers=headers)).status == status

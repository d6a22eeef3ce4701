"""Tokens that the command line replaces or takes away, as vehicles notice it: at the next request.

| The operator | The old token | The new one |
|---|---|---|
| replaces the token with an overlap | lets in until the overlap is over | lets in |
| replaces it without one | lets in no more | lets in |
| revokes the tokens | lets in no more | lets in no more |
"""

from datetime import timedelta
from pathlib import Path

import orjson
import pytest

from store.connect import connect
from store.fleet import issue_tokens, revoke_tokens
from tests.gateway.conftest import VIN, NewVehicle
from tests.gateway.http import Client, Vehicle
from tests.gateway.world import TOKEN, World


def renewed(world: World, folder: Path, overlap: timedelta) -> str:
    """The new token of the vehicle."""
    out = folder / "tokens"
    with connect(world.url) as connection:
        issue_tokens(connection, out, [VIN], renew=True, overlap=overlap)
    return str(orjson.loads(out.read_bytes())["token"])


async def admitted(client: Client, *tokens: str) -> list[int]:
    """What each token is answered, by a poll and by a report."""
    vehicles = [Vehicle(client, VIN, token) for token in tokens]
    polls = [(await vehicle.poll()).status for vehicle in vehicles]
    reports = [(await vehicle.feedback(129, "proceeding")).status for vehicle in vehicles]
    assert [status == 401 for status in polls] == [status == 401 for status in reports]
    return polls


async def test_a_replaced_token_lets_in_until_its_overlap_is_over(
    new_vehicle: NewVehicle, client: Client, world: World, tmp_path: Path
) -> None:
    new_vehicle()
    assert await admitted(client, TOKEN) == [200]
    token = renewed(world, tmp_path, timedelta(hours=1))
    assert await admitted(client, TOKEN, token) == [200, 200]
    world.run("UPDATE vehicle SET former_token_until = clock_timestamp()")
    assert await admitted(client, TOKEN, token) == [401, 200]


async def test_a_token_replaced_without_an_overlap_lets_in_no_more(
    new_vehicle: NewVehicle, client: Client, world: World, tmp_path: Path
) -> None:
    new_vehicle()
    assert await admitted(client, TOKEN) == [200]
    assert await admitted(client, TOKEN, renewed(world, tmp_path, timedelta(0))) == [401, 200]


@pytest.mark.parametrize("overlap", [timedelta(0), timedelta(hours=1)])
async def test_revoked_tokens_let_in_no_more(
    new_vehicle: NewVehicle, client: Client, world: World, tmp_path: Path, overlap: timedelta
) -> None:
    new_vehicle()
    token = renewed(world, tmp_path, overlap)
    assert (await admitted(client, token)) == [200]
    with connect(world.url) as connection:
        assert revoke_tokens(connection, [VIN]) == 1
    assert await admitted(client, TOKEN, token) == [401, 401]

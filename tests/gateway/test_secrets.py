"""What a gateway process writes when it tells all it can: never a token, a password or a VIN."""

import asyncio
import hashlib
import signal
import socket
from pathlib import Path

import aiohttp
import pytest
from sqlalchemy.engine import make_url

from campaign.assignment import Target
from tests.gateway.conftest import VIN
from tests.gateway.http import Client, Vehicle
from tests.gateway.test_process import answered, free_port, gateway_process
from tests.gateway.world import TOKEN, World

GATEWAY_TOKEN = "the-token-of-all-vehicles"
WRONG = "a-token-that-is-wrong-here"
PASSWORD = "word-of-the-database"


@pytest.mark.parametrize("form", ["console", "json"])
async def test_no_token_no_password_and_no_vin_is_logged_whatever_goes_wrong(
    world: World, tmp_path: Path, form: str
) -> None:
    number = world.vehicle(VIN)
    action = world.assign(number, world.campaign(world.file()), Target.DOWNLOADING)
    port = free_port()
    with gateway_process(
        RINGMASTER_DATABASE_URL=make_url(world.url).set(password=PASSWORD).render_as_string(False),
        RINGMASTER_GATEWAY_PORT=str(port),
        RINGMASTER_DATA_DIR=str(tmp_path),
        RINGMASTER_LOG_LEVEL="DEBUG",
        RINGMASTER_LOG_FORMAT=form,
        RINGMASTER_GATEWAY_TOKEN_SHA256=hashlib.sha256(GATEWAY_TOKEN.encode()).hexdigest(),
        RINGMASTER_REQUESTS_PER_SECOND="5",
    ) as process:
        url = f"http://127.0.0.1:{port}"
        assert await answered(f"{url}/health") == 200
        async with aiohttp.ClientSession() as session:
            client = Client(session, url)
            vehicle = Vehicle(client, VIN, TOKEN)
            assert (await vehicle.poll()).status == 200
            seen = set()
            for header in (f"TargetToken {WRONG}", f"GatewayToken {GATEWAY_TOKEN}", f"Bearer {TOKEN}", WRONG):
                headers = {"Authorization": header}
                seen.add((await client.send("GET", vehicle.home, headers=headers)).status)
                seen.add((await client.send("GET", f"{vehicle.home}?token={TOKEN}", headers=headers)).status)
            assert seen == {200, 401}
            await _rubbish(port)
            # A fault of ours, with its traceback.
            world.run("ALTER TABLE report RENAME TO away")
            assert (await vehicle.feedback(action, "proceeding")).status == 500
            world.run("ALTER TABLE away RENAME TO report")
            assert 429 in [(await vehicle.poll()).status for _ in range(40)]
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=20)
    assert "request_failed" in output
    assert "UndefinedTable" in output
    for secret in (TOKEN, GATEWAY_TOKEN, WRONG, PASSWORD, VIN):
        assert secret not in output


async def _rubbish(port: int) -> None:
    """What is no HTTP, with a token and a VIN in it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, family=socket.AF_INET)
    writer.write(
        f"GET /DEFAULT/controller/v1/{VIN} NONSENSE\r\nAuthorization TargetToken {TOKEN}\r\n\r\n".encode()
    )
    await writer.drain()
    assert b"400" in await reader.read()
    writer.close()

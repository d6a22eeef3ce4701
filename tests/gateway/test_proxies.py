"""Whose word on addresses, schemes and hosts is believed."""

import pytest
from starlette.requests import Request

from campaign.assignment import Target
from gateway.proxies import Proxies
from runtime.settings import networks
from tests.gateway.conftest import VIN, Gateway
from tests.gateway.http import Vehicle
from tests.gateway.world import TOKEN, World


def request(peer: str | None, *headers: tuple[str, str]) -> Request:
    raw = [(name.lower().encode(), value.encode()) for name, value in headers]
    client = None if peer is None else (peer, 1234)
    return Request({"type": "http", "client": client, "headers": raw, "scheme": "http"})


def proxies(text: str) -> Proxies:
    return Proxies(networks(text))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.7", [], "203.0.113.7"),
        ("203.0.113.7", ["198.51.100.1"], "203.0.113.7"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("::ffff:10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1, 198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1", "198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["198.51.100.1, unknown"], "10.0.0.1"),
        ("10.0.0.1", ["10.0.0.3"], "10.0.0.1"),
        ("10.0.0.1", ["2001:db8:1:2:3::4"], "2001:db8:1:2::/64"),
        ("2001:db8::1", [], "2001:db8::/64"),
        (None, ["198.51.100.1"], ""),
        ("socket", ["198.51.100.1"], ""),
    ],
)
def test_the_client_is_the_last_hop_that_is_no_proxy(
    peer: str | None, forwarded: list[str], client: str
) -> None:
    headers = [("X-Forwarded-For", value) for value in forwarded]
    assert proxies("10.0.0.0/8").client(request(peer, *headers)) == client


def test_without_networks_nobody_is_a_proxy() -> None:
    assert not Proxies().trusts_peer(request("127.0.0.1"))
    assert not proxies("0.0.0.0/0,::/0").trusts_peer(request(None))


@pytest.mark.parametrize("trusted", [True, False])
async def test_links_follow_what_a_trusted_proxy_says_the_vehicle_named(
    gateway: Gateway, world: World, trusted: bool
) -> None:
    world.assign(world.vehicle(VIN), world.campaign(world.file()), Target.OFFERED)
    async with gateway(trusted_proxies="127.0.0.1" if trusted else "10.0.0.0/8") as client:
        vehicle = Vehicle(client, VIN, TOKEN)
        headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example, ota.example"}
        link = (await vehicle.send("GET", headers=headers)).link["deploymentBase"]
        assert link.startswith("https://ota.example/DEFAULT/" if trusted else f"{client.url}/DEFAULT/")
        odd = {"X-Forwarded-Proto": "javascript", "X-Forwarded-Host": 'x"/y'}
        link = (await vehicle.send("GET", headers=odd)).link["deploymentBase"]
        assert link.startswith("http://127.0.0.1:")

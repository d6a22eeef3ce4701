"""Who is let in beside the holder of a vehicle's own token.

| proof | let in | refused |
|---|---|---|
| gateway token | any vehicle of the fleet | when none is configured; a wrong one; who is not in the fleet |
| headers of a proxy | the vehicle they name, from a listed authority | from any other peer, or twice |
| certificate | the vehicle of its common name | any other vehicle; another authority; a revoked one |
"""

import hashlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from gateway.tls import name_of, server_context
from runtime.errors import SettingsError
from runtime.settings import Settings
from tests.gateway.conftest import VIN, Gateway
from tests.gateway.http import Answer, Client
from tests.gateway.world import TOKEN, World

HOME = f"/DEFAULT/controller/v1/{VIN}"
OTHER = "5YJYGDEE0MF000002"
SUM = hashlib.sha256(b"master").hexdigest()
GATEWAY_TOKEN = {"Authorization": "GatewayToken master"}
PROXY = {"X-Controller-Id": VIN, "X-Authority": "Vehicles CA"}
LOCAL = "127.0.0.0/8"


async def poll(client: Client, *headers: tuple[str, str], vin: str = VIN, **more: str) -> Answer:
    return await client.send("GET", HOME.replace(VIN, vin), headers=[*headers, *more.items()])


async def test_by_default_only_the_own_token_lets_in(client: Client, world: World) -> None:
    world.vehicle(VIN)
    for headers in (GATEWAY_TOKEN, PROXY, GATEWAY_TOKEN | PROXY):
        assert (await poll(client, **headers)).status == 401
    assert (await poll(client, Authorization=f"TargetToken {TOKEN}")).status == 200


async def test_a_gateway_token_lets_in_as_any_vehicle_of_the_fleet_and_as_nobody_else(
    gateway: Gateway, world: World
) -> None:
    world.vehicle(VIN)
    world.vehicle(OTHER, token=None)
    second = hashlib.sha256(b"next").hexdigest()
    async with gateway(gateway_token_sha256=f"{SUM},{second}") as client:
        for token in ("master", "next"):
            for vin, status in ((VIN, 200), (OTHER, 200), ("stranger", 401)):
                answer = await poll(client, vin=vin, Authorization=f"GatewayToken {token}")
                assert answer.status == status, (token, vin)
        for wrong in ("GatewayToken Master", "GatewayToken ", f"GatewayToken {SUM}", "TargetToken master"):
            assert (await poll(client, Authorization=wrong)).status == 401, wrong
        assert (await poll(client, Authorization=f"TargetToken {TOKEN}")).status == 200
    assert world.value("SELECT count(*) FROM vehicle") == 2


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([("X-Controller-Id", VIN), ("X-Authority", "Vehicles CA")], 200),
        ([("x-controller-id", VIN), ("x-authority", "other; vehicles ca")], 200),
        ([("X-Controller-Id", VIN), ("X-Authority-0", "other"), ("X-Authority-1", "VEHICLES CA")], 200),
        ([("X-Controller-Id", VIN)], 401),
        ([("X-Authority", "Vehicles CA")], 401),
        ([("X-Controller-Id", VIN), ("X-Authority", "other")], 401),
        ([("X-Controller-Id", VIN), ("X-Authority", "")], 401),
        ([("X-Controller-Id", VIN), ("X-Authority-x", "Vehicles CA")], 401),
        ([("X-Controller-Id", OTHER), ("X-Authority", "Vehicles CA")], 401),
        ([("X-Controller-Id", VIN), ("X-Controller-Id", OTHER), ("X-Authority", "Vehicles CA")], 401),
        ([("X-Controller-Id", VIN.lower()), ("X-Authority", "Vehicles CA")], 401),
        ([("X-Ssl-Client-Cn", VIN), ("X-Ssl-Issuer-Hash-1", "Vehicles CA")], 401),
    ],
)
async def test_a_trusted_proxy_vouches_for_the_vehicle_it_names(
    gateway: Gateway, world: World, headers: list[tuple[str, str]], status: int
) -> None:
    world.vehicle(VIN, token=None)
    world.vehicle(OTHER, token=None)
    async with gateway(trusted_proxies=LOCAL, proxy_authorities="Vehicles CA") as client:
        assert (await poll(client, *headers)).status == status


async def test_the_headers_of_others_are_believed_by_nobody(gateway: Gateway, world: World) -> None:
    world.vehicle(VIN)
    for changes in (
        {"trusted_proxies": "10.0.0.0/8,::/0", "proxy_authorities": "Vehicles CA"},
        {"trusted_proxies": LOCAL},
    ):
        async with gateway(**changes) as client:
            assert (await poll(client, **PROXY)).status == 401
            forwarded = PROXY | {"X-Forwarded-For": "10.0.0.1"}
            assert (await poll(client, **forwarded)).status == 401


async def test_the_names_of_the_headers_may_be_those_of_older_proxies(gateway: Gateway, world: World) -> None:
    world.vehicle(VIN)
    async with gateway(
        trusted_proxies=LOCAL,
        proxy_authorities="a1b2",
        proxy_controller_header="X-Ssl-Client-Cn",
        proxy_authority_header="X-Ssl-Issuer-Hash",
    ) as client:
        legacy = [("X-Ssl-Client-Cn", VIN), ("X-Ssl-Issuer-Hash-1", "a1b2")]
        assert (await poll(client, *legacy)).status == 200
        assert (await poll(client, *PROXY.items(), ("X-Authority", "a1b2"))).status == 401


@pytest.mark.parametrize(
    ("certificate", "name"),
    [
        (None, None),
        ({}, None),
        ({"subject": ((("organizationName", "x"),),)}, None),
        ({"subject": ((("organizationName", "x"),), (("commonName", VIN),))}, VIN),
        ({"subject": ((("commonName", "x"),), (("commonName", VIN),))}, None),
        ({"subject": ((("commonName", "x"), ("commonName", VIN)),)}, None),
    ],
)
def test_a_certificate_names_exactly_one_vehicle_or_none(certificate: object, name: str | None) -> None:
    assert name_of(certificate) == name


class Authority:
    """Issues the certificates of the gateway and of vehicles."""

    def __init__(self, folder: Path) -> None:
        self.ca = trustme.CA()
        self.folder = folder
        self.settings: dict[str, Any] = {
            "tls_certificate": folder / "server.pem",
            "tls_client_ca": folder / "ca.pem",
        }
        self.ca.cert_pem.write_to_path(self.settings["tls_client_ca"])
        self.ca.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
            self.settings["tls_certificate"]
        )

    def vehicle(self, name: str | None, ca: trustme.CA | None = None) -> ssl.SSLContext:
        """A vehicle's side of the connection, with a certificate of this common name, or without one."""
        context = ssl.create_default_context()
        self.ca.configure_trust(context)
        if name is not None:
            (ca or self.ca).issue_cert("vehicle.example", common_name=name).configure_cert(context)
        return context

    def revoked(self, *certificates: trustme.LeafCert) -> Path:
        """A list of revoked certificates."""
        key = serialization.load_pem_private_key(self.ca.private_key_pem.bytes(), None)
        issuer = x509.load_pem_x509_certificate(self.ca.cert_pem.bytes()).subject
        now = datetime.now(UTC)
        builder = x509.CertificateRevocationListBuilder(issuer, now, now + timedelta(days=1))
        for leaf in certificates:
            found = x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes())
            entry = x509.RevokedCertificateBuilder(found.serial_number, now).build()
            builder = builder.add_revoked_certificate(entry)
        path = self.folder / "revoked.pem"
        path.write_bytes(
            builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)  # type: ignore[arg-type]
        )
        return path


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@asynccontextmanager
async def connected(client: Client, context: ssl.SSLContext) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
        yield Client(session, client.url)


async def test_a_certificate_lets_in_as_the_vehicle_of_its_common_name(
    gateway: Gateway, world: World, authority: Authority
) -> None:
    world.vehicle(VIN, token=None)
    world.vehicle(OTHER)
    async with gateway(**authority.settings) as server:
        async with connected(server, authority.vehicle(VIN)) as client:
            answer = await poll(client)
            assert answer.status == 200
            assert (await poll(client)).status == 200  # the second request of the connection
            assert (await poll(client, vin=OTHER)).status == 401
            assert (await poll(client, vin=OTHER, Authorization=f"TargetToken {TOKEN}")).status == 200
        async with connected(server, authority.vehicle("stranger")) as client:
            assert (await poll(client, vin="stranger")).status == 401
        async with connected(server, authority.vehicle(None)) as client:
            assert (await poll(client)).status == 401
            assert (await poll(client, vin=OTHER, Authorization=f"TargetToken {TOKEN}")).status == 200
        async with connected(server, authority.vehicle(VIN, trustme.CA())) as client:
            with pytest.raises(aiohttp.ClientError):
                await poll(client)


async def test_links_of_a_connection_with_tls_are_https(
    gateway: Gateway, world: World, authority: Authority
) -> None:
    world.assign(world.vehicle(VIN), world.campaign(world.file()))
    async with gateway(**authority.settings) as server, connected(server, authority.vehicle(VIN)) as client:
        link = (await poll(client)).link["deploymentBase"]
        assert link.startswith(f"{server.url}/DEFAULT/")
        [chunk] = (await client.send("GET", link)).json["deployment"]["chunks"]
        assert set(chunk["artifacts"][0]["_links"]) == {"download", "md5sum", "download-http", "md5sum-http"}


async def test_where_a_certificate_is_required_nobody_connects_without(
    gateway: Gateway, world: World, authority: Authority
) -> None:
    world.vehicle(VIN)
    async with gateway(**authority.settings, tls_client_required=True) as server:
        async with connected(server, authority.vehicle(VIN)) as client:
            assert (await poll(client)).status == 200
        async with connected(server, authority.vehicle(None)) as client:
            with pytest.raises(aiohttp.ClientError):
                await poll(client, Authorization=f"TargetToken {TOKEN}")


async def test_a_revoked_certificate_does_not_connect(
    gateway: Gateway, world: World, authority: Authority
) -> None:
    world.vehicle(VIN)
    lost = authority.ca.issue_cert("vehicle.example", common_name=VIN)
    context = authority.vehicle(None)
    lost.configure_cert(context)
    async with gateway(**authority.settings, tls_client_crl=authority.revoked(lost)) as server:
        async with connected(server, context) as client:
            with pytest.raises(aiohttp.ClientError):
                await poll(client)
        async with connected(server, authority.vehicle(VIN)) as client:
            assert (await poll(client)).status == 200


@pytest.mark.parametrize(
    ("name", "content"),
    [("tls_certificate", None), ("tls_certificate", "rubbish"), ("tls_client_ca", "rubbish"),
     ("tls_client_crl", "rubbish")],
)  # fmt: skip
def test_a_file_that_is_no_good_is_named_with_its_setting(
    authority: Authority, tmp_path: Path, name: str, content: str | None
) -> None:
    file = tmp_path / "file"
    if content:
        file.write_text(content)
    settings = Settings(**authority.settings | {name: file})
    with pytest.raises(SettingsError, match=f"RINGMASTER_{name.upper()}: .*PEM"):
        server_context(settings)

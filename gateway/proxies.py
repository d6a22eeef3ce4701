"""Proxies before the gateway: whose forwarded headers are believed, and what they say.

Only a connection from a configured network is a proxy's. Of a list in a header the last entry counts, the one
that this proxy wrote; what stands before it a client may have sent.
"""

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

from starlette.requests import Request

from gateway.headers import header
from runtime.settings import Network

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Proxies:
    """The networks of trusted proxies; none by default."""

    def __init__(self, networks: Sequence[Network] = ()) -> None:
        self._networks = tuple(networks)

    def trusts_peer(self, request: Request) -> bool:
        """Whether the other end of the TCP connection is a trusted proxy."""
        if not self._networks:  # the address is not even read then: this is asked for every link
            return False
        return request.client is not None and self._trusts(_address(request.client.host))

    def client(self, request: Request) -> str:
        """The address of the client: the last one on the way that is no trusted proxy.

        Of an IPv6 address its network of 64 bits: a single client has all of it.
        """
        peer = _neighbourhood(_address(request.client.host if request.client else ""))
        if not self.trusts_peer(request):
            return peer
        way = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
        for hop in reversed(way):
            address = _address(hop.strip())
            if address is None:
                break  # what no proxy writes is not looked behind
            if not self._trusts(address):
                return _neighbourhood(address)
        return peer

    def scheme(self, request: Request) -> str:
        """http or https, as the client spoke it."""
        told = self.told(request, "x-forwarded-proto").lower()
        return told if told in ("http", "https") else str(request.scope["scheme"])

    def host(self, request: Request) -> str:
        """The host and port the client named."""
        return self.told(request, "x-forwarded-host") or header(request.scope, b"host") or ""

    def told(self, request: Request, header: str) -> str:
        """The last entry of a trusted proxy's header; empty from anybody else."""
        values = request.headers.getlist(header) if self.trusts_peer(request) else []
        return values[-1].rpartition(",")[2].strip() if values else ""

    def _trusts(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self._networks)


def _neighbourhood(address: Address | None) -> str:
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address or "")


@lru_cache(maxsize=4_096)  # each request has one, and behind a proxy the same ones
def _address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address

"""Absolute links that the client can reach."""

import re

from starlette.requests import Request

from gateway.proxies import Proxies

#: The headers that links go by.
GO_BY = (b"host", b"x-forwarded-host", b"x-forwarded-proto")

_HOST = re.compile(r"[A-Za-z0-9.:\[\]_-]{1,255}")


class Links:
    """Builds the address of a vehicle's resources.

    Args:
        public_url: how vehicles reach the gateway, without a slash at the end; None: by the Host they name.
        own_url: stands in where a request names no usable Host.
        proxies: whose word on the Host and the scheme counts.
    """

    def __init__(self, tenant: str, public_url: str | None, own_url: str, proxies: Proxies) -> None:
        self._proxies = proxies
        self._tenant = tenant
        self._public_url = public_url
        self._own_url = own_url

    def home(self, request: Request, vin: str) -> str:
        """The base of a vehicle's resources, without a slash at the end."""
        return f"{self._public_url or self._named(request)}/{self._tenant}/controller/v1/{vin}"

    def _named(self, request: Request) -> str:
        host = self._proxies.host(request)
        return f"{self._proxies.scheme(request)}://{host}" if _HOST.fullmatch(host) else self._own_url

"""Who is asking: ``Authorization: TargetToken <token>``, one token per vehicle.

A wrong token, none, and a vehicle that is not in the fleet get the same answer, so that VINs cannot be
probed. Only the sha256 of a token is stored.
"""

import hashlib
import hmac

from starlette.requests import Request

from gateway.errors import Malformed, Missing, Unauthorized
from gateway.fleet import Fleet
from store.polls import Standing

SCHEME = "targettoken"
TOKEN_MAX_CHARACTERS = 128
CONTROLLER_ID_MAX_CHARACTERS = 256

#: Compared with when there is no stored hash, so that both answers take the same time.
_NOBODY = bytes(hashlib.sha256().digest_size)


def presented(authorization: str | None) -> str:
    """The token in an Authorization header.

    Raises:
        Unauthorized: there is none that could be right.
    """
    scheme, _, token = (authorization or "").partition(" ")
    token = token.strip(" ")
    if scheme.lower() != SCHEME or not 0 < len(token) <= TOKEN_MAX_CHARACTERS:
        raise Unauthorized("a TargetToken is needed")
    return token


def matches(token: str, token_hash: bytes | None) -> bool:
    """Whether this is the token behind the hash, in constant time; never without a hash."""
    # Header values arrive as latin-1; this gives back the bytes that were sent.
    digest = hashlib.sha256(token.encode("latin-1")).digest()
    return hmac.compare_digest(digest, token_hash or _NOBODY) and token_hash is not None


class Authentication:
    """Finds the vehicle behind a request."""

    def __init__(self, fleet: Fleet, tenant: str) -> None:
        self._fleet = fleet
        self._tenant = tenant

    async def vehicle(self, request: Request) -> Standing:
        """The standing of the vehicle that asks.

        Raises:
            Missing: another tenant. Malformed: no controller id. Unauthorized. Unavailable.
        """
        if request.path_params["tenant"] != self._tenant:
            raise Missing("there is no such tenant")
        vin: str = request.path_params["vin"]
        if len(vin) > CONTROLLER_ID_MAX_CHARACTERS:
            raise Malformed(f"a controller id has at most {CONTROLLER_ID_MAX_CHARACTERS} characters")
        token = presented(request.headers.get("authorization"))
        # What cannot be a key is not asked for: PostgreSQL refuses NUL, and one refusal spoils a group.
        known = await self._fleet.standing(vin) if vin.isascii() and vin.isprintable() else None
        if not matches(token, known.token_hash if known else None) or known is None:
            raise Unauthorized("wrong token")
        return known

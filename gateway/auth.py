"""Who is asking. Four proofs, any one of which is enough; what is not configured lets nobody in.

- ``Authorization: TargetToken <token>``: the vehicle's own token; the sha256 is stored.
- ``Authorization: GatewayToken <token>``: any vehicle of the fleet; the sha256 is configured.
- headers of a trusted proxy that has checked the client's certificate: its name and its authority.
- the client's certificate on a connection of our own: its common name.

A wrong proof, none, and a vehicle that is not in the fleet get the same answer, so that VINs cannot be
probed. Nobody registers itself: vehicles come from as-built records alone.
"""

import asyncio
import hashlib
import hmac
import math
import re
import time
from collections.abc import Callable, Iterable, Sequence

from starlette.requests import Request

from gateway.errors import Malformed, Missing, TooOften, Unauthorized
from gateway.fleet import Fleet
from gateway.headers import header
from gateway.known import Known, Vehicle
from gateway.proxies import Proxies
from gateway.rates import Buckets
from gateway.tls import common_name
from runtime.settings import Settings
from store.polls import Standing

TARGET_TOKEN = "targettoken"  # noqa: S105  (the name of a scheme)
GATEWAY_TOKEN = "gatewaytoken"  # noqa: S105
TOKEN_MAX_CHARACTERS = 128
CONTROLLER_ID_MAX_CHARACTERS = 256

#: A burst of so many times a second's share: an update client posts 25 log lines at once.
BURST = 4
#: Wrong proofs from one address. A token is never refused for what others at its address do: many vehicles
#: share one behind a mobile network. But whoever comes from such an address and is not known yet waits in a
#: shorter queue.
FAILURES_PER_SECOND = 1
FAILURES_BURST = 60
SUSPECTS_WAITING = 500

#: Compared with when there is no stored hash, so that both answers take the same time.
_NOBODY = bytes(hashlib.sha256().digest_size)


def presented(authorization: str | None, scheme: str) -> str | None:
    """The token of this scheme (lower case) in an Authorization header; None: none that could be right."""
    named, _, token = (authorization or "").partition(" ")
    token = token.strip(" ")
    return token if named.lower() == scheme and 0 < len(token) <= TOKEN_MAX_CHARACTERS else None


def matches(token: str | None, token_hashes: Sequence[bytes | None]) -> bool:
    """Whether this is a token behind one of the hashes, in constant time; never without a hash."""
    return any(compared(token, token_hashes))


def compared(token: str | None, token_hashes: Sequence[bytes | None]) -> list[bool]:
    """The same for each of the hashes."""
    # Header values arrive as latin-1; this gives back the bytes that were sent.
    digest = hashlib.sha256((token or "").encode("latin-1")).digest()
    return [
        hmac.compare_digest(digest, token_hash or _NOBODY) and token_hash is not None and bool(token)
        for token_hash in token_hashes or (None,)
    ]


class ProxyHeaders:
    """What a trusted proxy says of the client's certificate: whose it is, and who issued it.

    Args:
        authorities: the issuers that count, in any case; none: nobody is let in.
    """

    def __init__(self, proxies: Proxies, controller: str, authority: str, authorities: Iterable[str]) -> None:
        self._proxies = proxies
        self._controller = controller
        self._authority = re.compile(rf"{re.escape(authority)}(-[0-9]+)?", re.IGNORECASE)
        self._authorities = frozenset(name.lower() for name in authorities)

    def vouch(self, request: Request, vin: str) -> bool:
        """Whether the proxy has seen a certificate of this vehicle from one of the authorities."""
        if not self._authorities or not self._proxies.trusts_peer(request):
            return False
        # Twice is once from the client: such a proxy does not clean what it is sent.
        if request.headers.getlist(self._controller) != [vin]:
            return False
        issuers = {
            issuer.strip().lower()
            for name, value in request.headers.items()
            if self._authority.fullmatch(name)
            for issuer in re.split("[;,]", value)
        }
        return not issuers.isdisjoint(self._authorities)


class Authentication:
    """Finds the vehicle behind a request, and says how often it may come.

    A proof in the Authorization header is remembered while its epoch lasts (gateway/known.py). One that the
    clock may end, a former token, is not; nor what proxies and certificates say, which costs no question.
    """

    def __init__(
        self,
        fleet: Fleet,
        known: Known,
        settings: Settings,
        proxies: Proxies,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fleet = fleet
        self._known = known
        self._tenant = settings.tenant
        self._gateway_tokens = settings.gateway_token_sha256
        self._proxies = proxies
        self._headers = ProxyHeaders(
            proxies,
            settings.proxy_controller_header,
            settings.proxy_authority_header,
            settings.proxy_authorities,
        )
        self._clock = clock
        rate = settings.requests_per_second
        self._requests: Buckets[int] = Buckets(rate, BURST * rate)
        self._failures: Buckets[str] = Buckets(FAILURES_PER_SECOND, FAILURES_BURST)

    async def vehicle(self, request: Request, waiting_items: int) -> Vehicle:
        """The vehicle that asks.

        Args:
            waiting_items: how many others may wait for the database before this one is sent away.

        Raises:
            Missing: another tenant. Malformed: no controller id. Unauthorized. TooOften. Unavailable.
        """
        vin = self._vin(request)
        proof = self._known.proof_in(request.scope, vin)
        known = None
        if proof in self._known:
            known = self._known.vehicle_id(proof, await self._epoch(waiting_items))
        if known is None:
            known = (await self.standing(request, waiting_items)).vehicle_id
        else:
            self.take(known)
        return Vehicle(known, vin)

    async def remembered(self, request: Request, waiting_items: int) -> Vehicle:
        """The vehicle that asks, out of memory where it is known: whether its epoch lasts
        (``Vehicle.known_in``) is still to be asked. Takes and raises what `vehicle` does.
        """
        vin = self._vin(request)
        known = self._known.remembered(self._known.proof_in(request.scope, vin), vin)
        if known is None:
            return await self.vehicle(request, waiting_items)
        self.take(known.vehicle_id)
        return known

    async def standing(self, request: Request, waiting_items: int) -> Standing:
        """The vehicle that asks, and where it stands; out of memory where it is idle in this epoch. Takes
        and raises what `vehicle` does.
        """
        vin = self._vin(request)
        proof = self._known.proof_in(request.scope, vin)
        if self._known.idle(proof):
            known = self._known.standing(proof, vin, await self._epoch(waiting_items))
            if known is not None:
                self.take(known.vehicle_id)
                return known
        address = self._proxies.client(request)
        if self._failures.wait(address, self._clock()):
            waiting_items = min(waiting_items, SUSPECTS_WAITING)
        try:
            vehicle, lasts = await self._identified(request, vin, waiting_items)
        except Unauthorized:
            _refuse_early(self._failures.take(address, self._clock()))
            raise
        self.take(vehicle.vehicle_id)
        if lasts:
            self._known.learn(proof, vehicle)
        return vehicle

    def take(self, vehicle_id: int) -> None:
        """One more request of a vehicle. Raises TooOften."""
        _refuse_early(self._requests.take(vehicle_id, self._clock()))

    async def _epoch(self, waiting_items: int) -> int:
        return await asyncio.shield(self._fleet.epoch(waiting_items))

    def _vin(self, request: Request) -> str:
        if request.path_params["tenant"] != self._tenant:
            raise Missing("there is no such tenant")
        vin: str = request.path_params["vin"]
        if len(vin) > CONTROLLER_ID_MAX_CHARACTERS:
            raise Malformed(f"a controller id has at most {CONTROLLER_ID_MAX_CHARACTERS} characters")
        return vin

    async def _identified(self, request: Request, vin: str, waiting_items: int) -> tuple[Standing, bool]:
        """The vehicle, and whether it may be known by its Authorization header while the epoch lasts."""
        authorization = header(request.scope, b"authorization")
        by_gateway = bool(self._gateway_tokens) and matches(
            presented(authorization, GATEWAY_TOKEN), self._gateway_tokens
        )
        vouched = by_gateway or self._vouched(request, vin)
        token = presented(authorization, TARGET_TOKEN)
        # What cannot be a key is not asked for: PostgreSQL refuses NUL, and one refusal spoils a group.
        if not (vouched or token) or not (vin.isascii() and vin.isprintable()):
            raise Unauthorized("a proof is needed")
        found = await self._fleet.standing(vin, waiting_items)
        hashes = (found.token_hash, found.former_hash) if found else (None, None)
        by_token, by_former = compared(token, hashes)
        if found is None or not (vouched or by_token or by_former):
            raise Unauthorized("wrong proof")
        return found, by_gateway or by_token

    def _vouched(self, request: Request, vin: str) -> bool:
        """Whether somebody who may speak for a vehicle of this name does."""
        return self._headers.vouch(request, vin) or common_name(request) == vin


def _refuse_early(seconds: float) -> None:
    if seconds:
        raise TooOften(math.ceil(seconds))

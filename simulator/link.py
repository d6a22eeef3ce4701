"""One vehicle's HTTP link to its gateway: sorts every answer into usable, try again, or refused."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson
from yarl import URL

from simulator.backoff import BackOff
from simulator.clock import Clock
from simulator.errors import LinkDown, Malformed, Refused
from simulator.ledger import Ledger

# As the existing clients do, only exactly 200 acknowledges (206 for a part of an artifact).
ACCEPTED = frozenset({200, 206})
# 401 too: a token that is not yet known, or being changed, is no reason to give up for ever.
TRY_AGAIN = frozenset({401, 408, 409, 425, 429})
LONGEST_RETRY_AFTER_SECONDS = 300.0  # a server's mistake must not silence the fleet for a day

# No limit on the whole: waiting for a free connection of the pool, and a large artifact, take what they take.
TIMEOUT = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=10, sock_read=30)


class Link:
    """Requests with the vehicle's token. Every request raises LinkDown or Refused unless it was accepted."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        token: str,
        *,
        vin: str,
        clock: Clock,
        back_off: BackOff,
        ledger: Ledger,
    ) -> None:
        self._session = session
        self._headers = {"Authorization": f"TargetToken {token}", "Accept": "application/json"}
        self._vin = vin
        self._clock = clock
        self._back_off = back_off
        self._ledger = ledger

    async def get(self, url: URL) -> Any:
        """The JSON at `url`."""
        async with self._request("GET", url) as response:
            body = await response.read()
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise Malformed("malformed json") from error

    async def put(self, url: URL, body: bytes) -> None:
        """Sends `body` once."""
        await self._send("PUT", url, body)

    async def deliver(self, url: URL, body: bytes) -> int:
        """POSTs the same `body` until it is settled: 200, or the status of a final refusal."""
        for wait in self.waits():
            try:
                await self._send("POST", url, body)
            except Refused as refusal:
                return refusal.status
            except LinkDown as down:
                await self._clock.sleep(max(wait, down.retry_after or 0))
            else:
                return 200
        raise AssertionError("a series of waits has no end")

    @asynccontextmanager
    async def open(self, url: URL, start: int) -> AsyncIterator[aiohttp.ClientResponse]:
        """The artifact at `url`, from byte `start` on if the server can resume; read it in the context."""
        headers = {"Accept": "application/octet-stream", "Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        async with self._request("GET", url, headers=headers) as response:
            yield response

    def waits(self) -> Iterator[float]:
        """Seconds to wait before each further attempt, in this vehicle's own rhythm."""
        return self._back_off.waits(self._vin)

    async def _send(self, method: str, url: URL, body: bytes) -> None:
        headers = {"Content-Type": "application/json"}
        async with self._request(method, url, headers=headers, data=body) as response:
            await response.read()  # to the end, or the connection could not be used again

    @asynccontextmanager
    async def _request(
        self, method: str, url: URL, *, headers: dict[str, str] | None = None, data: bytes | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            async with self._session.request(
                method, url, headers={**self._headers, **(headers or {})}, data=data, timeout=TIMEOUT
            ) as response:
                if response.status not in ACCEPTED:
                    await response.read()
                    self._ledger.note(f"http {response.status}")
                    raise _verdict(response)
                yield response
        except (aiohttp.ClientError, OSError) as error:  # OSError includes TimeoutError
            self._ledger.note("connection")
            raise LinkDown("connection") from error


def _verdict(response: aiohttp.ClientResponse) -> Exception:
    """Informational, success and redirection answers that nobody asked for are no acknowledgement either."""
    status = response.status
    if status // 100 == 4 and status not in TRY_AGAIN:
        return Refused(status)
    return LinkDown(f"http {status}", _retry_after(response))


def _retry_after(response: aiohttp.ClientResponse) -> float | None:
    text = response.headers.get("Retry-After", "")
    return min(float(text), LONGEST_RETRY_AFTER_SECONDS) if text.isdecimal() else None

"""How often one client may come: a bucket of requests each, refilled steadily. Pure: time is an argument."""

from collections.abc import Hashable
from typing import Generic, TypeVar

from gateway.recent import MOST_KEYS, Recent

Key = TypeVar("Key", bound=Hashable)

#: Sums of floats are not exact; a bucket must hold its whole burst all the same.
_ROUNDING_SECONDS = 1e-6


class Buckets(Generic[Key]):
    """One bucket per client.

    Args:
        per_second: how many requests flow back into a bucket each second.
        burst: how many a full bucket holds.
        most_clients: beyond it those who were quiet for longest are forgotten, and so get full buckets.
    """

    def __init__(self, per_second: float, burst: int, *, most_clients: int = MOST_KEYS) -> None:
        self._step = 1 / per_second
        self._depth = burst / per_second
        #: When the client's bucket will be full again, by the caller's clock.
        self._full_at: Recent[Key, float] = Recent(most_clients)

    def wait(self, client: Key, now: float) -> float:
        """Seconds until this client's next request is in order; 0: now."""
        return self._wait(self._full_at.get(client, now), now)

    def take(self, client: Key, now: float) -> float:
        """Take one request out of the bucket where it holds one; else seconds until it does."""
        full_at = self._full_at.get(client, now)
        seconds = self._wait(full_at, now)
        if seconds == 0:
            self._full_at.put(client, max(full_at, now) + self._step)
        return seconds

    def _wait(self, full_at: float, now: float) -> float:
        seconds = full_at + self._step - self._depth - now
        return seconds if seconds > _ROUNDING_SECONDS else 0.0

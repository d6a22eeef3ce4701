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
        most_clients: beyond it who was quiet for longest is forgotten, and so gets a full bucket.
    """

    def __init__(self, per_second: float, burst: int, *, most_clients: int = MOST_KEYS) -> None:
        self._step = 1 / per_second
        self._depth = burst / per_second
        #: When the client's bucket will be full again, by the caller's clock.
        self._full_at: Recent[Key, float] = Recent(most_clients)

    def wait(self, client: Key, now: float) -> float:
        """Seconds until this client's next request is in order; 0: now."""
        seconds = self._full_at.get(client, now) + self._step - self._depth - now
        return seconds if seconds > _ROUNDING_SECONDS else 0.0

    def take(self, client: Key, now: float) -> float:
        """Take one request out of the bucket where it holds one; else seconds until it does."""
        seconds = self.wait(client, now)
        if seconds == 0:
            self._full_at.put(client, max(self._full_at.get(client, now), now) + self._step)
        return seconds

"""When campaigns are ticked again: all of them evenly spread, and together no more than a worker can do.

A tick costs the same for every campaign. With few of them each is ticked as often as it was asked for; with
many the pause between two ticks of a campaign grows with their number, and its lease with the pause.
"""

import time
from collections.abc import Callable
from datetime import timedelta
from threading import Lock


class Rota:
    """Appointments for the ticks of a worker, in the order in which they are asked for.

    Nothing is kept of a campaign: one that ends leaves its appointment unused. Workers need not know of each
    other: each gives appointments for the ticks that come to it.
    """

    def __init__(
        self, interval: timedelta, per_second: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.interval = interval
        self._spacing = timedelta(seconds=1 / per_second).total_seconds()
        self._clock = clock
        self._last = 0.0
        self._lock = Lock()

    def pause(self) -> timedelta:
        """How long from now until the next tick of the campaign that is ticked now."""
        with self._lock:
            now = self._clock()
            self._last = max(now + self.interval.total_seconds(), self._last + self._spacing)
            return timedelta(seconds=self._last - now)

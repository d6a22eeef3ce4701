"""The fleet's clock: one place for time, so that a test can run it faster."""

import asyncio
import time


class Clock:
    """Real time, or `speed` times faster. Every wait goes through it, also the ones the server asked for."""

    def __init__(self, speed: float = 1.0) -> None:
        self._speed = speed

    def seconds(self) -> float:
        """Seconds since some fixed moment; never runs backwards."""
        return time.monotonic() * self._speed

    def timestamp_ms(self) -> int:
        """The date as vehicles report it: milliseconds since 1970, never sped up."""
        return time.time_ns() // 1_000_000

    async def sleep(self, seconds: float) -> None:
        """Returns after that many of this clock's seconds; at once, but never without yielding, if <= 0."""
        await asyncio.sleep(max(seconds, 0.0) / self._speed)

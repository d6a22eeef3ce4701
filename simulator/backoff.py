"""How long to wait before the next attempt."""

from collections.abc import Iterator
from dataclasses import dataclass

from simulator.chance import lot


@dataclass(frozen=True, slots=True)
class BackOff:
    """Doubles from `first_seconds` to `longest_seconds`.

    The cap is short beside a poll interval, so that a fleet is back soon after its gateway is; each wait is
    shortened by up to half, differently for each vehicle, so that it does not come back all at once.
    """

    first_seconds: float = 0.5
    longest_seconds: float = 10.0

    def waits(self, *about: object) -> Iterator[float]:
        """The waits of one series of attempts, in seconds, without end."""
        attempt, wait = 0, self.first_seconds
        while True:
            yield wait * (0.5 + 0.5 * lot("back-off", attempt, *about))
            attempt, wait = attempt + 1, min(wait * 2, self.longest_seconds)

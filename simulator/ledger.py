"""The fleet's running totals."""

import asyncio
from collections import Counter
from collections.abc import Callable

from simulator.phase import Phase


class Ledger:
    """Counts vehicles by phase as they move, and troubles by cause; wakes whoever waits for a change."""

    def __init__(self) -> None:
        self._phases: Counter[Phase] = Counter()
        self.troubles: Counter[str] = Counter()
        self._changed = asyncio.Event()

    @property
    def totals(self) -> Counter[Phase]:
        """Vehicles by phase, without the empty phases."""
        return +self._phases

    def enrol(self, phase: Phase) -> None:
        """One more vehicle."""
        self._phases[phase] += 1

    def move(self, before: Phase, after: Phase) -> None:
        """A vehicle went from one phase to another."""
        self._phases[before] -= 1
        self._phases[after] += 1
        self._changed.set()

    def note(self, trouble: str) -> None:
        """Something went wrong between a vehicle and the gateway."""
        self.troubles[trouble] += 1
        self._changed.set()

    async def until(self, condition: Callable[[], bool], timeout_seconds: float) -> None:
        """Returns once `condition` holds; it is asked again after each change.

        Raises TimeoutError, with the totals, when it does not hold in time.
        """
        try:
            async with asyncio.timeout(timeout_seconds):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise TimeoutError(
                f"not within {timeout_seconds} s: {dict(self.totals)} {dict(self.troubles)}"
            ) from None

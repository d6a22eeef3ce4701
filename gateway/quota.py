"""How much a vehicle may say of one action.

Counting costs a healthy vehicle nothing: the database is asked only about those that have said much to this
gateway. Several gateways may so take some more than the quota; none refuses before it is reached.
"""

from collections.abc import Awaitable, Callable

from gateway.errors import TooMany
from gateway.recent import Recent
from store.reports import Effect, Report

ENTRIES_MAX = 1_000

#: After so many more entries the database is asked again. Healthy vehicles say some dozens of things.
LOOK_EVERY = 100

#: What ends an action, or the request to cancel it, is always taken.
ENDING = ("closed", "rejected")


class Quota:
    """Refuses what a vehicle says beyond the quota, unless it ends the action.

    Args:
        count: how many entries a vehicle and action have, up to ENTRIES_MAX.
    """

    def __init__(self, count: Callable[[int, int], Awaitable[int]]) -> None:
        self._count = count
        #: By vehicle and action: entries known of, and at how many to look again.
        self._known: Recent[tuple[int, int], tuple[int, int]] = Recent()

    def clear(self, report: Report) -> bool:
        """Whether this report may be recorded for all that is known here."""
        known, look_at = self._known.get((report.vehicle_id, report.action), (0, LOOK_EVERY))
        return report.said.execution in ENDING or known < min(look_at, ENTRIES_MAX)

    async def check(self, report: Report) -> None:
        """Raises TooMany where this report may not be recorded."""
        if self.clear(report):
            return
        key = report.vehicle_id, report.action
        known, look_at = self._known.get(key, (0, LOOK_EVERY))
        if known >= look_at:
            known = await self._count(*key)
            self._known.put(key, (known, known + LOOK_EVERY))
        if known >= ENTRIES_MAX:
            raise TooMany(f"at most {ENTRIES_MAX} entries are kept of one action; only its end is taken now")

    def recorded(self, report: Report, effect: Effect) -> None:
        """One more entry, if the report became one."""
        if effect is not Effect.UNKNOWN:
            key = report.vehicle_id, report.action
            known, look_at = self._known.get(key, (0, LOOK_EVERY))
            self._known.put(key, (known + 1, look_at))

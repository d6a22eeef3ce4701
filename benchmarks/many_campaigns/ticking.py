"""How campaigns are kept going: whether their gates deliver, and how often their leases are renewed."""

import asyncio
import time
from dataclasses import dataclass, field
from statistics import median

from store.connect import Connection

#: How often leases are looked at, in seconds: no interval is measured finer.
LOOK = 0.5

_LEASES = """
SELECT id, lease_until, lease_until > clock_timestamp(),
       extract(epoch FROM lease_until - clock_timestamp())::float
FROM campaign WHERE gate_open
"""


@dataclass
class Ticking:
    """What was seen of all campaigns in some time."""

    seconds: float = 0.0
    campaigns: int = 0
    #: The smallest number of gates that delivered at one moment.
    delivering: int = 0
    #: The shortest time a lease had left.
    least_left: float = float("inf")
    ticks: int = 0
    #: The time between two ticks of a campaign; a last one that goes on counts as far as it was seen.
    intervals: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """Ticks of all campaigns together."""
        return self.ticks / self.seconds

    @property
    def typical(self) -> float:
        """The median time between two ticks of a campaign."""
        return median(self.intervals)

    @property
    def longest(self) -> float:
        """The longest time a campaign was without a tick."""
        return max(self.intervals)


async def watch(connection: Connection, seconds: float) -> Ticking:
    """Look at all open gates for so long."""
    seen = Ticking(delivering=1 << 30)
    began = time.monotonic()
    renewed: dict[int, tuple[object, float]] = {}
    while (now := time.monotonic()) < began + seconds:
        rows = connection.execute(_LEASES).fetchall()
        seen.campaigns = len(rows)
        seen.delivering = min(seen.delivering, sum(row[2] for row in rows))
        for campaign, until, _, left in rows:
            seen.least_left = min(seen.least_left, left)
            known, since = renewed.setdefault(campaign, (until, now))
            if known != until:
                seen.ticks += 1
                # The first one only began within the time that was watched.
                if since > began + LOOK:
                    seen.intervals.append(now - since)
                renewed[campaign] = (until, now)
        await asyncio.sleep(LOOK)
    seen.seconds = time.monotonic() - began
    seen.intervals += [time.monotonic() - since for _, since in renewed.values()]
    return seen

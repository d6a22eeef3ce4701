"""Why vehicles wait, counted beside the ticks: a look at all targets of a campaign would hold a tick up.

A count holds no lock and takes at most a hundredth of the time, so what is said is some seconds old for a
small campaign and some minutes for a million vehicles. It is in memory: a worker that starts counts anew.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from activities.transaction import transaction
from campaign.waiting import Waits
from store.waiting import waits

log = structlog.get_logger()

#: A count that takes longer is given up: what it would say is only an explanation.
_LONGEST = timedelta(minutes=1)

#: Seconds from one count to the next, at the least, and how many times as long as the last one took.
_LEAST_PAUSE, _SHARE = 10.0, 100


@dataclass
class _Count:
    """The last count of a campaign: what it found, and from when on the next one is due."""

    found: Waits | None = None
    due: float = 0.0


def _aside(work: Callable[[], None]) -> None:
    """Run in a thread of its own, which keeps no worker from ending."""
    threading.Thread(target=work, name="waits", daemon=True).start()


class Counts:
    """The last counts of the campaigns that this worker looks at, made one at a time: the ticks need the rest
    of its connections.

    Args:
        engine: where to count.
        start: what runs a count.
    """

    def __init__(self, engine: Engine, start: Callable[[Callable[[], None]], None] = _aside) -> None:
        self._engine = engine
        self._start = start
        self._counts: dict[int, _Count] = {}
        self._lock = threading.Lock()
        self._counting = False

    def latest(self, campaign_id: int) -> Waits | None:
        """Why its vehicles waited when they were last counted; None: not known yet. Counts anew when due."""
        with self._lock:
            count = self._counts.setdefault(campaign_id, _Count())
            due = not self._counting and time.monotonic() >= count.due
            self._counting = self._counting or due
        if due:
            self._start(lambda: self._look(campaign_id, count))
        return count.found

    def forget(self, campaign_id: int) -> None:
        """It delivers no more: what its vehicles waited for says nothing now."""
        with self._lock:
            self._counts.pop(campaign_id, None)

    def _look(self, campaign_id: int, count: _Count) -> None:
        began = time.monotonic()
        try:
            with transaction(self._engine, _LONGEST) as connection:
                # Beside reports and polls: one process of the server is enough for this.
                connection.execute(text("SET LOCAL max_parallel_workers_per_gather = 0"))
                count.found = waits(connection, campaign_id)
        except SQLAlchemyError as error:
            count.found = None
            log.info("waiting vehicles were not counted", campaign=campaign_id, why=type(error).__name__)
        finally:
            ended = time.monotonic()
            count.due = ended + max(_LEAST_PAUSE, _SHARE * (ended - began))
            self._counting = False

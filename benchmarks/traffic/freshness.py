"""A gate opens and is shut again while its vehicles poll at full load: no answer may be older than either.

What counts is when a poll was sent and when the commit had returned, both by the clock of this process.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from threading import Thread

from sqlalchemy import Engine

from benchmarks.traffic.client import Seen
from campaign.lifecycle import State
from store import gate
from store.connect import engine

#: What the answer to a poll holds while the gate is open.
OFFER = b"deploymentBase"

_LEASE = timedelta(days=1)


@dataclass(frozen=True)
class Freshness:
    """Polls that were sent while the gate was open, and how many were answered as if it were not; the same of
    those that were sent after it was shut.
    """

    while_open: int
    without_offer: int
    after_shut: int
    with_offer: int


class _Gate:
    """The gate of a campaign that rolls out already (benchmarks/rollout.py): its orders have number 1."""

    def __init__(self, database: Engine, campaign: int) -> None:
        self._database = database
        self._campaign = campaign
        self._seq = 1

    def open(self) -> float:
        """Returns when it is committed, by the clock of polls."""
        with self._database.begin() as connection:
            gate.open_gate(
                connection, self._campaign, self._next(), State.ROLLING_OUT, _LEASE, new_window=False
            )
        return time.perf_counter()

    def shut(self) -> float:
        """The same."""
        with self._database.begin() as connection:
            gate.shut_gate(connection, self._campaign, self._next(), State.PAUSED)
        return time.perf_counter()

    def _next(self) -> int:
        self._seq += 1
        return self._seq


def measure(url: str, campaign: int, poll: Callable[[float], Seen], seconds: float) -> Freshness:
    """A third of the time each: shut, open, shut. The gate is open before and after.

    Args:
        poll: asks for so many seconds, and looks for `OFFER` in the answers.
    """
    database = engine(url)
    door = _Gate(database, campaign)
    door.shut()
    moments: list[float] = []

    def work() -> None:
        time.sleep(seconds / 3)
        moments.append(door.open())
        time.sleep(seconds / 3)
        moments.append(time.perf_counter())
        moments.append(door.shut())

    worker = Thread(target=work)
    worker.start()
    try:
        seen = poll(seconds)
    finally:
        worker.join()
        door.open()
        database.dispose()
    opened, closing, shut = moments
    while_open = [had for at, had in zip(seen.asked_at, seen.had, strict=True) if opened < at < closing]
    after_shut = [had for at, had in zip(seen.asked_at, seen.had, strict=True) if at > shut]
    return Freshness(len(while_open), while_open.count(False), len(after_shut), after_shut.count(True))

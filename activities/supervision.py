"""Supervision by retry-polling: each attempt is one tick, and only news ends the activity.

An attempt that found nothing raises a benign retryable error that carries what it saw, so that the Temporal
UI and ``starter.py watch`` show live counts while history does not grow and no worker slot is held.
"""

import time
from datetime import timedelta
from threading import Semaphore

from sqlalchemy import Engine
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.messages import Supervised
from activities.rota import Rota
from activities.transaction import transaction
from activities.waits import Counts
from campaign.assignment import IN_FLIGHT, OPEN, TERMINAL
from campaign.glimpse import Glimpse
from campaign.pace import lease_over
from campaign.supervision import Mode, Observation, Watch, find
from store.supervision import tick

#: The error type of a tick that found nothing; its first detail is a glimpse of what it saw.
WATCHING = "Watching"

_LONGEST = timedelta(seconds=8)

#: Of the line for people: with the glimpse and a stack trace it must stay below the 4 kB that Temporal keeps.
_LONGEST_WAITING = 300

#: Between the end of a tick and the next, however long it took.
_LEAST_PAUSE = timedelta(milliseconds=100)


class Supervision:
    """Ticks.

    Args:
        lease: how long a gate stays open unsupervised, at the least.
        rota: says when a campaign is ticked again; a lease that is renewed lasts over several such pauses.
        at_once: so many ticks have a connection at the same time, so that gates always find one.
        counts: why vehicles wait.
    """

    def __init__(
        self, engine: Engine, lease: timedelta, rota: Rota, at_once: int, counts: Counts | None = None
    ) -> None:
        self._engine = engine
        self._counts = counts or Counts(engine)
        self._lease = lease
        self._rota = rota
        self._turn = Semaphore(at_once)

    @activity.defn
    def supervise(self, watch: Watch) -> Supervised:
        """Tick until there is something for the workflow to decide."""
        began, pause = time.monotonic(), self._rota.pause()
        lease = max(self._lease, lease_over(pause))
        with self._turn, transaction(self._engine, _LONGEST) as connection:
            seen = tick(connection, watch, lease)
        seen = self._with_waits(watch, seen)
        finding = find(watch, seen)
        if finding is not None:
            return Supervised(finding=finding, seen=seen)
        raise ApplicationError(
            _line(watch, seen),
            Glimpse.of(seen, watch.phase),
            type=WATCHING,
            category=ApplicationErrorCategory.BENIGN,
            # From tick to tick: what this one has cost is not waited for again.
            next_retry_delay=_left(pause, timedelta(seconds=time.monotonic() - began)),
        )

    def _with_waits(self, watch: Watch, seen: Observation) -> Observation:
        """The same with why vehicles wait, where some do and the campaign delivers."""
        if watch.mode is Mode.HOLDING or not seen.gate_open:
            self._counts.forget(watch.campaign_id)
            return seen
        if not seen.released.of(OPEN):
            return seen
        return seen.model_copy(update={"waits": self._counts.latest(watch.campaign_id)})


def _left(pause: timedelta, spent: timedelta) -> timedelta:
    return max(pause - spent, min(_LEAST_PAUSE, pause))


def _line(watch: Watch, seen: Observation) -> str:
    view = seen.phase(watch.phase)
    tally = view.tally
    return (
        f"{watch.mode}: {view.name} {tally.of(TERMINAL)} of {tally.size} over, "
        f"{tally.of(IN_FLIGHT)} in flight; {view.verdict.sentence}"
        + (f"; {_short(seen.waiting)}" if seen.waiting else "")
    )


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_WAITING else f"{text[: _LONGEST_WAITING - 1]}…"

"""Heartbeats for an activity that is one long statement and cannot beat by itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from threading import Event, Thread

from temporalio import activity

INTERVAL_SECONDS = 3.0


@contextmanager
def beating() -> Iterator[None]:
    """Tell Temporal that this worker is alive until the block ends; a dead worker is then noticed soon."""
    over = Event()

    def beat() -> None:
        while not over.wait(INTERVAL_SECONDS):
            activity.heartbeat()

    thread = Thread(target=copy_context().run, args=(beat,), name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()

"""Ticks as the supervising activity does them, timed."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from statistics import median

from sqlalchemy import Engine

from campaign.supervision import Mode, Watch
from store.supervision import tick

LEASE = timedelta(minutes=5)


def watch(campaign: int, phase: int, mode: Mode) -> Watch:
    """What the workflow orders, with no checkpoint to come."""
    return Watch(
        campaign_id=campaign,
        seq=1,
        phase=phase,
        mode=mode,
        checkpoint_at=datetime(2100, 1, 1, tzinfo=UTC),
        quorum_percent=Decimal(100),
        deadline=timedelta(days=14),
    )


def milliseconds(
    engine: Engine,
    campaign: int,
    phase: int,
    mode: Mode,
    ticks: int = 30,
    before_each: Callable[[], None] = lambda: None,
) -> float:
    """A tick with its transaction, at the median; the first ones prepare statements."""
    taken = []
    for _ in range(ticks):
        before_each()
        began = time.perf_counter()
        with engine.begin() as connection:
            tick(connection, watch(campaign, phase, mode), LEASE)
        taken.append(time.perf_counter() - began)
    return median(taken) * 1000

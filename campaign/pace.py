"""How fast a phase spreads, when it is processed, and when a health check is written down."""

from datetime import timedelta
from decimal import Decimal

from campaign.assignment import IN_FLIGHT, OPEN, STARTED, Tally
from campaign.phase import Limits

#: The history shows regular health checks; the pause between them grows with the age of the phase, so that
#: two weeks of a phase cost some eighty of them and its first hour is seen closely.
FIRST_CHECKPOINT = timedelta(minutes=1)
LAST_CHECKPOINT = timedelta(hours=6)

#: A lease outlives two missed renewals and the one that is under way, or a slow tick shuts the gate.
TICKS_PER_LEASE = 4


def lease_over(pause: timedelta) -> timedelta:
    """The shortest lease for a gate whose ticks lie so far apart."""
    return TICKS_PER_LEASE * pause


def allowance(size: int, limits: Limits, base: int, elapsed: timedelta) -> int:
    """How many of a phase may have been admitted by now; the in-flight cap is kept at the admission itself.

    Args:
        size: the vehicles of the phase.
        limits: its rate.
        base: how many had been admitted when the clock began.
        elapsed: how long that is ago; pauses do not count.
    """
    if limits.per_minute is None:
        return size
    # The first vehicle does not wait for an interval to pass.
    return min(size, base + 1 + int(limits.per_minute * (elapsed / timedelta(minutes=1))))


def processed(tally: Tally, quorum_percent: Decimal) -> bool:
    """Whether a phase is done: nobody has begun and is under way, and the quorum has an end state.

    A vehicle that holds an offer and does not begin keeps nobody waiting; its offer stands in the next phase.
    """
    over = tally.size - tally.of(OPEN) - tally.of(IN_FLIGHT)
    return tally.of(STARTED) == 0 and over * 100 >= tally.size * quorum_percent


def checkpoint_after(age: timedelta) -> timedelta:
    """How long to supervise before the numbers are written into the history again."""
    return min(max(age, FIRST_CHECKPOINT), LAST_CHECKPOINT)


def defer_back_off(attempt: int) -> timedelta:
    """How long a deferred vehicle waits for its next offer: doubling from 5 minutes up to a day."""
    doublings = min(max(attempt - 1, 0), 16)
    return min(timedelta(minutes=5 * (1 << doublings)), timedelta(days=1))

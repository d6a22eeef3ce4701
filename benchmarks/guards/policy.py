"""Ways to release a ring, and vehicles to release it to."""

from dataclasses import dataclass, replace
from datetime import timedelta

from campaign.brake import Matured, in_flight_cap
from campaign.guards import STANDARD_GUARDS, Guard, Metric
from campaign.judgement import slice_length
from campaign.phase import Limits

#: One look at the clock.
TICK = timedelta(minutes=5)
RING = 200_000
LIMITS = Limits()
FLOOR = LIMITS.in_flight_floor
#: High enough that the budget decides.
CEILING = 100_000

GUARDS: tuple[Guard, ...] = tuple(
    guard
    for guard in STANDARD_GUARDS
    if guard.metric in (Metric.INSTALLATION_SUCCESS, Metric.SILENCE, Metric.NOT_OK)
)


def ticks(time: timedelta) -> int:
    """How many looks a time is long."""
    return round(time / TICK)


#: A slice of time, the time after which a vehicle is overdue, and the time after which it is silent.
SLICE = ticks(slice_length(LIMITS.overdue))
OVERDUE = ticks(LIMITS.overdue)
SILENT = ticks(LIMITS.silent_after)


@dataclass(frozen=True)
class Policy:
    """How many may be in flight, and how failures show.

    ``budget``: vehicles that may be harmed; None: no brake. ``pace``: how many times longer than a success a
    failure takes to be reported. ``silent``: the share of the failures that is never reported. ``slice``: in
    looks, how long the vehicles of one slice of time begin after one another.
    """

    name: str
    budget: int | None
    ceiling: int = CEILING
    pace: float = 1.0
    silent: float = 0.0
    slice: int = SLICE

    def cap(self, matured: int, bad: int) -> int:
        """How many may be in flight, says the brake."""
        return in_flight_cap(Matured(vehicles=matured, bad=bad), self.budget, FLOOR, self.ceiling)


POLICIES = (
    Policy("all at once, no brake", None, RING),
    Policy("10,000 in flight, no brake", None, 10_000),
    Policy("1,000 in flight, no brake", None, 1_000),
    Policy("budget 25, failures reported", 25),
    Policy("… and at most 10,000 in flight (the default)", 25, LIMITS.in_flight),
    Policy("budget 25, failures reported 10 times faster", 25, pace=0.1),
    Policy("budget 25, half of the failures silent", 25, silent=0.5),
    Policy("budget 25, all failures silent", 25, silent=1.0),
    Policy("budget 100, failures reported", 100),
    Policy("budget 100, all failures silent", 100, silent=1.0),
)

#: What longer slices would cost where failures are silent: those of half an hour.
LONG_SLICES = tuple(
    replace(policy, name=f"{policy.name}, slices of half an hour", slice=ticks(timedelta(minutes=30)))
    for policy in POLICIES
    if policy.budget == LIMITS.harm_budget and policy.silent
)

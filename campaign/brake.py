"""The brake: how many vehicles may be under way at once, and the harm that this bounds.

The statistics of a guard cost some ten to two hundred vehicles; those under way when it trips cost thousands.
So the cap follows the evidence: budget / (upper bound of the failure rate among those that had time to
report). A healthy update multiplies it with each generation, a doubtful one holds it, a bad one shrinks it.
"""

from datetime import timedelta

from campaign.evidence import wilson_upper
from campaign.model import Message


class Matured(Message):
    """Vehicles that had time to report, and those of them that failed or have not reported: who began to
    install and has no outcome, and whose download went quiet.

    A failure that came earlier counts in both at once.
    """

    vehicles: int = 0
    bad: int = 0

    def __add__(self, other: "Matured") -> "Matured":
        return Matured.model_construct(vehicles=self.vehicles + other.vehicles, bad=self.bad + other.bad)


def in_flight_cap(matured: Matured, budget: int | None, floor: int, ceiling: int) -> int:
    """How many may be offered, downloading or installing at once.

    Args:
        budget: the expected number of harmed vehicles among those under way; None: no brake.
        floor: what is allowed before anything is known, and at the least.
        ceiling: what is allowed at the most.
    """
    if budget is None:
        return ceiling
    bad = min(matured.bad, matured.vehicles)
    if matured.vehicles == bad:
        # Only a vehicle that turned out well allows more: a budget above the floor would do so by itself.
        return min(floor, ceiling)
    rate = wilson_upper(matured.vehicles, bad)
    return min(ceiling, max(floor, int(budget / rate)))


def expected_harm(budget: int, floor: int) -> int:
    """About how many vehicles are harmed at the most, in expectation, before an update stops that fails in
    3 % or more of them. Measured by simulation (docs/guards.md); a rate that sits on the limit is bounded by
    the limit only."""
    return max(-(-budget * 7 // 4), floor + 2)


def shortest_time(vehicles: int, budget: int, latency: timedelta, rate: float = 0.003) -> timedelta:
    """The least time a healthy campaign takes under the brake: ``vehicles`` report after ``latency``, and
    ``rate`` of them fail."""
    return latency * (vehicles * rate / budget)

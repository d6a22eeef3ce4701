"""A phase of a campaign: one ring, how much of its population it takes, and how carefully."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

from pydantic import Field, field_validator, model_validator

from campaign.criteria import Criteria
from campaign.guards import Guard
from campaign.model import Frozen
from campaign.promotion import Promotion
from campaign.vehicle import Name

#: The longest wait or deadline: more is a mistyped unit, and no calendar could add it to a date.
LONGEST = timedelta(days=3660)

#: What the database's integers hold.
MOST_VEHICLES = 2**31 - 1


class Order(StrEnum):
    """Who comes first in a phase that does not take everybody."""

    RANDOM = "random"
    VOLUNTEERS_FIRST = "volunteers_first"


class Limits(Frozen):
    """How carefully a phase spreads, and how long it waits for a vehicle.

    The brake (campaign/brake.py) moves the cap between ``in_flight_floor`` and ``in_flight`` so that about
    ``harm_budget`` vehicles at most are harmed before a bad update stops; without a budget the cap is
    ``in_flight``. A vehicle is overdue when it has not reported ``overdue_after`` it began to install, and
    silent ``silent_after`` it was last heard.
    """

    in_flight: int = Field(
        default=10_000, ge=1, le=MOST_VEHICLES, description="offered, downloading or installing at once"
    )
    in_flight_floor: int = Field(default=30, ge=1, le=MOST_VEHICLES)
    harm_budget: int | None = Field(default=25, ge=1, le=MOST_VEHICLES)
    per_minute: int | None = Field(
        default=None, ge=1, le=MOST_VEHICLES, description="admissions per minute; none: no rate"
    )
    offer_timeout: timedelta = Field(default=timedelta(minutes=30), gt=timedelta(0), le=LONGEST)
    silent_after: timedelta = Field(default=timedelta(hours=24), gt=timedelta(0), le=LONGEST)
    overdue_after: timedelta | None = Field(default=None, gt=timedelta(0), le=LONGEST)

    @model_validator(mode="after")
    def _overdue_before_silent(self) -> Limits:
        if self.overdue_after is not None and self.overdue_after > self.silent_after:
            raise ValueError(
                f"overdue_after {self.overdue_after} is longer than silent_after {self.silent_after}; a "
                "vehicle is overdue first and silent later"
            )
        return self

    @property
    def overdue(self) -> timedelta:
        """When a vehicle that began to install is overdue: as given, or an eighth of ``silent_after``."""
        return self.overdue_after or self.silent_after / 8


def distinct(guards: tuple[Guard, ...]) -> tuple[Guard, ...]:
    names = [guard.name for guard in guards]
    if len(set(names)) < len(names):
        raise ValueError("two guards share a name; names must differ")
    return guards


class Phase(Frozen):
    """One ring: its population, how much of it, and the wait (bake) afterwards.

    ``rollout_percent`` is cumulative over the vehicles that match the phase; ``rollout_count`` takes exactly
    so many who are in no earlier phase.
    """

    name: Name | None = None
    criteria: Criteria | None = None
    rollout_percent: Decimal | None = Field(default=None, gt=0, le=100)
    rollout_count: int | None = Field(default=None, ge=1, le=MOST_VEHICLES)
    order: Order = Order.RANDOM
    wait_time_hours: Decimal | None = Field(default=None, ge=0, le=LONGEST // timedelta(hours=1))
    wait_time: timedelta | None = Field(default=None, ge=timedelta(0), le=LONGEST)
    quorum_percent: Decimal = Field(default=Decimal(100), gt=0, le=100)
    deadline: timedelta = Field(default=timedelta(days=14), gt=timedelta(0), le=LONGEST)
    limits: Limits | None = None
    guards: tuple[Guard, ...] | None = Field(default=None, min_length=1)
    promotion: Promotion | None = None

    _names = field_validator("guards")(lambda guards: guards and distinct(guards))

    @model_validator(mode="after")
    def _one_size_one_wait(self) -> Phase:
        if (self.rollout_percent is None) == (self.rollout_count is None):
            raise ValueError("give exactly one of rollout_percent and rollout_count")
        if self.wait_time_hours is not None and self.wait_time is not None:
            raise ValueError("give one of wait_time_hours and wait_time, not both")
        return self

    @property
    def wait(self) -> timedelta:
        """The bake: how long the phase is watched after it was processed."""
        if self.wait_time is not None:
            return self.wait_time
        return timedelta(hours=float(self.wait_time_hours or 0))


def number_and_name(phases: tuple[Phase, ...]) -> tuple[Phase, ...]:
    """The phases, each with a name; one without gets its number.

    Raises:
        ValueError: two share a name, or cumulative percents over the same vehicles do not rise.
    """
    named = tuple(
        phase if phase.name else phase.model_copy(update={"name": f"phase {number}"})
        for number, phase in enumerate(phases, start=1)
    )
    names = [phase.name for phase in named]
    if twice := sorted({str(name) for name in names if names.count(name) > 1}):
        raise ValueError(f"phase name {', '.join(twice)} is used more than once; names must differ")
    _refuse_falling_percents(named)
    return named


def _refuse_falling_percents(phases: tuple[Phase, ...]) -> None:
    """Percents are cumulative: over the same vehicles they rise, or a phase would be empty."""
    reached: dict[str, Decimal] = {}
    for phase in phases:
        if phase.rollout_percent is None:
            continue
        population = phase.criteria.model_dump_json() if phase.criteria else ""
        before = reached.get(population, Decimal(0))
        if phase.rollout_percent <= before:
            raise ValueError(
                f"{phase.name} has rollout_percent {phase.rollout_percent} after {before}; percents are "
                "cumulative and must rise"
            )
        reached[population] = phase.rollout_percent

"""The definition of a campaign: what, who and how. It is the workflow's input, word for word."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationError, field_validator, model_validator

from campaign.criteria import Criteria, ecu_names
from campaign.guards import Guard
from campaign.model import Frozen
from campaign.package import Package
from campaign.problems import Problem, Refused, explain
from campaign.vehicle import Name, TimeZone

#: A start date this long ago still counts as "now": launching takes a moment, and clocks differ.
PAST_START_TOLERANCE = timedelta(minutes=5)

#: The longest wait or deadline: more is a mistyped unit, and no calendar could add it to a date.
LONGEST = timedelta(days=3660)

#: What the database's integers hold.
MOST_VEHICLES = 2**31 - 1


class CampaignType(StrEnum):
    """``recall`` overrides the owner's install window, ``beta`` reaches pilot groups only."""

    GENERAL = "general"
    RECALL = "recall"
    BETA = "beta"


class Priority(StrEnum):
    """Which campaign is offered first to a vehicle that several campaigns want."""

    LOW = "LOW"
    NORMAL = "NORMAL"
    CRITICAL = "CRITICAL"

    @property
    def rank(self) -> int:
        """0 to 2; the higher goes first."""
        return list(Priority).index(self)


class Interaction(StrEnum):
    """Whether the owner is asked: not at all, by a banner, or told of a forced installation."""

    SILENT = "silent"
    BANNER = "banner"
    FORCED = "forced"


class Order(StrEnum):
    """Who comes first in a phase that does not take everybody."""

    RANDOM = "random"
    VOLUNTEERS_FIRST = "volunteers_first"


#: The groups a beta campaign may reach.
PILOT_GROUPS = ("internal", "volunteers")


class Limits(Frozen):
    """How carefully a phase spreads, and how long it waits for a vehicle."""

    in_flight: int = Field(
        default=1_000, ge=1, le=MOST_VEHICLES, description="offered, downloading or installing at once"
    )
    per_minute: int | None = Field(default=None, ge=1, description="admissions per minute; none: no rate")
    offer_timeout: timedelta = Field(default=timedelta(minutes=30), gt=timedelta(0), le=LONGEST)
    silent_after: timedelta = Field(default=timedelta(hours=24), gt=timedelta(0), le=LONGEST)


def _distinct(guards: tuple[Guard, ...]) -> tuple[Guard, ...]:
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

    _names = field_validator("guards")(lambda guards: guards and _distinct(guards))

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


class Definition(Frozen):
    """A whole campaign, checked as far as the text alone can be."""

    name: Name
    type: CampaignType = CampaignType.GENERAL
    priority: Priority = Priority.NORMAL
    interaction: Interaction = Interaction.SILENT
    description: str = ""
    package: Annotated[str, Field(min_length=1)] | Package
    criteria: Criteria | None = None
    exclude: Criteria | None = None
    start_date: datetime | None = None
    time_zone: TimeZone | None = None
    seed: int | None = Field(default=None, ge=0, lt=2**31)
    limits: Limits = Limits()
    guards: tuple[Guard, ...] = Field(default=(Guard(),), min_length=1)
    phases: tuple[Phase, ...] = Field(min_length=1, max_length=100)

    _names = field_validator("guards")(_distinct)

    @field_validator("phases")
    @classmethod
    def _phases_fit_together(cls, phases: tuple[Phase, ...]) -> tuple[Phase, ...]:
        named = tuple(
            phase if phase.name else phase.model_copy(update={"name": f"phase {number}"})
            for number, phase in enumerate(phases, start=1)
        )
        names = [phase.name for phase in named]
        if twice := sorted({str(name) for name in names if names.count(name) > 1}):
            raise ValueError(f"phase name {', '.join(twice)} is used more than once; names must differ")
        _refuse_falling_percents(named)
        return named

    @model_validator(mode="after")
    def _start_has_a_zone(self) -> Definition:
        if self.start_date and self.start_date.tzinfo is None and self.time_zone is None:
            raise ValueError("start_date has no offset: write 2026-12-01T02:00+01:00 or give time_zone")
        try:
            _ = self.start
        except OverflowError:
            raise ValueError("start_date in UTC lies outside the years 1 to 9999") from None
        return self

    @property
    def start(self) -> datetime | None:
        """When delivery may begin, in UTC; None: as soon as it is approved."""
        if self.start_date is None:
            return None
        zone = ZoneInfo(self.time_zone) if self.time_zone else None
        local = self.start_date if self.start_date.tzinfo else self.start_date.replace(tzinfo=zone)
        return local.astimezone(UTC)

    @property
    def order_seed(self) -> int:
        """The seed of the random order, 0 to 2**31 - 1: given, or derived from the name."""
        if self.seed is not None:
            return self.seed
        return int.from_bytes(hashlib.sha256(self.name.encode()).digest()[:4], "big") >> 1

    @property
    def package_name(self) -> str:
        return self.package if isinstance(self.package, str) else self.package.name

    @property
    def digest(self) -> str:
        """The sha256 of the definition's canonical JSON, lower-case hex."""
        return hashlib.sha256(self.model_dump_json(by_alias=True).encode()).hexdigest()

    def limits_of(self, number: int) -> Limits:
        """The limits of phase ``number`` (from 1): its own, or the campaign's."""
        return self.phases[number - 1].limits or self.limits

    def guards_of(self, number: int) -> tuple[Guard, ...]:
        """The guards of phase ``number`` (from 1): its own, or the campaign's."""
        return self.phases[number - 1].guards or self.guards

    def ecu_names(self) -> dict[str, set[str]]:
        """Every ECU name used, by the field that uses it."""
        fields = {"criteria": self.criteria, "exclude": self.exclude} | {
            f"phases.{index}.criteria": phase.criteria for index, phase in enumerate(self.phases)
        }
        return {field: ecu_names(criteria) for field, criteria in fields.items()}


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


def parse(raw: Any, now: datetime) -> Definition:
    """The definition in a decoded YAML or JSON document, at the door.

    Raises:
        Refused: with every problem found, each naming field, value and cure.
    """
    if not isinstance(raw, dict):
        raise Refused(
            [Problem("definition", type(raw).__name__, "give one mapping: name, package, phases, …")]
        )
    try:
        definition = Definition.model_validate(raw)
    except ValidationError as error:
        raise Refused(explain(error, Definition)) from error
    refuse_past_start(definition, now)
    return definition


def refuse_past_start(definition: Definition, now: datetime) -> None:
    """Refuse a start date that lies in the past by more than the tolerance.

    Raises:
        Refused: it does.
    """
    start = definition.start
    if start is not None and start < now - PAST_START_TOLERANCE:
        cure = (
            f"lies in the past (it is {now:%Y-%m-%dT%H:%M%z} now); give a later one, or none to start at once"
        )
        raise Refused([Problem("start_date", start.isoformat(), cure)])

"""The definition of a campaign: what, who and how. It is the workflow's input, word for word."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationError, field_validator, model_validator

from campaign.conflicts import OnConflict
from campaign.criteria import Criteria, Criterion
from campaign.guards import PILOT_GUARDS, STANDARD_GUARDS, Guard, Rule
from campaign.install_window import NIGHT, CampaignWindow
from campaign.journal import storable
from campaign.model import Frozen
from campaign.package import Package
from campaign.phase import Limits, Phase, distinct, number_and_name
from campaign.problems import Problem, Refused, explain
from campaign.promotion import OnInconclusive, Promotion, Requires, proving_guard
from campaign.rings import read_rings
from campaign.time_zones import TimeZone
from campaign.vehicle import Name

#: A start date this long ago still counts as "now": launching takes a moment, and clocks differ.
PAST_START_TOLERANCE = timedelta(minutes=5)


class CampaignType(StrEnum):
    """``recall`` overrides what the owner prefers, ``beta`` reaches pilot groups only."""

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
    """Whether the owner is asked: not at all, by a banner, told of a forced installation at night, or asked
    to confirm before anything is offered."""

    SILENT = "silent"
    BANNER = "banner"
    FORCED = "forced"
    CONFIRM = "confirm"


class OnAbort(StrEnum):
    """What an abort means for vehicles that download: let them finish, or ask them to cancel.

    An installation is never interrupted.
    """

    FINISH = "finish"
    CANCEL = "cancel"


#: The groups a beta campaign may reach.
PILOT_GROUPS = ("internal", "volunteers")


class Definition(Frozen):
    """A whole campaign, checked as far as the text alone can be."""

    name: Name
    type: CampaignType = CampaignType.GENERAL
    priority: Priority = Priority.NORMAL
    interaction: Interaction = Interaction.SILENT
    install_window: CampaignWindow | None = None
    message_version: Name = "1"
    description: str = ""
    package: Annotated[str, Field(min_length=1)] | Package
    criteria: Criteria | None = None
    exclude: Criteria | None = None
    start_date: datetime | None = None
    time_zone: TimeZone | None = None
    seed: int | None = Field(default=None, ge=0, lt=2**31)
    conflicts: OnConflict = OnConflict.REFUSE
    on_abort: OnAbort = OnAbort.FINISH
    limits: Limits = Limits()
    guards: tuple[Guard, ...] | None = Field(default=None, min_length=1)
    promotion: Promotion = Promotion()
    phases: tuple[Phase, ...] = Field(min_length=1, max_length=100)

    _names = field_validator("guards")(lambda guards: guards and distinct(guards))

    @field_validator("phases")
    @classmethod
    def _phases_fit_together(cls, phases: tuple[Phase, ...]) -> tuple[Phase, ...]:
        return number_and_name(phases)

    @model_validator(mode="after")
    def _start_has_a_zone(self) -> Definition:
        if self.start_date and self.start_date.tzinfo is None and self.time_zone is None:
            raise ValueError("start_date has no offset: write 2026-12-01T02:00+01:00 or give time_zone")
        try:
            _ = self.start
        except OverflowError:
            raise ValueError("start_date in UTC lies outside the years 1 to 9999") from None
        return self

    @model_validator(mode="after")
    def _promotion_can_be_decided(self) -> Definition:
        for number, phase in enumerate(self.phases, start=1):
            promotion = self.promotion_of(number)
            within = promotion.on_inconclusive is OnInconclusive.ADVANCE_WITHIN_BUDGET
            if within and self.limits_of(number).harm_budget is None:
                raise ValueError(
                    f"{phase.name}: on_inconclusive advance_within_budget needs limits.harm_budget; give "
                    "one, or approve"
                )
            guard = proving_guard(self.guards_of(number))
            if promotion.requires is Requires.BELOW_TARGET and guard.mode is not Rule.EVIDENCE:
                raise ValueError(
                    f"{phase.name}: requires below_target needs a guard in mode evidence; {guard.name} has "
                    f"mode {guard.mode}, which knows no target"
                )
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
    def window(self) -> CampaignWindow | None:
        """When vehicles may begin to install: as given, else the night where it is forced; None: always."""
        return self.install_window or (NIGHT if self.interaction is Interaction.FORCED else None)

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
        standard = PILOT_GUARDS if self.type is CampaignType.BETA else STANDARD_GUARDS
        return self.phases[number - 1].guards or self.guards or standard

    def promotion_of(self, number: int) -> Promotion:
        """When phase ``number`` (from 1) may end: as it says itself, or the campaign."""
        return self.phases[number - 1].promotion or self.promotion

    def all_criteria(self) -> dict[str, Criterion | None]:
        """Every criterion, by the field that holds it."""
        return {"criteria": self.criteria, "exclude": self.exclude} | {
            f"phases.{index}.criteria": phase.criteria for index, phase in enumerate(self.phases)
        }


def parse(raw: Any, now: datetime) -> Definition:
    """The definition in a decoded YAML or JSON document, at the door.

    Raises:
        Refused: with every problem found, each naming field, value and cure.
    """
    if unstorable := list(_unstorable(raw, "definition")):
        raise Refused(unstorable)
    if not isinstance(raw, dict):
        raise Refused(
            [Problem("definition", type(raw).__name__, "give one mapping: name, package, phases, …")]
        )
    try:
        definition = Definition.model_validate(_expand_rings(raw))
    except ValidationError as error:
        raise Refused(explain(error, Definition)) from error
    refuse_past_start(definition, now)
    return definition


def _unstorable(value: Any, field: str) -> Iterator[Problem]:
    """Texts that no database and no UTF-8 file can hold."""
    if isinstance(value, str) and storable(value) != value:
        yield Problem(field, ascii(value[:40]), "holds a NUL or half a surrogate pair; write plain text")
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield from _unstorable(key, field)
        yield from _unstorable(part, f"{field}.{key}".removeprefix("definition."))


def _expand_rings(raw: dict[str, Any]) -> dict[str, Any]:
    """``rings`` is short for the phases of the preset."""
    if "rings" not in raw:
        return raw
    if "phases" in raw:
        raise Refused([Problem("rings", "", "give phases or rings, not both")])
    rest = {key: value for key, value in raw.items() if key != "rings"}
    standard = PILOT_GUARDS if raw.get("type") == CampaignType.BETA else STANDARD_GUARDS
    guards = None if raw.get("guards") else standard
    return {**rest, "phases": read_rings(raw["rings"]).phases(guards)}


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

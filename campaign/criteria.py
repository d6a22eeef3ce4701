"""Who should get an update: criteria over what is known of a vehicle.

A criterion is a mapping whose keys must all match; ``any``, ``all`` and ``not`` combine criteria. A bare
string such as ``"Model_Y"`` is short for a model. The store compiles the same criteria to SQL
(store/matching.py); tests hold the two against each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from campaign.countries import Country
from campaign.model import Frozen
from campaign.vehicle import Vehicle
from campaign.versions import VersionRange, in_range


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Word = Annotated[str, Field(min_length=1)]
Words = Annotated[tuple[Word, ...], BeforeValidator(_as_list), Field(min_length=1)]
Countries = Annotated[tuple[Country, ...], BeforeValidator(_as_list), Field(min_length=1)]


class DateRange(Frozen):
    """Days from ``since`` up to and including ``until``."""

    since: date | None = None
    until: date | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> DateRange:
        if self.since is None and self.until is None:
            raise ValueError("give since, until or both")
        if self.since and self.until and self.since > self.until:
            raise ValueError("since is later than until; no day lies between them")
        return self

    def holds(self, day: date | None) -> bool:
        """Whether the day lies in the range; an unknown day does not."""
        if day is None:
            return False
        return (self.since is None or day >= self.since) and (self.until is None or day <= self.until)


class EcuMatch(Frozen):
    """An ECU the vehicle must have, optionally of certain hardware and software."""

    name: str = Field(min_length=1)
    hw_id: Words | None = None
    sw_version: VersionRange | None = None


class Criterion(Frozen):
    """All given keys must match; a list of words matches any of them."""

    model: Words | None = None
    country: Countries | None = None
    region: Words | None = None
    groups: Words | None = None
    build_date: DateRange | None = None
    vin_list: Words | None = None
    ecu: EcuMatch | None = None
    all: tuple[Criteria, ...] | None = Field(default=None, min_length=1)
    any: tuple[Criteria, ...] | None = Field(default=None, min_length=1)
    not_: Criteria | None = Field(default=None, alias="not")

    @model_validator(mode="before")
    @classmethod
    def _no_vins(cls, raw: Any) -> Any:
        """A definition becomes workflow history, where no VIN may be."""
        if isinstance(raw, dict) and "vins" in raw:
            raise ValueError(
                "a definition holds no VINs: keep them in a list with `fleet vin-list NAME FILE` "
                "and write vin_list: NAME"
            )
        return raw

    @model_validator(mode="after")
    def _says_something(self) -> Criterion:
        # Keys without a value (``model:`` in YAML) say no more than no key at all: that would be everybody.
        if all(value is None for _, value in self):
            raise ValueError("an empty criterion; name at least one of " + ", ".join(_keys()))
        return self


def _keys() -> list[str]:
    return [field.alias or name for name, field in Criterion.model_fields.items()]


def _from_model_name(value: Any) -> Any:
    return {"model": [value]} if isinstance(value, str) else value


Criteria = Annotated[Criterion, BeforeValidator(_from_model_name)]
Criterion.model_rebuild()


def misses(criterion: Criterion, vehicle: Vehicle) -> Iterator[str]:
    """Why a vehicle does not match, one sentence a reason; nothing where it matches."""
    if criterion.model and vehicle.model not in criterion.model:
        yield f"model is {vehicle.model}, wanted {_or(criterion.model)}"
    if criterion.country and vehicle.country not in criterion.country:
        yield f"country is {vehicle.country or 'unknown'}, wanted {_or(criterion.country)}"
    if criterion.region and vehicle.region not in criterion.region:
        yield f"region is {vehicle.region or 'unknown'}, wanted {_or(criterion.region)}"
    if criterion.groups and not set(criterion.groups) & set(vehicle.groups):
        yield f"groups are {', '.join(vehicle.groups) or 'none'}, wanted {_or(criterion.groups)}"
    if criterion.build_date and not criterion.build_date.holds(vehicle.build_date):
        yield f"build date is {vehicle.build_date or 'unknown'}, outside the wanted range"
    if criterion.vin_list and not set(criterion.vin_list) & set(vehicle.vin_lists):
        yield f"VIN is not in the list {_or(criterion.vin_list)}"
    if criterion.ecu:
        yield from _ecu_misses(criterion.ecu, vehicle)
    for part in criterion.all or ():
        yield from misses(part, vehicle)
    if criterion.any and not any(matches(part, vehicle) for part in criterion.any):
        yield "none of the alternatives matches: " + " / ".join(
            "; ".join(misses(part, vehicle)) for part in criterion.any
        )
    if criterion.not_ and matches(criterion.not_, vehicle):
        yield "matches what 'not' leaves out"


def matches(criterion: Criterion, vehicle: Vehicle) -> bool:
    """Whether the vehicle meets the criterion."""
    return next(misses(criterion, vehicle), None) is None


def ecu_names(criterion: Criterion | None) -> set[str]:
    """The names of all ECUs a criterion speaks of."""
    return {part.ecu.name for part in _parts(criterion) if part.ecu}


def _parts(criterion: Criterion | None) -> Iterator[Criterion]:
    """A criterion and all criteria inside it."""
    if criterion is None:
        return
    yield criterion
    for part in (*(criterion.all or ()), *(criterion.any or ()), criterion.not_):
        yield from _parts(part)


def vin_lists(criterion: Criterion | None) -> set[str]:
    """The names of all VIN lists a criterion speaks of."""
    return {name for part in _parts(criterion) for name in part.vin_list or ()}


def _ecu_misses(wanted: EcuMatch, vehicle: Vehicle) -> Iterator[str]:
    ecu = next((ecu for ecu in vehicle.ecus if ecu.name == wanted.name), None)
    if ecu is None:
        yield f"has no ECU {wanted.name}"
        return
    if wanted.hw_id and ecu.hw_id not in wanted.hw_id:
        yield f"{wanted.name} hardware is {ecu.hw_id}, wanted {_or(wanted.hw_id)}"
    if wanted.sw_version and not in_range(ecu.sw_version, wanted.sw_version):
        yield f"{wanted.name} software is {ecu.sw_version}, wanted {wanted.sw_version}"


def _or(words: tuple[str, ...]) -> str:
    return " or ".join(words) if len(words) <= 5 else f"one of {len(words)}"

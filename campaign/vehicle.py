"""A vehicle as it was built: the manufacturing record, taken as it comes."""

from datetime import date
from typing import Annotated, Any
from zoneinfo import available_timezones

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from campaign.countries import Country
from campaign.model import Frozen
from campaign.problems import closest
from campaign.vin import Vin

_ZONES = available_timezones()


def check_time_zone(name: str) -> str:
    """The same name, if it is an IANA time zone.

    Raises:
        ValueError: it is not; the message names the closest one.
    """
    if name not in _ZONES:
        raise ValueError(f"unknown time zone; {closest(name, _ZONES)}")
    return name


def read_day(value: object) -> object:
    """A day written as ``2023-05-20``; a bare number is refused, or it would be taken for seconds since 1970.

    Raises:
        ValueError: the text is no day, or no text was given.
    """
    if isinstance(value, date) or value is None:
        return value
    try:
        return date.fromisoformat(value.strip() if isinstance(value, str) else "")
    except ValueError:
        raise ValueError("not a day; write it as 2023-05-20") from None


TimeZone = Annotated[str, AfterValidator(check_time_zone)]
Day = Annotated[date, BeforeValidator(read_day)]
Name = Annotated[str, Field(min_length=1, max_length=100)]


class Ecu(Frozen):
    """One electronic control unit: its name in the vehicle, its hardware and its software."""

    name: Name
    hw_id: Name
    sw_version: Name


class Vehicle(Frozen):
    """A vehicle; what is known beyond these keys stands in ``attributes``."""

    vin: Vin
    model: Name
    build_date: Day | None = None
    country: Country | None = None
    region: Name | None = None
    timezone: TimeZone | None = None
    groups: tuple[Name, ...] = ()
    vin_lists: tuple[Name, ...] = ()
    install_window: dict[str, Any] | None = None
    attributes: dict[str, Any] = Field(default_factory=dict)
    ecus: tuple[Ecu, ...] = Field(min_length=1)

    @field_validator("ecus")
    @classmethod
    def _one_of_each(cls, ecus: tuple[Ecu, ...]) -> tuple[Ecu, ...]:
        names = [ecu.name for ecu in ecus]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"ECU {', '.join(twice)} appears more than once; names must differ")
        return ecus


class AsBuilt(Vehicle):
    """A manufacturing record as it comes: a key no vehicle has moves into ``attributes``, nothing is dropped.

    An ECU is stricter: an unknown key there is refused, since the ECU table has no place to keep it.
    """

    model_config = ConfigDict(extra="allow")

    #: Lists are kept by operators, not by the plant.
    vin_lists: tuple[Name, ...] = Field(default=(), max_length=0, exclude=True)

    @model_validator(mode="after")
    def _keep_unknown_keys(self) -> "AsBuilt":
        if extra := self.model_extra:
            for key in extra.keys() & self.attributes.keys():
                if extra[key] != self.attributes[key]:
                    raise ValueError(f"{key} stands beside attributes and inside, with two values; keep one")
            self.attributes.update(extra)
        return self

"""A vehicle as it was built: the manufacturing record, taken as it comes."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, field_validator, model_validator

from campaign.countries import Country
from campaign.install_window import InstallWindow
from campaign.model import Frozen
from campaign.time_zones import TimeZone
from campaign.vin import Vin


class Preference(StrEnum):
    """What an owner wants to happen with updates; nothing said counts as ``automatic``."""

    AUTOMATIC = "automatic"
    ASK = "ask"
    NEVER = "never"


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
    install_window: InstallWindow | None = None
    update_preference: Preference | None = None
    attributes: dict[str, Any] = Field(default_factory=dict)
    ecus: tuple[Ecu, ...] = Field(min_length=1)

    @field_validator("ecus")
    @classmethod
    def _one_of_each(cls, ecus: tuple[Ecu, ...]) -> tuple[Ecu, ...]:
        names = [ecu.name for ecu in ecus]
        if len(set(names)) < len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise ValueError(f"ECU {', '.join(twice)} appears more than once; names must differ")
        return ecus

    @model_validator(mode="after")
    def _window_has_a_zone(self) -> "Vehicle":
        if self.install_window is not None and self.timezone is None:
            raise ValueError(
                "install_window is in the vehicle's own time: give timezone, such as Europe/Berlin"
            )
        return self


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

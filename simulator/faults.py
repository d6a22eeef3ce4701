"""The fault script: which vehicles misbehave, how, and how often."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from simulator.errors import InputError

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Kind(StrEnum):
    """What a fault does to the vehicle it strikes."""

    FAIL = "fail"  # the installation fails; the old software stays
    CRITICAL = "critical"  # fails, and the vehicle cannot be driven or has lost a safety function
    ROLLBACK = "rollback"  # installed, failed its self test, went back to the old software
    BRICK = "brick"  # goes silent for ever after it reported that it installs
    DEFER = "defer"  # a precondition is missing; the offer is rejected, not failed
    DOWNLOAD_FAIL = "download_fail"  # cannot keep what it downloaded
    FALSE_SUCCESS = "false_success"  # reports success, having fetched and installed nothing
    FAIL_AFTER_SUCCESS_POLL = "fail_after_success_poll"  # reports success, polls once, then takes it back


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Where(_Strict):
    """Whom a rule is about; what is left out matches everybody.

    `ecu` and `hw_id` speak of one and the same ECU, and only of those that the update writes.
    """

    ecu: str | None = None
    hw_id: str | None = None
    model: str | None = None
    country: str | None = None


class Rule(_Strict):
    """One fault. `times` is how often it strikes the same vehicle with the same update; no number: always.

    A deferral strikes once unless told otherwise, because the precondition is expected to come right.
    """

    where: Where = Where()
    share: Share
    kind: Kind
    code: int | None = None
    message: Annotated[str, Field(min_length=1)] | None = None
    times: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _a_bricked_vehicle_says_nothing(self) -> Self:
        if self.kind is Kind.BRICK and (self.code, self.message, self.times) != (None, None, None):
            raise ValueError("a bricked vehicle reports nothing: leave out code, message and times")
        return self


class Script(_Strict):
    """The first rule that matches a vehicle, and whose lot falls on it, wins; the shares below add to it."""

    rules: tuple[Rule, ...] = ()
    denials: Share = 0.0  # owners who say no when they are asked
    postponements: Share = 0.0  # owners who put it off; all others confirm
    duplicate_reports: Share = 0.0  # vehicles that send every report twice
    out_of_order: Share = 0.0  # vehicles that repeat a progress report after the closing one
    dropped_downloads: Share = 0.0  # vehicles whose connection breaks once, half-way through a download


BUILT_IN: Mapping[str, Script] = {
    "healthy": Script(),
    "faulty": Script(
        rules=(
            Rule(
                where=Where(hw_id="BOSCH-MRR-EVO15"),
                share=0.6,
                kind=Kind.FAIL,
                code=4201,
                message="radar self test failed after flashing",
            ),
        )
    ),
}


def scenario(name: str) -> Script:
    """The built-in script of that name, or the one in the YAML or JSON file of that name.

    Raises InputError, with the offending place and value, when it is neither or does not validate.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]
    path = Path(name)
    if not path.is_file():
        raise InputError(f"no scenario {name!r}: neither a file nor one of {', '.join(sorted(BUILT_IN))}")
    try:
        return Script.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{name}: not readable as YAML or JSON: {error}") from error
    except ValidationError as error:
        raise InputError(f"{name}: " + "; ".join(_explain(error))) from error


def _explain(error: ValidationError) -> list[str]:
    return [
        f"{'.'.join(map(str, problem['loc'])) or 'script'}: {problem['msg']} (got {problem['input']!r})"
        for problem in error.errors()
    ]

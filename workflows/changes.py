"""A change of limits while a campaign runs: checked by a validator, so that a wrong one costs no event."""

from decimal import Decimal
from typing import Any

from pydantic import Field, ValidationError, model_validator

from campaign.model import Frozen
from campaign.phase import MOST_VEHICLES
from campaign.problems import explain


class LimitsOrder(Frozen):
    """What should change, from the present phase on; what is absent stays."""

    in_flight: int | None = Field(default=None, ge=1, le=MOST_VEHICLES)
    per_minute: int | None = Field(default=None, ge=1, le=MOST_VEHICLES)
    failure_limit: Decimal | None = Field(default=None, ge=0, lt=1)
    by: str = "operator"
    reason: str = ""

    @model_validator(mode="after")
    def _changes_something(self) -> "LimitsOrder":
        if self.in_flight is None and self.per_minute is None and self.failure_limit is None:
            raise ValueError("give at least one of in_flight, per_minute and failure_limit")
        return self

    def sentence(self) -> str:
        """One line for the journal."""
        new = [
            f"{name} = {getattr(self, name)}"
            for name in ("in_flight", "per_minute", "failure_limit")
            if getattr(self, name) is not None
        ]
        return f"limits changed by {self.by}: {', '.join(new)}" + (f" ({self.reason})" if self.reason else "")


def read_limits_order(request: Any) -> LimitsOrder:
    """The order in an update's input.

    Raises:
        ValueError: with every problem, one line.
    """
    try:
        return LimitsOrder.model_validate(request if isinstance(request, dict) else {})
    except ValidationError as error:
        raise ValueError("; ".join(map(str, explain(error, LimitsOrder)))) from None

"""Changes while a campaign runs: checked by validators, so that a wrong one costs no event."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field, ValidationError

from campaign.cohorts import Cohort
from campaign.guards import Guard
from campaign.model import Frozen
from campaign.phase import MOST_VEHICLES
from campaign.problems import explain
from campaign.promotion import proving_guard
from workflows.orders import Order, read_order

_LIMITS = ("in_flight", "in_flight_floor", "harm_budget", "per_minute")

_Rate = Annotated[Decimal, Field(ge=0, lt=1)]


class LimitsOrder(Frozen):
    """What should change, from the present phase on; what is absent stays.

    ``guards`` gives new limits by the names of guards; ``failure_limit`` is that of the guard that stands for
    the success of the update.
    """

    in_flight: int | None = Field(default=None, ge=1, le=MOST_VEHICLES)
    in_flight_floor: int | None = Field(default=None, ge=1, le=MOST_VEHICLES)
    harm_budget: int | None = Field(default=None, ge=1, le=MOST_VEHICLES)
    per_minute: int | None = Field(default=None, ge=1, le=MOST_VEHICLES)
    failure_limit: _Rate | None = None
    guards: dict[str, _Rate] = Field(default_factory=dict)
    by: str = "operator"
    reason: str = ""

    def limits(self) -> dict[str, int]:
        """The limits that change, by name."""
        return {name: getattr(self, name) for name in _LIMITS if getattr(self, name) is not None}

    def guard_limits(self, guards: Sequence[Guard]) -> dict[str, Decimal]:
        """The limits of guards that change, by the name of the guard."""
        main = {} if self.failure_limit is None else {proving_guard(guards).name: self.failure_limit}
        return main | self.guards

    def sentence(self) -> str:
        """One line for the journal."""
        new = [f"{name} = {value}" for name, value in self.limits().items()]
        new += [f"failure_limit = {self.failure_limit}"] if self.failure_limit is not None else []
        new += [f"{name} > {limit}" for name, limit in self.guards.items()]
        return f"limits changed by {self.by}: {', '.join(new)}" + (f" ({self.reason})" if self.reason else "")


def read_limits_order(request: Any) -> LimitsOrder:
    """The order in an update's input.

    Raises:
        ValueError: with every problem, one line.
    """
    try:
        order = LimitsOrder.model_validate(request if isinstance(request, dict) else {})
    except ValidationError as error:
        raise ValueError("; ".join(map(str, explain(error, LimitsOrder)))) from None
    if not order.limits() and order.failure_limit is None and not order.guards:
        raise ValueError(f"give at least one of {', '.join(_LIMITS)}, failure_limit and guards")
    return order


def read_exclusion(request: Any) -> tuple[Cohort, Order]:
    """The cohort and the order in an update's input: ``{cohort, by, reason}``, or the cohort alone.

    Raises:
        ValueError: it names no cohort.
    """
    if isinstance(request, dict):
        return Cohort.read(request.get("cohort", "")), read_order(request)
    return Cohort.read("" if request is None else request), read_order(None)

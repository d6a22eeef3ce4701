"""The four standard rings as a preset."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from pydantic import Field, ValidationError

from campaign.countries import Country
from campaign.criteria import Criterion
from campaign.guards import STANDARD_GUARDS, Guard, Metric, Rule, standard
from campaign.model import Frozen
from campaign.phase import Order, Phase
from campaign.problems import Refused, explain

_DAY = timedelta(days=1)

#: A test fleet is too small for statistics, and a person is there anyway.
_ANY_FAILURE = standard(Metric.FAILURE, name="any_failure", mode=Rule.COUNT)


class StandardRings(Frozen):
    """Test fleet, canary, regional, global.

    ``country`` is where the regional ring takes place; ``test_fleet`` is how many internal vehicles go first;
    the canary takes customers at random, or volunteers first.
    """

    country: Country
    test_fleet: int = Field(default=30, ge=10, le=50)
    volunteers_first: bool = False

    def phases(self, guards: tuple[Guard, ...] | None = STANDARD_GUARDS) -> tuple[Phase, ...]:
        """The rings, in order.

        Args:
            guards: those of the campaign's type, to which the test fleet adds its own; None: the definition
                names guards, and exactly these watch every ring.
        """
        internal = Criterion(groups=("internal",))
        return (
            Phase(
                name="test fleet",
                criteria=internal,
                rollout_count=self.test_fleet,
                wait_time=_DAY,
                guards=None if guards is None else (*guards, _ANY_FAILURE),
            ),
            Phase(
                name="canary",
                criteria=Criterion(**{"not": internal}),
                rollout_count=1_000,
                order=Order.VOLUNTEERS_FIRST if self.volunteers_first else Order.RANDOM,
                wait_time=_DAY,
            ),
            Phase(
                name="regional",
                criteria=Criterion(country=(self.country,)),
                rollout_count=10_000,
                wait_time=2 * _DAY,
            ),
            Phase(name="global", rollout_percent=Decimal(100)),
        )


def standard_rings(
    country: str, *, test_fleet: int = 30, volunteers_first: bool = False
) -> tuple[Phase, ...]:
    """The preset for a starter script; see ``StandardRings``.

    Raises:
        Refused: the test fleet is not 10 to 50 vehicles, or the country unknown.
    """
    given = {"country": country, "test_fleet": test_fleet, "volunteers_first": volunteers_first}
    return read_rings(given).phases()


def read_rings(given: Any) -> StandardRings:
    """The preset behind ``rings`` in a definition.

    Raises:
        Refused: with every problem.
    """
    try:
        return StandardRings.model_validate(given)
    except ValidationError as error:
        problems = explain(error, StandardRings)
        raise Refused([replace(problem, field=f"rings.{problem.field}") for problem in problems]) from error

"""The door and the selection."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy import Engine
from sqlalchemy.exc import DataError, ProgrammingError
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.beating import beating
from activities.messages import Registered, Registration, Selection
from activities.transaction import transaction
from campaign.definition import Definition
from campaign.problems import Refused
from store import campaigns

#: The error type of an input that only a person can mend; never retried.
REFUSED = "Refused"

_LONGEST = timedelta(minutes=25)


class Targeting:
    """Registers campaigns and freezes their targets."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @activity.defn
    def register(self, order: Registration) -> Registered:
        """Check a definition against fleet and packages and store it."""
        definition = Definition.model_validate(order.definition)
        with _refusing(), beating(), transaction(self._engine, _LONGEST) as connection:
            found = campaigns.register(connection, definition, order.workflow_id, order.first_run_id)
        return Registered(
            campaign_id=found.campaign_id,
            package=found.package.name,
            modules=tuple(f"{module.ecu} {module.version}" for module in found.package.modules),
            sizes=found.sizes,
        )

    @activity.defn
    def select_targets(self, campaign_id: int) -> Selection:
        """Freeze targets, phases and the facts they were decided on."""
        with _refusing(), beating(), transaction(self._engine, _LONGEST) as connection:
            return Selection(sizes=campaigns.select_targets(connection, campaign_id))


@contextmanager
def _refusing() -> Iterator[None]:
    """What only a person can mend is never tried again; the database's own text stays out of history."""
    try:
        yield
    except Refused as error:
        raise ApplicationError(str(error), type=REFUSED, non_retryable=True) from None
    except (DataError, ProgrammingError) as error:
        kind = type(error.orig).__name__
        raise ApplicationError(
            f"definition refused: the database cannot take one of its values ({kind})",
            type=REFUSED,
            non_retryable=True,
        ) from None

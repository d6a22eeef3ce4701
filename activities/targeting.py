"""The door and the selection."""

from datetime import timedelta

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.beating import beating
from activities.messages import Registered, Registration, Selection
from activities.refusing import refusing
from activities.transaction import transaction
from campaign.definition import Definition
from store import campaigns

log = structlog.get_logger()

_LONGEST = timedelta(minutes=25)

#: How long PostgreSQL may look at what was selected; a second for millions.
_LOOK = timedelta(minutes=1)

#: The error type of a selection that waits for another campaign to end.
WAITING = "Waiting"

#: Campaigns take hours; an unanswered question costs a count.
_ASK_AGAIN = timedelta(seconds=30)


class Targeting:
    """Registers campaigns and freezes their targets."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @activity.defn
    def register(self, order: Registration) -> Registered:
        """Check a definition against fleet and packages and store it."""
        definition = Definition.model_validate(order.definition)
        with refusing(), beating(), transaction(self._engine, _LONGEST) as connection:
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
        try:
            with refusing(), beating(), transaction(self._engine, _LONGEST) as connection:
                sizes = campaigns.select_targets(connection, campaign_id)
        except campaigns.Waiting as waits:
            raise ApplicationError(
                str(waits),
                type=WAITING,
                category=ApplicationErrorCategory.BENIGN,
                next_retry_delay=_ASK_AGAIN,
            ) from None
        self._tell_planner(sum(sizes.values()))
        return Selection(sizes=sizes)

    def _tell_planner(self, added: int) -> None:
        """What was selected stands; where PostgreSQL cannot be told of it now, autovacuum will tell."""
        try:
            with beating(), transaction(self._engine, _LOOK) as connection:
                campaigns.tell_planner(connection, added)
        except OperationalError as error:
            log.warning("planner not told of a selection", reason=type(error.orig).__name__)

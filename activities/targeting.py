"""The door and the selection."""

from datetime import timedelta

from sqlalchemy import Engine
from temporalio import activity

from activities.beating import beating
from activities.messages import Registered, Registration, Selection
from activities.refusing import refusing
from activities.transaction import transaction
from campaign.definition import Definition
from store import campaigns

_LONGEST = timedelta(minutes=25)


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
        with refusing(), beating(), transaction(self._engine, _LONGEST) as connection:
            return Selection(sizes=campaigns.select_targets(connection, campaign_id))

"""Writes of the delivery gate, each with its journal lines in the same transaction."""

from datetime import timedelta

from sqlalchemy import Engine
from temporalio import activity

from activities.messages import Ending, Excluded, Exclusion, GateOrder, JournalEntry, LimitsChange
from activities.refusing import refusing
from activities.transaction import transaction
from campaign.breach import Exposed
from campaign.cohorts import Cohort
from store import exclusion, gate, journal, limits

_LONGEST = timedelta(seconds=8)
_LONGEST_ENDING = timedelta(minutes=4)


class Delivery:
    """Opens and shuts the gate. ``lease`` is how long it stays open unsupervised."""

    def __init__(self, engine: Engine, lease: timedelta) -> None:
        self._engine = engine
        self._lease = lease

    @activity.defn
    def open_gate(self, order: GateOrder) -> None:
        """Let vehicles be admitted, under a lease."""
        with transaction(self._engine, _LONGEST) as connection:
            gate.open_gate(
                connection,
                order.campaign_id,
                order.seq,
                order.state,
                self._lease,
                new_window=order.new_window,
                new_deadline=order.new_deadline,
            )
            journal.write(connection, order.campaign_id, order.lines)

    @activity.defn
    def shut_gate(self, order: GateOrder) -> Exposed:
        """Stop delivery and withdraw offers that were not started."""
        with transaction(self._engine, _LONGEST) as connection:
            exposed = gate.shut_gate(
                connection, order.campaign_id, order.seq, order.state, cancel_started=order.cancel_started
            )
            journal.write(connection, order.campaign_id, order.lines)
        return exposed

    @activity.defn
    def show_state(self, order: GateOrder) -> None:
        """Record a state that moves no gate."""
        with transaction(self._engine, _LONGEST) as connection:
            gate.set_state(connection, order.campaign_id, order.seq, order.state)
            journal.write(connection, order.campaign_id, order.lines)

    @activity.defn
    def finish(self, order: GateOrder) -> Ending:
        """Shut the gate for good; who was not reached ends as expired.

        Two transactions: the gate must not wait for the rows, nor open again when they are rolled back.
        """
        with transaction(self._engine, _LONGEST) as connection:
            gate.shut_gate(connection, order.campaign_id, order.seq, order.state)
        with transaction(self._engine, _LONGEST_ENDING) as connection:
            final = gate.finish(
                connection, order.campaign_id, order.seq, order.state, cancel_started=order.cancel_started
            )
            journal.write(connection, order.campaign_id, order.lines)
        return Ending(by_state={state.value: count for state, count in sorted(final.by_state.items())})

    @activity.defn
    def change_limits(self, change: LimitsChange) -> None:
        """Give a phase and all later ones new limits; the next tick obeys them, and what is absent stays."""
        with refusing(), transaction(self._engine, _LONGEST) as connection:
            limits.change(connection, change.campaign_id, change.from_phase, change.limits, change.guards)

    @activity.defn
    def exclude_cohort(self, order: Exclusion) -> Excluded:
        """Leave a cohort out from now on."""
        with refusing(), transaction(self._engine, _LONGEST) as connection:
            found = exclusion.exclude(connection, order.campaign_id, Cohort.read(order.cohort))
        return Excluded(vehicles=found)

    @activity.defn
    def write_journal(self, entry: JournalEntry) -> None:
        """Append lines that belong to no other write."""
        with transaction(self._engine, _LONGEST) as connection:
            journal.write(connection, entry.campaign_id, entry.lines)

"""The states of a campaign and the only ways between them; docs/architecture.md draws this table."""

from enum import StrEnum


class State(StrEnum):
    """The leaves; ``stage`` gives the state an operator speaks of."""

    DRAFT = "Draft"
    SELECTING = "SelectingVehicles"
    QUEUED = "Queued"
    ROLLING_OUT = "RollingOut"
    BAKING = "Baking"
    PAUSED = "Paused"
    COMPLETED = "Completed"
    ABORTED = "Aborted"

    @property
    def stage(self) -> str:
        """Draft, Scheduling, Active, Paused, Completed or Aborted."""
        return {
            State.SELECTING: "Scheduling",
            State.QUEUED: "Scheduling",
            State.ROLLING_OUT: "Active",
            State.BAKING: "Active",
        }.get(self, self.value)

    @property
    def final(self) -> bool:
        """Whether nothing can follow."""
        return self in (State.COMPLETED, State.ABORTED)

    def __str__(self) -> str:
        return self.value if self.stage == self.value else f"{self.stage}/{self.value}"


class Event(StrEnum):
    """What may happen to a campaign."""

    APPROVE = "approve"
    SELECTED = "selected"
    REFUSED = "refused"
    STARTED = "started"
    PROCESSED = "processed"
    PROMOTE = "promote"
    FINISHED = "finished"
    BREACH = "breach"
    PAUSE = "pause"
    RESUME = "resume"
    ABORT = "abort"


TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.DRAFT, Event.APPROVE): State.SELECTING,
    (State.DRAFT, Event.ABORT): State.ABORTED,
    (State.SELECTING, Event.SELECTED): State.QUEUED,
    (State.SELECTING, Event.REFUSED): State.ABORTED,
    (State.SELECTING, Event.ABORT): State.ABORTED,
    (State.QUEUED, Event.STARTED): State.ROLLING_OUT,
    (State.QUEUED, Event.ABORT): State.ABORTED,
    (State.ROLLING_OUT, Event.PROCESSED): State.BAKING,
    (State.ROLLING_OUT, Event.BREACH): State.PAUSED,
    (State.ROLLING_OUT, Event.PAUSE): State.PAUSED,
    (State.ROLLING_OUT, Event.ABORT): State.ABORTED,
    (State.BAKING, Event.PROMOTE): State.ROLLING_OUT,
    (State.BAKING, Event.FINISHED): State.COMPLETED,
    (State.BAKING, Event.BREACH): State.PAUSED,
    (State.BAKING, Event.PAUSE): State.PAUSED,
    (State.BAKING, Event.ABORT): State.ABORTED,
    (State.PAUSED, Event.RESUME): State.ROLLING_OUT,
    (State.PAUSED, Event.ABORT): State.ABORTED,
}


class Impossible(ValueError):
    """An event that has no meaning in a state; its message says what would be possible."""


def after(state: State, event: Event) -> State:
    """The state that follows.

    Raises:
        Impossible: the event makes no sense in this state.
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise Impossible(why_not(state, event)) from None


def possible(state: State, event: Event) -> bool:
    """Whether the event changes anything in this state."""
    return (state, event) in TRANSITIONS


def why_not(state: State, event: Event) -> str:
    """One sentence for the journal on a signal that changes nothing."""
    if state.final:
        return f"{event} ignored: the campaign is {state.stage}, which is final"
    starts = {start for start, known in TRANSITIONS if known is event}
    sense = sorted({_broadest(start, starts) for start in starts})
    return f"{event} ignored: the campaign is {state}; {event} makes sense in {' or '.join(sense)}"


def _broadest(state: State, among: set[State]) -> str:
    """The stage, where all of its states are among them; else the state itself."""
    whole = {other for other in State if other.stage == state.stage}
    return state.stage if whole <= among else str(state)


def diagram() -> str:
    """The table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", "    [*] --> Draft"]
    for stage in ("Scheduling", "Active"):
        leaves = [state for state in State if state.stage == stage]
        lines += [f"    state {stage} {{", *(f"        {leaf.value}" for leaf in leaves), "    }"]
    lines += [f"    {start.value} --> {end.value}: {event}" for (start, event), end in TRANSITIONS.items()]
    lines += [f"    {state.value} --> [*]" for state in State if state.final]
    return "\n".join(lines)

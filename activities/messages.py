"""What workflows and activities say to each other. Counts and facts of campaigns, never a VIN."""

from decimal import Decimal
from typing import Any

from campaign.journal import Line
from campaign.lifecycle import State
from campaign.model import Message
from campaign.supervision import Finding, Observation


class Registration(Message):
    """A definition at the door; ``first_run_id`` names the chain of runs it belongs to."""

    definition: dict[str, Any]
    workflow_id: str
    first_run_id: str


class Registered(Message):
    """A campaign that passed the door; ``sizes`` are targets by phase number as they would be now."""

    campaign_id: int
    package: str
    modules: tuple[str, ...]
    sizes: dict[int, int]


class Selection(Message):
    """The frozen targets: how many in each phase."""

    sizes: dict[int, int]


class GateOrder(Message):
    """A write of the gate or of the shown state, with the journal lines that go with it."""

    campaign_id: int
    seq: int
    state: State
    new_window: bool = False
    new_deadline: bool = False
    cancel_started: bool = False
    lines: tuple[Line, ...] = ()


class Exposure(Message):
    """Who had an offer that was withdrawn, and who had already started, when the gate was shut."""

    withdrawn: int = 0
    started: int = 0


class Ending(Message):
    """The counts a campaign ended with, by the state of the vehicle."""

    by_state: dict[str, int]


class Supervised(Message):
    """Why a supervision ended, and what it saw last."""

    finding: Finding
    seen: Observation


class LimitsChange(Message):
    """New limits of a phase and all later ones; None: each keeps its own."""

    campaign_id: int
    from_phase: int
    in_flight: int | None = None
    per_minute: int | None = None
    failure_limit: Decimal | None = None
    lines: tuple[Line, ...] = ()


class JournalEntry(Message):
    """Lines for the journal of a campaign."""

    campaign_id: int
    lines: tuple[Line, ...]


class Notice(Message):
    """A message to people."""

    title: str
    body: str
    urgent: bool = False

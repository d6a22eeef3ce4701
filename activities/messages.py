"""What workflows and activities say to each other. Counts and facts of campaigns, never a VIN."""

from decimal import Decimal
from typing import Any

from pydantic import Field

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


class Exclusion(Message):
    """A cohort to leave out, ``dimension=value``."""

    campaign_id: int
    cohort: str


class Excluded(Message):
    """How many vehicles that had not begun are left out."""

    vehicles: int


class Ending(Message):
    """The counts a campaign ended with, by the state of the vehicle."""

    by_state: dict[str, int]


class Supervised(Message):
    """Why a supervision ended, and what it saw last."""

    finding: Finding
    seen: Observation


class LimitsChange(Message):
    """New limits of a phase and all later ones; what is absent stays. ``guards``: limits by guard name."""

    campaign_id: int
    from_phase: int
    limits: dict[str, int] = Field(default_factory=dict)
    guards: dict[str, Decimal] = Field(default_factory=dict)


class JournalEntry(Message):
    """Lines for the journal of a campaign."""

    campaign_id: int
    lines: tuple[Line, ...]


class Notice(Message):
    """A message to people."""

    title: str
    body: str
    urgent: bool = False

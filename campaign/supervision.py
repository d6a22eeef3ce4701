"""Watching a phase: what is seen at a tick, and whether the workflow has something to decide."""

from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from campaign.assignment import ATTEMPTS, Tally
from campaign.breach import Breach
from campaign.cohorts import Culprit
from campaign.model import Message
from campaign.pace import processed
from campaign.promotion import Decision, Promotion
from campaign.verdict import Verdict
from campaign.waiting import MOST_REASONS, Waits, told


class Mode(StrEnum):
    """What the workflow waits for: a phase to be processed, a bake to pass, proof, or a person."""

    ROLLING_OUT = "rolling_out"
    BAKING = "baking"
    PROVING = "proving"
    HOLDING = "holding"


class PhaseView(Message):
    """One phase at one moment."""

    number: int
    name: str
    tally: Tally
    verdict: Verdict
    released_at: datetime | None = None


class Caution(Message):
    """A breached guard that only tells people."""

    phase: int
    verdict: Verdict

    @property
    def key(self) -> str:
        """What people are told once in an evidence window."""
        return f"{self.phase}/{self.verdict.guard}"


class Window(Message):
    """An evidence window that has ended: its number, when it ended, and what was known of each phase."""

    number: int
    ended_at: datetime
    sentences: tuple[str, ...] = ()


class Observation(Message):
    """A campaign at one moment, as the database has it.

    ``verdicts`` and ``promotion`` are those of the phase that is watched; ``culprit`` is who fails, as far as
    is known by now: those under way at a stop still report; ``cap`` is how many vehicles may be in flight;
    ``withdrawn`` says who withdrew the package everywhere, and why; ``waits`` why vehicles waited when they
    were last counted, which takes too long for every moment.
    """

    at: datetime
    gate_open: bool
    gate_seq: int
    window: int = 1
    windows: tuple[Window, ...] = ()
    phases: tuple[PhaseView, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    warnings: tuple[Caution, ...] = ()
    promotion: Decision | None = None
    breach: Breach | None = None
    culprit: Culprit | None = None
    cap: int | None = None
    excluded: tuple[str, ...] = ()
    withdrawn: str = ""
    waits: Waits | None = None

    @property
    def released(self) -> Tally:
        """The phases that vehicles may be admitted in, together."""
        return sum((view.tally for view in self.phases if view.released_at is not None), Tally())

    @property
    def waiting(self) -> str:
        """Why vehicles wait while the campaign delivers, and whether nobody is under way."""
        return self.waiting_in_short(MOST_REASONS + 1)

    def waiting_in_short(self, most: int) -> str:
        """The same with so many reasons at the most."""
        waits = self.waits.first(most) if self.waits is not None else None
        return told(self.released, waits) if self.gate_open else ""

    def phase(self, number: int) -> PhaseView:
        """The view of a phase, by number from 1."""
        return self.phases[number - 1]

    @property
    def total(self) -> Tally:
        """All phases together."""
        return sum((view.tally for view in self.phases), Tally())


class Finding(StrEnum):
    """Why a supervision ends."""

    BREACH = "breach"
    CULPRIT = "culprit"
    WITHDRAWN = "withdrawn"
    WARNING = "warning"
    PROCESSED = "processed"
    PROVEN = "proven"
    NOTHING_KNOWN = "nothing_known"
    SUPERSEDED = "superseded"
    GATE_SHUT = "gate_shut"
    CHECKPOINT = "checkpoint"


class Watch(Message):
    """What a supervision watches, for whom, and since when; ``seq`` is the fencing number of its gate.

    ``culprits`` and ``warned`` are the cohorts and the cautions that people have been told of.
    """

    campaign_id: int
    seq: int
    phase: int
    mode: Mode
    checkpoint_at: datetime
    quorum_percent: Decimal
    deadline: timedelta
    breach_known: bool = False
    culprits: tuple[str, ...] = ()
    warned: tuple[str, ...] = ()
    promotion: Promotion = Promotion()


def find(watch: Watch, seen: Observation) -> Finding | None:
    """What the workflow must hear of; None: nothing, watch on."""
    if seen.gate_seq > watch.seq:
        return Finding.SUPERSEDED
    if seen.withdrawn and watch.mode is not Mode.HOLDING:
        return Finding.WITHDRAWN
    if seen.breach is not None and not watch.breach_known and not seen.withdrawn:
        return Finding.BREACH
    if seen.culprit is not None and watch.breach_known and seen.culprit.cohort not in watch.culprits:
        return Finding.CULPRIT
    if any(caution.key not in watch.warned for caution in seen.warnings):
        return Finding.WARNING
    if not seen.gate_open and watch.mode is not Mode.HOLDING:
        return Finding.GATE_SHUT
    if watch.mode is Mode.PROVING and seen.promotion is not None and seen.promotion.advance:
        return Finding.PROVEN
    if watch.mode is Mode.ROLLING_OUT:
        view = seen.phase(watch.phase)
        if processed(view.tally, watch.quorum_percent):
            return Finding.PROCESSED
        if view.released_at is not None and seen.at >= view.released_at + watch.deadline:
            # A ring nobody answered from proves nothing: that is never a success.
            return Finding.PROCESSED if view.tally.of(ATTEMPTS) else Finding.NOTHING_KNOWN
    return Finding.CHECKPOINT if seen.at >= watch.checkpoint_at else None

"""All a campaign's run carries: what it is, where it stands and why. One model, also over continue-as-new."""

from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict, Field

from activities.messages import Ending
from campaign.breach import Breach, Exposed
from campaign.journal import Line
from campaign.lifecycle import State
from campaign.supervision import Observation
from workflows.orders import Order

#: Notes shown to operators; the journal in the database keeps all.
NOTES = 50


class Story(BaseModel):
    """The state of a campaign's workflow."""

    model_config = ConfigDict(extra="ignore", validate_assignment=False)

    state: State = State.DRAFT
    campaign_id: int = 0
    package: str = ""
    modules: tuple[str, ...] = ()
    sizes: dict[int, int] = Field(default_factory=dict)
    phase: int = 1
    baked: timedelta = timedelta(0)
    promote: Order | None = None
    seq: int = 0
    resumed: bool = False
    overdue: bool = False
    order: Order | None = None
    why: str = ""
    breach: Breach | None = None
    breaches: int = 0
    culprits: tuple[str, ...] = ()
    last_resume: Order | None = None
    warned: tuple[str, ...] = ()
    exposure: Exposed | None = None
    seen: Observation | None = None
    ending: Ending | None = None
    notes: list[Line] = Field(default_factory=list)
    unwritten: list[Line] = Field(default_factory=list)
    lines: int = 0
    phase_began_at: datetime | None = None

    def stop(self, breach: Breach) -> None:
        """A guard has stopped the campaign; people are told of the culprit with it, if one is known."""
        self.breach = breach
        self.breaches += 1
        self.culprits = (breach.culprit.cohort,) if breach.culprit is not None else ()

    def note(self, run_id: str, at: datetime, actor: str, event: str, text: str) -> None:
        """Write a line: shown at once, journaled with the next write to the database.

        The run is part of its key: a workflow that was reset counts its lines anew.
        """
        self.lines += 1
        line = Line(key=f"{run_id}/{self.lines:06}", at=at, actor=actor, event=event, text=text)
        self.notes = [*self.notes, line][-NOTES:]
        self.unwritten = [*self.unwritten, line]

    def take_lines(self) -> tuple[Line, ...]:
        """The lines to write now; they count as written once the activity that takes them has succeeded."""
        lines, self.unwritten = tuple(self.unwritten), []
        return lines

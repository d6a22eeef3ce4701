"""What a campaign says of itself: the answer to the query ``status``."""

from datetime import datetime

from pydantic import Field

from campaign.assignment import ATTEMPTS, FAILURES, IN_FLIGHT, OPEN, TERMINAL, Tally, Target
from campaign.breach import Breach, Exposed
from campaign.definition import Definition
from campaign.glimpse import Glimpse
from campaign.journal import Line
from campaign.lifecycle import State
from campaign.model import Message
from campaign.supervision import Observation, Window
from workflows.story import Story

#: In the reason of a campaign that watches on until somebody decides.
WAITS = "waits for a person"


class PhaseStatus(Message):
    """One phase in numbers, as of the last observation."""

    number: int
    name: str
    stage: str
    size: int
    waiting: int = 0
    in_flight: int = 0
    succeeded: int = 0
    failed: int = 0
    other: int = 0
    verdict: str = ""
    by_state: dict[str, int] = Field(default_factory=dict)


class Status(Message):
    """Where a campaign stands, why it stands still, and what can be done."""

    name: str
    state: str
    stage: str
    phase: int
    phases: tuple[PhaseStatus, ...]
    why: str
    next: tuple[str, ...]
    as_of: datetime | None
    breach: Breach | None
    breaches: int
    window: int
    exposure: Exposed | None
    verdicts: tuple[str, ...] = ()
    windows: tuple[Window, ...] = ()
    promotion: str = ""
    cap: int | None = None
    excluded: tuple[str, ...] = ()
    waiting: str = ""
    package: str
    campaign_id: int
    notes: tuple[Line, ...]

    @property
    def asks(self) -> bool:
        """Whether it stands still until a person decides."""
        return self.stage in ("Draft", "Paused") or WAITS in self.why


def status(definition: Definition, story: Story) -> Status:
    """The status as of the last observation the run has seen."""
    seen = story.seen
    return Status(
        name=definition.name,
        state=str(story.state),
        stage=story.state.stage,
        phase=story.phase,
        phases=tuple(_phase(definition, story, number + 1) for number in range(len(definition.phases))),
        why=story.why,
        next=next_steps(story),
        as_of=seen.at if seen else None,
        breach=story.breach,
        breaches=story.breaches,
        window=seen.window if seen else 1,
        exposure=story.breach.exposed if story.breach else story.exposure,
        verdicts=tuple(verdict.sentence for verdict in seen.verdicts) if seen else (),
        windows=seen.windows if seen else (),
        promotion=seen.promotion.sentence if seen and seen.promotion else "",
        cap=seen.cap if seen else None,
        excluded=seen.excluded if seen else (),
        waiting=seen.waiting if seen and story.state in (State.ROLLING_OUT, State.BAKING) else "",
        package=story.package or definition.package_name,
        campaign_id=story.campaign_id,
        notes=tuple(story.notes),
    )


def _phase(definition: Definition, story: Story, number: int) -> PhaseStatus:
    bare = PhaseStatus(
        number=number,
        name=str(definition.phases[number - 1].name),
        stage=_phase_stage(story, number),
        size=story.sizes.get(number, 0),
    )
    return _counted(bare, story.seen)


def _counted(phase: PhaseStatus, seen: Observation | None) -> PhaseStatus:
    """The phase with the counts of an observation."""
    if seen is None or len(seen.phases) < phase.number:
        return phase
    view = seen.phase(phase.number)
    return _with_counts(phase, view.tally, view.verdict.sentence)


def _with_counts(phase: PhaseStatus, tally: Tally, verdict: str) -> PhaseStatus:
    return phase.model_copy(
        update={
            "waiting": tally.of(OPEN),
            "in_flight": tally.of(IN_FLIGHT),
            "succeeded": tally.by_state.get(Target.SUCCEEDED, 0),
            "failed": tally.of(FAILURES),
            "other": tally.of(TERMINAL - ATTEMPTS),
            "verdict": verdict,
            "by_state": {state.value: count for state, count in sorted(tally.by_state.items())},
        }
    )


def refreshed(current: Status, seen: Glimpse) -> Status:
    """The status with the counts of a later tick, which is still under way."""
    if current.as_of is not None and seen.at <= current.as_of:
        return current
    phases = tuple(
        _with_counts(phase, view.tally, view.verdict) if (view := seen.phase(phase.number)) else phase
        for phase in current.phases
    )
    breach = current.breach
    if breach is not None and seen.culprit is not None:
        breach = breach.model_copy(update={"culprit": seen.culprit})
    return current.model_copy(
        update={
            "breach": breach,
            "phases": phases,
            "as_of": seen.at,
            "window": seen.window,
            "verdicts": seen.verdicts,
            "windows": seen.windows or current.windows,
            "cap": seen.cap,
            "excluded": seen.excluded or current.excluded,
            "waiting": seen.waiting,
        }
    )


def _phase_stage(story: Story, number: int) -> str:
    if story.state in (State.DRAFT, State.SELECTING, State.QUEUED) or number > story.phase:
        return "waiting"
    if number < story.phase or story.state is State.COMPLETED:
        return "done"
    words = {State.ROLLING_OUT: "rolling out", State.BAKING: "baking"}
    return words.get(story.state, story.state.stage.lower())


def next_steps(story: Story) -> tuple[str, ...]:
    """What an operator can do now, in the words of the signals."""
    return {
        State.DRAFT: ("approve: select the vehicles and go on", "abort: end it"),
        State.SELECTING: ("abort: end it",),
        State.QUEUED: ("abort: end it",),
        State.ROLLING_OUT: ("pause: stop admitting vehicles", "abort: end it"),
        State.BAKING: ("promote: end the wait now", "pause: hold", "abort: end it"),
        State.PAUSED: (*_exclude(story), "resume: go on, with a new evidence window", "abort: end it"),
    }.get(story.state, ())


def _exclude(story: Story) -> tuple[str, ...]:
    culprit = story.breach.culprit if story.breach is not None else None
    return () if culprit is None else (f"exclude {culprit.cohort}: leave these out and go on",)

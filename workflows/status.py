"""What a campaign says of itself: the answer to the query ``status`` and the Markdown in the Temporal UI."""

from datetime import datetime
from fractions import Fraction

from pydantic import Field

from activities.messages import Exposure
from campaign.assignment import ATTEMPTS, FAILURES, IN_FLIGHT, OPEN, TERMINAL, Target
from campaign.definition import Definition
from campaign.guards import Breach, percent
from campaign.journal import Line
from campaign.lifecycle import State
from campaign.model import Message
from campaign.supervision import Observation
from workflows.story import Story


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
    exposure: Exposure | None
    package: str
    campaign_id: int
    notes: tuple[Line, ...]


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
        exposure=story.exposure,
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
    tally = view.tally
    return phase.model_copy(
        update={
            "waiting": tally.of(OPEN),
            "in_flight": tally.of(IN_FLIGHT),
            "succeeded": tally.by_state.get(Target.SUCCEEDED, 0),
            "failed": tally.of(FAILURES),
            "other": tally.of(TERMINAL - ATTEMPTS),
            "verdict": view.verdict.sentence,
            "by_state": {state.value: count for state, count in sorted(tally.by_state.items())},
        }
    )


def refreshed(current: Status, seen: Observation) -> Status:
    """The status with the counts of a later observation, such as that of a tick still under way."""
    if current.as_of is not None and seen.at <= current.as_of:
        return current
    phases = tuple(_counted(phase, seen) for phase in current.phases)
    return current.model_copy(update={"phases": phases, "as_of": seen.at, "window": seen.window})


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
        State.PAUSED: ("resume: go on, with a new evidence window", "abort: end it"),
    }.get(story.state, ())


#: The UI asks for the rendered details with all of the text in one URL, which proxies cut at 4 kB or 8 kB.
DETAILS_BYTES = 3_900
_LONGEST_WHY = 400
_LONGEST_NOTE = 160
_LONGEST_NAME = 40
#: Phases shown before and after the present one.
_AROUND = 3


def details(current: Status) -> str:
    """The status as Markdown for the Temporal UI; lists, because its tables have no padding."""
    lines = [f"## {current.state}: {current.name}", "", f"Package {current.package}", ""]
    if current.why:
        lines += [f"**{_short(current.why, _LONGEST_WHY)}**", ""]
    first, last = max(current.phase - _AROUND, 1), min(current.phase + _AROUND, len(current.phases))
    if first > 1:
        lines.append(f"- {first - 1} earlier phases: done")
    for phase in current.phases[first - 1 : last]:
        counts = (
            f"{phase.succeeded} succeeded, {phase.failed} failed ({_rate(phase)}), "
            f"{phase.in_flight} in flight, {phase.waiting} waiting, {phase.other} other, of {phase.size}"
        )
        name = _short(phase.name, _LONGEST_NAME)
        lines.append(f"- **{phase.number}. {name}** ({phase.stage}): {counts}")
    if last < len(current.phases):
        lines.append(f"- {len(current.phases) - last} later phases: waiting")
    if current.exposure and current.stage == "Paused":
        shut = current.exposure
        stopped = f"At the stop {shut.withdrawn} offers were withdrawn, {shut.started} had started."
        lines += ["", stopped]
    if current.next:
        lines += ["", "What can be done (Send a Signal, no input needed):", ""]
        lines += [f"- `{step.split(':')[0]}`:{step.split(':', 1)[1]}" for step in current.next]
    if current.as_of:
        lines += [
            "",
            f"As of {current.as_of:%Y-%m-%d %H:%M:%S} UTC; live under Pending Activities.",
        ]
    if current.notes:
        lines += ["", "Last notes:", ""]
        for note in current.notes[-5:]:
            actor, text = _short(note.actor, _LONGEST_NAME), _short(note.text, _LONGEST_NOTE)
            lines.append(f"- {note.at:%m-%d %H:%M:%S} {actor}: {text}")
    return "\n".join(lines).encode()[:DETAILS_BYTES].decode(errors="ignore")


def _short(text: str, longest: int) -> str:
    """One line of at most ``longest`` characters; what people say must not break the page."""
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def _rate(phase: PhaseStatus) -> str:
    attempts = phase.succeeded + phase.failed
    return percent(Fraction(phase.failed, attempts)) if attempts else "no data"


def summary(definition: Definition) -> str:
    """One line for the list in the Temporal UI."""
    return (
        f"{definition.name}: {definition.package_name}, {definition.type}, {definition.priority}, "
        f"{len(definition.phases)} phases"
    )


def describe(definition: Definition) -> str:
    """What, who and how, as Markdown: the static details of the workflow."""
    lines = [f"## {definition.name}", "", definition.description, ""] if definition.description else []
    lines += [
        f"- Package: **{definition.package_name}**",
        f"- Type {definition.type}, priority {definition.priority}, interaction {definition.interaction}",
        f"- Start: {definition.start.isoformat() if definition.start else 'on approval'}",
        "",
    ]
    for number, phase in enumerate(definition.phases, start=1):
        size = f"{phase.rollout_percent} %" if phase.rollout_percent else f"{phase.rollout_count} vehicles"
        guards = ", ".join(f"{guard.name} > {guard.limit} pauses" for guard in definition.guards_of(number))
        lines.append(f"- Phase {number} **{phase.name}**: {size}, then wait {phase.wait}; {guards}")
    return "\n".join(lines)

"""What a campaign says of itself: the answer to the query ``status`` and the Markdown in the Temporal UI."""

from datetime import datetime
from fractions import Fraction

from activities.messages import Exposure
from campaign.assignment import ATTEMPTS, FAILURES, IN_FLIGHT, OPEN, TERMINAL, Tally, Target
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
    waiting: int
    in_flight: int
    succeeded: int
    failed: int
    other: int
    verdict: str
    by_state: dict[str, int]


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

    @property
    def attempts(self) -> int:
        return sum(phase.succeeded + phase.failed for phase in self.phases)


def status(definition: Definition, story: Story, seen: Observation | None = None) -> Status:
    """The status, from the last observation of the run or a fresher one."""
    fresh = _fresher(story.seen, seen)
    return Status(
        name=definition.name,
        state=str(story.state),
        stage=story.state.stage,
        phase=story.phase,
        phases=tuple(
            _phase(definition, story, fresh, number) for number in range(1, len(definition.phases) + 1)
        ),
        why=story.why,
        next=next_steps(story),
        as_of=fresh.at if fresh else None,
        breach=story.breach,
        breaches=story.breaches,
        window=fresh.window if fresh else 1,
        exposure=story.exposure,
        package=story.package or definition.package_name,
        campaign_id=story.campaign_id,
        notes=tuple(story.notes),
    )


def _fresher(one: Observation | None, other: Observation | None) -> Observation | None:
    return max((seen for seen in (one, other) if seen), key=lambda seen: seen.at, default=None)


def _phase(definition: Definition, story: Story, seen: Observation | None, number: int) -> PhaseStatus:
    view = seen.phase(number) if seen and len(seen.phases) >= number else None
    tally = view.tally if view else Tally()
    return PhaseStatus(
        number=number,
        name=str(definition.phases[number - 1].name),
        stage=_phase_stage(story, number),
        size=story.sizes.get(number, 0),
        waiting=tally.of(OPEN),
        in_flight=tally.of(IN_FLIGHT),
        succeeded=tally.by_state.get(Target.SUCCEEDED, 0),
        failed=tally.of(FAILURES),
        other=tally.of(TERMINAL - ATTEMPTS),
        verdict=view.verdict.sentence if view else "",
        by_state={state.value: count for state, count in sorted(tally.by_state.items())},
    )


def _phase_stage(story: Story, number: int) -> str:
    if story.state in (State.DRAFT, State.SELECTING, State.QUEUED) or number > story.phase:
        return "waiting"
    if number < story.phase or story.state is State.COMPLETED:
        return "done"
    return {State.ROLLING_OUT: "rolling out", State.BAKING: "baking"}.get(
        story.state, story.state.stage.lower()
    )


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


def details(current: Status) -> str:
    """The status as Markdown for the Temporal UI; lists, because its tables have no padding."""
    lines = [f"## {current.state}: {current.name}", ""]
    if current.why:
        lines += [f"**{current.why}**", ""]
    for phase in current.phases:
        counts = (
            f"{phase.succeeded} succeeded, {phase.failed} failed ({_rate(phase)}), "
            f"{phase.in_flight} in flight, {phase.waiting} waiting, {phase.other} other, of {phase.size}"
        )
        lines.append(f"- **{phase.number}. {phase.name}** ({phase.stage}): {counts}")
    if current.exposure and current.stage == "Paused":
        shut = current.exposure
        lines += [
            "",
            f"When the gate was shut: {shut.withdrawn} offers withdrawn, {shut.started} had started.",
        ]
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
        lines += [f"- {line.at:%m-%d %H:%M:%S} {line.actor}: {line.text}" for line in current.notes[-5:]]
    return "\n".join(lines)


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

"""A campaign as Markdown for the Temporal UI: its summary, its static details and where it stands."""

import json
from fractions import Fraction

from campaign.definition import Definition
from campaign.guards import Guard, Rule
from campaign.verdict import percent
from workflows.status import PhaseStatus, Status

#: The UI asks for the rendered details with all of the text in one URL, which proxies cut at 4 kB or 8 kB.
DETAILS_BYTES = 3_900
_LONGEST_WHY = 400
_LONGEST_NOTE = 160
_LONGEST_NAME = 40
#: Three reasons; the query has all of them.
_LONGEST_WAITING = 500
#: Phases shown before and after the present one.
_AROUND = 3


def details(current: Status) -> str:
    """The status as Markdown for the Temporal UI; lists, because its tables have no padding."""
    lines = [f"## {current.state}: {current.name}", "", f"Package {current.package}", ""]
    if current.why:
        lines += [f"**{_short(current.why, _LONGEST_WHY)}**", ""]
    if current.waiting:
        lines += [_capital(_short(current.waiting, _LONGEST_WAITING)) + ".", ""]
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
        stopped = f"At the stop: {current.exposure.sentence}."
        lines += ["", stopped]
    if current.next:
        lines += ["", "What can be done (Send a Signal, no input needed):", ""]
        lines += [_step(step) for step in current.next]
    lines += _health(current)
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


def _step(step: str) -> str:
    word, what = step.rsplit(": ", 1)
    if word.startswith("exclude "):
        request = json.dumps({"cohort": word.removeprefix("exclude ")})
        return f"- Update `exclude` with `{request}`: {what}"
    return f"- `{word}`: {what}"


def _health(current: Status) -> list[str]:
    """What the guards say, what was left out, and what earlier evidence windows knew."""
    lines = [f"- {_short(sentence, _LONGEST_NOTE)}" for sentence in current.verdicts]
    if current.cap is not None:
        lines.append(f"- at most {current.cap} in flight, as the evidence allows")
    if current.excluded:
        lines.append(f"- left out: {_short(', '.join(current.excluded), _LONGEST_NOTE)}")
    for window in current.windows:
        known = _short("; ".join(window.sentences), _LONGEST_NOTE)
        lines.append(f"- evidence window {window.number}, until {window.ended_at:%m-%d %H:%M:%S}: {known}")
    return ["", f"Guards of this phase (evidence window {current.window}):", "", *lines] if lines else []


def _short(text: str, longest: int) -> str:
    """One line of at most ``longest`` characters; what people say must not break the page."""
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


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
        f"- Install window: {_window(definition)}",
        f"- Start: {definition.start.isoformat() if definition.start else 'on approval'}",
        "",
    ]
    for number, phase in enumerate(definition.phases, start=1):
        size = f"{phase.rollout_percent} %" if phase.rollout_percent else f"{phase.rollout_count} vehicles"
        own = _own_guards(definition, number)
        lines.append(f"- Phase {number} **{phase.name}**: {size}, then wait {phase.wait}{own}")
    guards = "; ".join(map(guard_text, definition.guards_of(1)))
    return "\n".join([*lines, "", f"Guards: {guards}"])


def _window(definition: Definition) -> str:
    return f"{definition.window}, in the vehicle's own time" if definition.window else "at any time"


def _own_guards(definition: Definition, number: int) -> str:
    """What is different for a phase that brings its own guards."""
    own = definition.phases[number - 1].guards
    return "" if own is None else "; guards: " + "; ".join(map(guard_text, own))


def guard_text(guard: Guard) -> str:
    """A guard in a few words."""
    if guard.mode is Rule.COUNT:
        return f"{guard.name}: more than {guard.max_count} {guard.action}"
    limit = percent(Fraction(guard.limit))
    if guard.mode is Rule.EVIDENCE:
        accept = percent(Fraction(guard.accept))
        return f"{guard.name}: over {limit} with evidence against {accept} {guard.action}"
    what = "of the group " if guard.mode is Rule.GROUP_SHARE else ""
    sample = f" from {guard.min_sample} on" if guard.min_sample else ""
    return f"{guard.name}: over {limit} {what}{guard.action}{sample}"

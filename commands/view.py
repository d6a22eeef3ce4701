"""A campaign on a terminal."""

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from workflows.status import PhaseStatus, Status

#: Narrow enough for a terminal of 80 columns.
_BAR = 12

_COLOURS = {"Paused": "yellow", "Aborted": "red", "Completed": "green", "Active": "cyan"}


def view(status: Status) -> RenderableType:
    """State, phases with progress, the reason it stands still and what can be done.

    Columns: done (succeeded), failed, busy (in flight), open (waiting), other (expired, cancelled), of (all).
    """
    colour = _COLOURS.get(status.stage, "white")
    parts: list[RenderableType] = [_phases(status)]
    if status.why:
        parts.append(Text(status.why, style=f"bold {colour}"))
    if status.waiting:
        parts.append(Text(status.waiting))
    if status.exposure is not None and status.stage == "Paused":
        parts.append(Text(f"at the stop: {status.exposure.sentence}"))
    parts += [Text(line, style="dim") for line in _aside(status)]
    for step in status.next if status.asks else ():
        parts.append(Text(f"  {step}"))
    title = Text.assemble((status.name, "bold"), "  ", (status.state, f"bold {colour}"))
    as_of = f"as of {status.as_of:%H:%M:%S} UTC" if status.as_of else None
    return Panel(Group(*parts), title=title, subtitle=as_of, title_align="left", border_style=colour)


def _aside(status: Status) -> list[str]:
    """Who is in no failure rate, who was left out, and what earlier evidence windows knew."""
    counts: dict[str, int] = {}
    for phase in status.phases:
        for state, vehicles in phase.by_state.items():
            counts[state] = counts.get(state, 0) + vehicles
    apart = [f"{counts[state]} {state.replace('_', ' ')}" for state in _APART if counts.get(state)]
    lines = [f"not counted: {', '.join(apart)}"] if apart else []
    if counts.get("stalled"):
        lines.append(f"stalled downloads: {counts['stalled']}, offered again when they poll")
    if status.cap is not None and status.stage == "Active":
        lines.append(f"at most {status.cap} in flight, as the evidence allows")
    if status.excluded:
        lines.append(f"left out: {', '.join(status.excluded)}")
    for window in status.windows:
        lines.append(f"evidence window {window.number}: {'; '.join(window.sentences)}")
    return lines


#: In no failure rate, and always shown.
_APART = ("deferred", "not_applicable", "cancelled", "expired", "excluded")


def _phases(status: Status) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("phase", overflow="fold")
    table.add_column("", width=_BAR)
    for column in ("done", "failed", "busy", "open", "other", "of"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("stage", no_wrap=True)
    for phase in status.phases:
        table.add_row(
            f"{phase.number}. {phase.name}",
            ProgressBar(total=max(phase.size, 1), completed=_over(phase), width=_BAR),
            str(phase.succeeded),
            Text(str(phase.failed), style="red" if phase.failed else ""),
            str(phase.in_flight),
            str(phase.waiting),
            str(phase.other),
            str(phase.size),
            phase.stage,
        )
    return table


def _over(phase: PhaseStatus) -> int:
    return phase.succeeded + phase.failed + phase.other

"""The diagrams of docs/architecture.md, drawn from the tables in campaign/.

``PYTHONPATH=. python docs/diagrams.py`` writes them anew; tests/docs/test_docs.py compares them.
"""

import re
from pathlib import Path

from campaign import lifecycle
from campaign.assignment import TERMINAL, TRANSITIONS, Target

PAGE = Path(__file__).with_name("architecture.md")
BLOCK = re.compile(r"```mermaid\n(stateDiagram-v2\n.*?)\n```", re.DOTALL)


def assignment() -> str:
    """The states of one target as a Mermaid diagram; events with the same ends share an arrow."""
    arrows: dict[tuple[Target, Target], list[str]] = {}
    order = list(Target)
    for (start, event), end in TRANSITIONS.items():
        arrows.setdefault((start, end), []).append(event.value)
    ranked = sorted(arrows.items(), key=lambda item: [order.index(state) for state in item[0]])
    lines = ["stateDiagram-v2", "    [*] --> pending"]
    lines += [f"    {start} --> {end}: {', '.join(events)}" for (start, end), events in ranked]
    lines += [f"    {state} --> [*]" for state in order if state in TERMINAL]
    return "\n".join(lines)


def diagrams() -> list[str]:
    """All of them, in the order of the page."""
    return [lifecycle.diagram(), assignment()]


def main() -> None:
    """Put the diagrams into the page."""
    fresh = iter(diagrams())
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(BLOCK.sub(lambda _: f"```mermaid\n{next(fresh)}\n```", text), encoding="utf-8")


if __name__ == "__main__":
    main()

"""The result of a benchmark: figures beside their floors and goals, as a table and as a small JSON.

A floor is taken in the same run on the same machine, so that a figure means something on another one.
"""

import json
import os
import platform
import sys
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

#: Where results go unless another place is named.
RESULTS = Path(".ringmaster/bench")

#: Of a table in a file or a pipe, where nobody says how long lines may be.
_WIDTH = 150


@dataclass(frozen=True)
class Figure:
    """One measured value.

    Args:
        floor: what the same work costs, or yields, at the least; in the same unit, from the same run.
        at_most: the goal for value / floor, or for the value where there is no floor.
        at_least: the same from below.
    """

    name: str
    value: float
    unit: str = ""
    floor: float | None = None
    at_most: float | None = None
    at_least: float | None = None

    @property
    def ratio(self) -> float | None:
        """The value as a multiple of its floor."""
        return None if self.floor is None else self.value / self.floor if self.floor else float("inf")

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None: there is none."""
        if self.at_most is None and self.at_least is None:
            return None
        judged = self.value if self.ratio is None else self.ratio
        return judged <= (self.at_most if self.at_most is not None else judged) and judged >= (
            self.at_least if self.at_least is not None else judged
        )

    @property
    def goal(self) -> str:
        """The goal in words; empty: there is none."""
        words = [("at most", self.at_most), ("at least", self.at_least)]
        return ", ".join(f"{word} {number:g}" for word, number in words if number is not None)


@dataclass
class Sheet:
    """The figures of one benchmark, with what is needed to take them again."""

    title: str
    figures: list[Figure] = field(default_factory=list)

    def add(self, name: str, value: float, unit: str = "", **more: float | None) -> Figure:
        """Keep a figure; `more` are the other members of `Figure`."""
        figure = Figure(name, float(value), unit, **more)
        self.figures.append(figure)
        return figure

    def show(self) -> None:
        """Print the table to standard output."""
        show(table(self.title, [("", figure) for figure in self.figures]))

    def write(self, path: Path) -> None:
        """Write the JSON: figures, machine, command and time."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.body(), indent=2) + "\n")

    def body(self) -> dict[str, Any]:
        """The JSON as a dictionary."""
        figures = [asdict(each) | {"ratio": each.ratio, "met": each.met} for each in self.figures]
        return {"title": self.title, "figures": figures, **machine()}


def show(found: Table) -> None:
    """Print a table to standard output."""
    terminal = Console()
    (terminal if terminal.is_terminal else Console(width=_WIDTH)).print(found)


def machine() -> dict[str, Any]:
    """Where and how these figures were taken."""
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "command": "python -m " + " ".join([_module(), *sys.argv[1:]]),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _module() -> str:
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return "benchmarks" if spec is None else spec.name.removesuffix(".__main__")


def table(title: str, rows: list[tuple[str, Figure]]) -> Table:
    """Figures as a table; each with the group it belongs to, where there are several."""
    groups = any(group for group, _ in rows)
    headings = (["benchmark"] if groups else []) + ["figure", "value", "floor", "ratio", "goal", ""]
    shown = Table(*headings, title=title, title_justify="left")
    before = None
    for group, each in rows:
        if groups and before not in (None, group):
            shown.add_section()
        cells = [group if group != before else ""] if groups else []
        cells += [
            each.name,
            _with_unit(each.value, each.unit),
            _number(each.floor),
            _number(each.ratio),
            each.goal,
        ]
        shown.add_row(*cells, {None: "", True: "met", False: "MISSED"}[each.met])
        before = group
    return shown


def _with_unit(value: float, unit: str) -> str:
    return f"{_number(value)} {unit}".strip()


def _number(value: float | None) -> str:
    if value is None:
        return ""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"

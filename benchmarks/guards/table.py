"""A table, for the terminal and for the page."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import rich.table

#: What one process measures at a time; a list of cells comes back.
Job = partial[list[Any]]


@dataclass(frozen=True)
class Table:
    """``key`` names its place on the page; all cells are text."""

    key: str
    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """For docs/guards.md."""
        lines = [self.head, ["---"] * len(self.head), *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def rich(self) -> rich.table.Table:
        """For the terminal."""
        table = rich.table.Table(*self.head, title=self.title, title_justify="left")
        for row in self.rows:
            table.add_row(*row)
        return table


def percent(share: float) -> str:
    """A chance or a rate, with as many digits as tell something."""
    number = share * 100
    if number == 0:
        return "0"
    if number < 0.005:
        return "< 0.01 %"
    digits = 2 if number < 1 else 1 if number < 99.95 else 0
    return f"{number:.{digits}f} %".replace(".0 %", " %")


def rate(share: float) -> str:
    """A true failure rate, for the head of a column."""
    return f"{share * 100:g} %"


def vehicles(count: float) -> str:
    """How many vehicles, on average."""
    return f"{count:,.1f}" if count < 10 else f"{count:,.0f}"

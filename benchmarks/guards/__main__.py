"""``make guards``: measure, print, and write docs/guards.md, its pictures and result.json anew."""

import json
import os
import platform
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console

from benchmarks.guards import cards, denominator, exposure, harm, minority, overshoot
from benchmarks.guards.bounds import bounds
from benchmarks.guards.page import DOCS, PAGE, filled
from benchmarks.guards.plots import draw
from benchmarks.guards.policy import GUARDS, RING
from benchmarks.guards.table import Job, Table

RESULT = Path(__file__).with_name("result.json")
RUNS, QUICK = 400, 20

app = typer.Typer(add_completion=False)


@app.command()
def main(
    runs: Annotated[
        int, typer.Option(min=20, help="Runs of a campaign; shorter things run more often.")
    ] = RUNS,
    quick: Annotated[bool, typer.Option("--quick", help=f"{QUICK} runs; prints and writes nothing.")] = False,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = os.cpu_count() or 1,
) -> None:
    """Measures what the kill switch costs and saves."""
    began, runs = monotonic(), QUICK if quick else runs
    experiments: dict[str, list[Job]] = {
        "harm": harm.jobs(runs),
        "exposure": exposure.jobs(runs),
        "overshoot": overshoot.jobs(runs),
        "denominator": denominator.jobs(runs),
        "minority": minority.jobs(runs),
        "cards": cards.jobs(),
    }
    cells = _measure(experiments, workers)
    console = Console(width=None if Console().is_terminal else 200)
    tables = list(_tables(cells))
    for table in tables:
        console.print(table.rich())
    took = monotonic() - began
    if not quick:
        write(cells, tables, f"{runs} runs", workers, took)
    console.print(f"{took:.0f} s" + ("" if quick else f"; written: {PAGE}, its pictures, {RESULT}"))


def _measure(experiments: dict[str, list[Job]], workers: int) -> dict[str, list[Any]]:
    """All cells of all experiments, in their order."""
    for guard in GUARDS:
        bounds(guard, RING)  # before the processes part, so that each has them
    with ProcessPoolExecutor(workers) as pool:
        found = {name: [pool.submit(job) for job in jobs] for name, jobs in experiments.items()}
        return {name: [cell for each in futures for cell in each.result()] for name, futures in found.items()}


def _tables(cells: dict[str, list[Any]]) -> Iterator[Table]:
    for experiment in (cards, exposure, overshoot, harm, denominator, minority):
        yield from experiment.tables(cells[experiment.__name__.rpartition(".")[2]])


def write(
    cells: dict[str, list[Any]], tables: Sequence[Table], effort: str, workers: int, took: float
) -> None:
    """Put everything where it is read."""
    day = datetime.now(UTC).date()
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {workers} processes"
    software = f"Python {platform.python_version()}, numpy {np.__version__}"
    times = os.times()
    busy = times.user + times.system + times.children_user + times.children_system
    run = (
        f"Measured on {day} by `make guards` ({effort}) in {took:.0f} s, {busy:.0f} s of processor time:\n"
        f"{machine}, {software}."
    )
    kept = {"run": run} | {name: [asdict(cell) for cell in found] for name, found in cells.items()}
    RESULT.write_text(_json(kept), encoding="utf-8")
    fresh = [("run", run), *((table.key, table.markdown()) for table in tables)]
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), fresh), encoding="utf-8")
    draw(DOCS, cells["harm"])


def _json(kept: dict[str, Any]) -> str:
    """One line a cell, so that a change is read in a diff."""
    lines = []
    for name, value in kept.items():
        cells = value if isinstance(value, list) else None
        inner = (
            "[\n" + ",\n".join(f"  {json.dumps(cell)}" for cell in cells) + "\n]"
            if cells
            else json.dumps(value)
        )
        lines.append(f"{json.dumps(name)}: {inner}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    app()

"""``make bench``: all benchmarks one after the other, and one table of their figures.

Each runs in a process of its own on servers of its own. The usual sizes take some ten minutes on two cores,
the full ones more than an hour. Results stay in the folder of results, one JSON each and one of all.
"""

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.sheet import RESULTS, Figure, machine, show, table
from commands.local import ROOT

console = Console(stderr=True)


@dataclass(frozen=True)
class Run:
    """A benchmark with its options at the usual and at the full size."""

    name: str
    usual: Sequence[str]
    full: Sequence[str]


MILLION = ("--vehicles", "1000000")

RUNS = (
    Run("importing", ("--vehicles", "100000"), MILLION),
    Run("selecting", ("--vehicles", "100000"), MILLION),
    Run("ticking", ("--vehicles", "100000"), MILLION),
    Run("traffic", ("--vehicles", "10000", "--seconds", "3"), ("--vehicles", "250000", "--seconds", "10")),
    Run(
        "recording", ("--vehicles", "4000", "--seconds", "5"), ("--vehicles", "20000", "--others", "1000000")
    ),
    Run("kill_switch", ("--others", "100000", "--times", "3"), ("--others", "1000000")),
    Run("whole_campaign", ("--vehicles", "30000"), MILLION),
    Run("over_http", ("--vehicles", "1000"), ("--vehicles", "50000")),
    Run("many_campaigns", ("--campaigns", "50", "--stops", "10", "--seconds", "10"), ("--full",)),
    Run("long_campaign", ("--vehicles", "10000"), ("--full",)),
)


def main(
    full: Annotated[bool, typer.Option("--full", help="A million vehicles; more than an hour.")] = False,
    only: Annotated[str, typer.Option(help="Names of benchmarks, separated by commas; none: all.")] = "",
    out: Annotated[Path, typer.Option(help="The folder of results.")] = RESULTS,
) -> None:
    """Run the benchmarks. Exit code 1 where one of them did not run to its end."""
    names = [name.strip() for name in only.split(",") if name.strip()]
    if unknown := sorted(set(names) - {run.name for run in RUNS}):
        known = ", ".join(run.name for run in RUNS)
        raise typer.BadParameter(f"no benchmark is called {', '.join(unknown)}; there are {known}")
    chosen = [run for run in RUNS if not names or run.name in names]
    failed = [run.name for run in chosen if not _ran(run, full, out)]
    results = {run.name: _read(out, run.name) for run in chosen if run.name not in failed}
    show(_all(results))
    (out / "all.json").write_text(json.dumps({**machine(), "results": results}, indent=2) + "\n")
    if failed:
        console.print(f"did not run to their end: {', '.join(failed)}")
        raise typer.Exit(1)


def _ran(run: Run, full: bool, out: Path) -> bool:
    options = run.full if full else run.usual
    console.rule(f"{run.name} {' '.join(options)}")
    command = [sys.executable, "-m", f"benchmarks.{run.name}", *options]
    began = time.monotonic()
    code = subprocess.run([*command, "--out", str(out / f"{run.name}.json")], cwd=ROOT).returncode
    console.print(f"{run.name}: {time.monotonic() - began:.0f} s")
    return code == 0


def _read(out: Path, name: str) -> dict[str, object]:
    body: dict[str, object] = json.loads((out / f"{name}.json").read_text())
    return body


def _all(results: Mapping[str, Mapping[str, object]]) -> Table:
    rows = []
    for name, body in results.items():
        figures = body["figures"]
        assert isinstance(figures, list)
        for each in figures:
            kept = {key: value for key, value in each.items() if key not in ("ratio", "met")}
            rows.append((name, Figure(**kept)))
    return table("All benchmarks", rows)


if __name__ == "__main__":
    typer.run(main)

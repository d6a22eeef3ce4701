"""Benchmarks run to their end at a size that shows nothing, so that they do not rot."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import RUNS

ROOT = Path(__file__).resolve().parents[2]

#: Each with its smallest size, and words of figures that it must have.
BENCHMARKS = {
    "recording": (
        ["--vehicles", "60", "--others", "50", "--seconds", "1"],
        ["pgbench inserts", "groups of 500"],
    ),
    "kill_switch": (
        ["--gateways", "1", "--vehicles", "2000", "--others", "500", "--groups", "1", "--times", "1"],
        ["judged", "after a pause's commit", "after the stop's commit", "to the notification"],
    ),
    "traffic": (
        ["--vehicles", "320", "--seconds", "1", "--no-compare"],
        ["idle polls, 2 processes", "polls sent after a gate's opening", "polls with an offer", "reports, 2"],
    ),
    "over_http": (
        ["--vehicles", "20", "--spread", "1", "--poll-seconds", "1"],
        ["launch to completion", "reports of a vehicle"],
    ),
    "whole_campaign": (["--vehicles", "300", "--gateways", "1"], ["launch to completion", "10 x the size"]),
}


def test_all_that_make_bench_runs_is_there() -> None:
    for run in RUNS:
        assert (ROOT / "benchmarks" / run.name / "__main__.py").exists()


def test_an_unknown_benchmark_is_refused_with_the_names_of_all() -> None:
    command = [sys.executable, "-m", "benchmarks", "--only", "traffic,trafic"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert ran.returncode == 2
    assert "trafic" in ran.stderr
    assert "whole_campaign" in ran.stderr


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_runs_and_writes_its_figures(name: str, tmp_path: Path) -> None:
    sizes, words = BENCHMARKS[name]
    out = tmp_path / "result.json"
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", f"benchmarks.{name}", *sizes, "--out", str(out)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert ran.returncode == 0, ran.stderr
    figures = json.loads(out.read_text())["figures"]
    for word in words:
        assert any(word in figure["name"] for figure in figures)
    # These hold at every size.
    late = [figure for figure in figures if "commit" in figure["name"] and "offers after" in figure["name"]]
    assert all(figure["value"] == 0 for figure in late)

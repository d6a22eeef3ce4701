"""Benchmarks run to their end at a size that shows nothing, so that they do not rot."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

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
    "whole_campaign": (["--vehicles", "300", "--gateways", "1"], ["launch to completion", "10 x the size"]),
}


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

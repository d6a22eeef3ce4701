"""The benchmark of many campaigns runs, at a size of two."""

import json
from pathlib import Path

from typer.testing import CliRunner

from benchmarks.many_campaigns.__main__ import app


def test_two_campaigns_are_ticked_and_paused(tmp_path: Path) -> None:
    out = tmp_path / "result.json"
    given = ["--campaigns", "2", "--vehicles", "2", "--stops", "2", "--seconds", "3", "--out", str(out)]
    done = CliRunner().invoke(app, given, catch_exceptions=False)
    assert done.exit_code == 0
    figures = {each["name"]: each for each in json.loads(out.read_text())["figures"]}
    assert figures["campaigns open"]["value"] == 2
    assert figures["campaigns that deliver, at the worst moment"]["met"]
    assert figures["ticks of all campaigns"]["value"] > 0
    assert figures["a pause shuts the gate, median"]["value"] > 0
    assert figures["memory of the worker at its highest"]["met"]

"""The benchmark of a long campaign runs, over a small fleet."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.long_campaign import fleet
from benchmarks.long_campaign.__main__ import app


def test_two_weeks_pass_in_seconds_and_the_history_has_the_same_length_for_twice_the_vehicles(
    tmp_path: Path,
) -> None:
    out = tmp_path / "result.json"
    given = ["--vehicles", "2000", "--few", "1000", "--tick", "720", "--out", str(out)]
    done = CliRunner().invoke(app, given, catch_exceptions=False)
    assert done.exit_code == 0
    figures = {each["name"]: each for each in json.loads(out.read_text())["figures"]}
    # Fourteen, and a tick of twelve hours now and then.
    assert 14 <= figures["days of the campaign"]["value"] < 18
    assert figures["configurations"]["value"] == 600
    assert figures["events of the run"]["met"]
    assert figures["the same beside 1000 vehicles"]["met"]
    assert figures["memory of the worker at its highest"]["met"]


def test_a_campaign_that_a_guard_has_paused_ends_the_measurement_and_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet, "FAILING", 2)
    given = ["--vehicles", "2000", "--few", "1000", "--tick", "720", "--out", str(tmp_path / "result.json")]
    with pytest.raises(RuntimeError, match=r"was paused: .*installation_success_rate"):
        CliRunner().invoke(app, given, catch_exceptions=False)

"""Figures are judged beside their floors."""

import json
from pathlib import Path

import pytest

from benchmarks.sheet import Figure, Sheet, show, table


@pytest.mark.parametrize(
    ("figure", "ratio", "met"),
    [
        (Figure("no goal", 3.0), None, None),
        (Figure("value within", 3.0, at_most=3.0), None, True),
        (Figure("value beyond", 3.1, at_most=3.0), None, False),
        (Figure("twice the floor", 4.0, floor=2.0, at_most=2.5), 2.0, True),
        (Figure("thrice the floor", 6.0, floor=2.0, at_most=2.5), 3.0, False),
        (Figure("half the floor", 5.0, floor=10.0, at_least=0.5), 0.5, True),
        (Figure("less than half", 4.9, floor=10.0, at_least=0.5), 0.49, False),
        (Figure("no floor at all", 1.0, floor=0.0, at_most=2.0), float("inf"), False),
    ],
    ids=lambda value: value.name if isinstance(value, Figure) else "",
)
def test_a_goal_is_for_the_ratio_where_there_is_a_floor(
    figure: Figure, ratio: float | None, met: bool | None
) -> None:
    assert figure.ratio == pytest.approx(ratio)
    assert figure.met is met


def test_a_result_file_says_what_was_measured_how_and_where(tmp_path: Path) -> None:
    sheet = Sheet("imports")
    sheet.add("import", 5, "s", floor=2, at_most=2.5)

    sheet.write(tmp_path / "bench" / "imports.json")

    body = json.loads((tmp_path / "bench" / "imports.json").read_text())
    assert body["figures"] == [
        {
            "name": "import", "value": 5.0, "unit": "s", "floor": 2, "at_most": 2.5, "at_least": None,
            "ratio": 2.5, "met": True,
        }
    ]  # fmt: skip
    assert {"title", "cores", "python", "command", "at"} <= body.keys()


def test_a_table_that_is_written_to_a_file_has_each_figure_on_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = "admit, begin, report: a vehicle at 10 x the size, time of the processor"
    show(table("All benchmarks", [("whole_campaign", Figure(name, 304, "us", floor=249, at_most=1.3))]))
    [line] = [line for line in capsys.readouterr().out.splitlines() if "whole_campaign" in line]
    for word in (name, "304 us", "249", "1.22", "at most 1.3", "met"):
        assert word in line

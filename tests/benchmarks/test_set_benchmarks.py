"""Imports, selections and ticks are measured by programs that still run; what they find is not tested."""

import json
from importlib import import_module
from pathlib import Path

import pytest

#: Figures that must be there, with the number of vehicles that is enough to have them.
PROGRAMS = [
    ("importing", 40, ["import", "import again, nothing changed", "peak memory"]),
    (
        "selecting",
        1000,
        ["selection", "preview with all breakdowns", "approved to first offer, four phases beside one"],
    ),
    ("ticking", 1000, ["tick rolling_out, 70 % reported", "tick holding, 1 % reported"]),
]


@pytest.mark.parametrize(("name", "vehicles", "figures"), PROGRAMS, ids=[name for name, *_ in PROGRAMS])
def test_a_benchmark_of_sets_runs_and_writes_its_figures(
    name: str, vehicles: int, figures: list[str], tmp_path: Path
) -> None:
    import_module(f"benchmarks.{name}.__main__").main(vehicles=vehicles, out=tmp_path / "result.json")

    found = {each["name"]: each for each in json.loads((tmp_path / "result.json").read_text())["figures"]}
    assert all(found[figure]["value"] > 0 for figure in figures)

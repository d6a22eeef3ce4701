"""Import a fleet file as ``starter.py fleet import`` does; again; and load the same rows raw.

Each size on a fresh server; the smaller one, a tenth, is there for the growth.
"""

import resource
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import asbuilt_file
from benchmarks.fresh import fresh_database, settle
from benchmarks.importing import raw
from benchmarks.sheet import RESULTS, Sheet
from store.connect import Connection, connect
from store.fleet_import import Imported, import_fleet


@dataclass(frozen=True)
class Taken:
    """Seconds of an import, of a second one of the same file, and of the raw load; MiB at the peak."""

    first: float
    again: float
    raw: float
    raw_unchecked: float
    memory_mib: float
    progress_steps: int


def main(
    vehicles: Annotated[int, typer.Option(min=10, help="Vehicles in the file.")] = 100_000,
    out: Annotated[Path, typer.Option(help="Where the figures go.")] = RESULTS / "importing.json",
) -> None:
    """Measure imports at a tenth of the size and at the size."""
    small, large = measure(vehicles // 10), measure(vehicles)
    sheet = Sheet(f"Import of {vehicles:,} vehicles with 3 ECUs each")
    sheet.add("import", large.first, "s", floor=large.raw, at_most=2.5)
    sheet.add("import, beside COPY without the foreign key", large.first, "s", floor=large.raw_unchecked)
    sheet.add("import again, nothing changed", large.again, "s", floor=large.first, at_most=1)
    sheet.add("vehicles per second", vehicles / large.first, "1/s")
    sheet.add("peak memory", large.memory_mib, "MiB", floor=small.memory_mib, at_most=1.3)
    sheet.add("steps of progress", large.progress_steps, at_least=vehicles / 10_000)
    _grow(sheet, "import", vehicles, large.first, small.first)
    _grow(sheet, "import again", vehicles, large.again, small.again)
    sheet.show()
    sheet.write(out)


def _grow(sheet: Sheet, what: str, vehicles: int, large: float, small: float) -> None:
    small_each = small / (vehicles // 10) * 1e6
    sheet.add(f"{what}, per vehicle", large / vehicles * 1e6, "us", floor=small_each, at_most=1.3)


def measure(vehicles: int) -> Taken:
    """Import, import again and load raw, each with what came before paid for."""
    with tempfile.TemporaryDirectory() as folder, fresh_database() as url, connect(url) as connection:
        file = asbuilt_file.write(Path(folder) / "fleet.jsonl", vehicles)
        first, result, steps = _import(connection, file)
        assert result.inserted == vehicles, result.as_dict()
        settle(connection)
        again, result, _ = _import(connection, file)
        assert result.unchanged == vehicles, result.as_dict()
        rows = raw.keep(connection, Path(folder))
        checked = raw.load(connection, rows)
        unchecked = raw.load_unchecked(connection, rows)
    return Taken(first, again, checked, unchecked, _peak_mib(), steps)


def _import(connection: Connection, file: Path) -> tuple[float, Imported, int]:
    steps: list[int] = []
    began = time.perf_counter()
    result = import_fleet(connection, file, on_progress=steps.append)
    return time.perf_counter() - began, result, len(steps)


def _peak_mib() -> float:
    """Of this process: the smaller size runs first, so the larger one cannot hide behind it."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    typer.run(main)

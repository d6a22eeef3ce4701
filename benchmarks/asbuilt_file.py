"""A fleet file as a plant writes it: as-built records in JSON Lines, three ECUs a vehicle."""

from pathlib import Path
from typing import Any

import orjson

from simulator.asbuilt import as_built

SEED = 7


def write(path: Path, vehicles: int, *, versions: int = 7) -> Path:
    """Write the file; the cameras of the fleet run so many versions."""
    with path.open("wb") as file:
        for number, record in enumerate(as_built(vehicles, SEED)):
            record["ecus"].append(_camera(number, versions))
            file.write(orjson.dumps(record) + b"\n")
    return path


def _camera(number: int, versions: int) -> dict[str, Any]:
    return {"name": "Camera", "hw_id": f"ZF-CAM-{number % 3}", "sw_version": f"5.{number % versions}.0"}

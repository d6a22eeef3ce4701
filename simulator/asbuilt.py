"""The generator of as-built records: what the factory says about each vehicle it made."""

import math
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from itertools import accumulate
from typing import Any

from simulator.chance import lot, one_in
from simulator.vin import vin

DEFAULT_MODELS: Mapping[str, float] = {"Model_Y": 1.0}

# Country, region, time zone, WMI of the plant that serves it. One row per zone; all rows are equally likely.
PLACES = (
    ("DE", "EU", "Europe/Berlin", "XP7"),
    ("FR", "EU", "Europe/Paris", "XP7"),
    ("SE", "EU", "Europe/Stockholm", "XP7"),
    ("NL", "EU", "Europe/Amsterdam", "XP7"),
    ("NO", "EU", "Europe/Oslo", "XP7"),
    ("US", "NA", "America/New_York", "5YJ"),
    ("US", "NA", "America/Chicago", "5YJ"),
    ("US", "NA", "America/Los_Angeles", "5YJ"),
    ("CA", "NA", "America/Toronto", "5YJ"),
    ("CN", "APAC", "Asia/Shanghai", "LRW"),
    ("JP", "APAC", "Asia/Tokyo", "LRW"),
)
DESCRIPTORS = {"Model_Y": "YGDEE", "Model_3": "3E1EA"}
OTHER_DESCRIPTOR = "SA1E2"

FIRST_BUILD = date(2023, 1, 2)
BUILD_DAYS = 3 * 365

INTERNAL_ONE_IN = 50  # 2 %: the company's own cars, the test fleet
VOLUNTEER_ONE_IN = 20  # 5 %: owners who asked for early releases
LATE_RADAR_ONE_IN = 10  # 10 % carry the newer radar revision

RADARS = ("BOSCH-MRR-EVO14", "BOSCH-MRR-EVO15")
RADAR_VERSIONS = ("1.3.0", "1.3.2")
FOREIGN_RADAR, FOREIGN_RADAR_VERSION = "CONTI-ARS-540", "3.0.1"  # every model but the Model_Y
GATEWAY, GATEWAY_VERSION = "CONTI-GW-002", "2.1.0"


def as_built(
    vehicles: int, seed: int, models: Mapping[str, float] = DEFAULT_MODELS, first: int = 0
) -> Iterator[dict[str, Any]]:
    """The manufacturing records of a fleet, one JSON object per vehicle.

    Deterministic, and a larger fleet begins with the same vehicles as a smaller one. `models` are shares
    that sum to 1; `first` is the number of the first vehicle, so that two fleets need not share one. Raises
    ValueError when the shares do not sum to 1, or when `vehicles` is negative.
    """
    if vehicles < 0:
        raise ValueError(f"a fleet cannot have {vehicles} vehicles")
    if not models or min(models.values()) < 0 or not math.isclose(sum(models.values()), 1.0):
        raise ValueError(f"the shares of the models must sum to 1, these do not: {dict(models)}")
    return (_record(index, seed, models) for index in range(first, first + vehicles))


def _record(index: int, seed: int, models: Mapping[str, float]) -> dict[str, Any]:
    def draw(about: str) -> float:
        return lot(seed, index, about)

    model = _model(draw("model"), models)
    country, region, timezone, maker = PLACES[int(draw("place") * len(PLACES))]
    built = FIRST_BUILD + timedelta(days=int(draw("built") * BUILD_DAYS))
    return {
        "vin": vin(index, maker=maker, descriptor=DESCRIPTORS.get(model, OTHER_DESCRIPTOR), year=built.year),
        "model": model,
        "build_date": built.isoformat(),
        "country": country,
        "region": region,
        "timezone": timezone,
        "groups": _groups(index, seed),
        "ecus": [
            {"name": "Radar", **_radar(index, seed, model)},
            {"name": "Gateway", "hw_id": GATEWAY, "sw_version": GATEWAY_VERSION},
        ],
    }


def _model(draw: float, models: Mapping[str, float]) -> str:
    for name, upto in zip(models, accumulate(models.values()), strict=True):
        if draw < upto:
            return name
    return list(models)[-1]  # the shares may sum to a hair below 1


def _groups(index: int, seed: int) -> list[str]:
    drawn = {
        "internal": one_in(INTERNAL_ONE_IN, index, seed, "internal"),
        "volunteers": one_in(VOLUNTEER_ONE_IN, index, seed, "volunteers"),
    }
    return [group for group, member in drawn.items() if member]


def _radar(index: int, seed: int, model: str) -> dict[str, str]:
    if model != "Model_Y":
        return {"hw_id": FOREIGN_RADAR, "sw_version": FOREIGN_RADAR_VERSION}
    version = RADAR_VERSIONS[int(lot(seed, index, "radar") * len(RADAR_VERSIONS))]
    return {"hw_id": RADARS[one_in(LATE_RADAR_ONE_IN, index, seed, "radar")], "sw_version": version}

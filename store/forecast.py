"""What a selection would take as things stand: numbers for a preview and for the registration."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Select, func, select
from sqlmodel import col

from campaign.conflicts import OnConflict
from campaign.definition import Definition
from campaign.package import Package
from store.conflicts import Rival, busy, rivals
from store.selection import Chosen, choose, chosen, facts
from store.tables import VariantRow, VehicleRow


@dataclass(frozen=True)
class Forecast:
    """What a selection would take now: totals per phase and per value of each dimension, and samples."""

    phases: Counter[int] = field(default_factory=Counter)
    models: Counter[tuple[int, str]] = field(default_factory=Counter)
    countries: Counter[tuple[int, str]] = field(default_factory=Counter)
    hardware: Counter[tuple[int, str]] = field(default_factory=Counter)
    software: Counter[tuple[int, str]] = field(default_factory=Counter)
    samples: dict[int, list[str]] = field(default_factory=dict)


def skipped(connection: Connection, definition: Definition, package: Package) -> dict[str, int]:
    """How many vehicles a definition that skips conflicts leaves out, by the campaign not done with them."""
    if definition.conflicts is not OnConflict.SKIP:
        return {}
    others = rivals(connection, definition.name, package)
    everybody = choose(connection, definition, package)
    return {each.name: count for each in others if (count := shared(connection, everybody, each))}


def shared(connection: Connection, targets: Chosen, rival: Rival) -> int:
    """How many of these targets a campaign is not done with."""
    both = busy(targets.eligible.c.vehicle_id, [rival])
    statement = select(func.count()).select_from(targets.eligible).where(targets.member, both)
    return int(connection.scalar(statement) or 0)


def count_targets(connection: Connection, targets: Chosen) -> dict[int, int]:
    """How many vehicles each phase would take; a phase that takes nobody is absent."""
    statement = targets.select(func.count()).group_by("phase")
    return {row[0]: row[1] for row in connection.execute(statement)}


def count_without_zone(connection: Connection, targets: Chosen) -> int:
    """How many of the targets have no time zone."""
    lost = (
        select(func.count())
        .select_from(targets.eligible)
        .join(VehicleRow, col(VehicleRow.id) == targets.eligible.c.vehicle_id)
        .where(targets.member, col(VehicleRow.timezone).is_(None))
    )
    return int(connection.scalar(lost) or 0)


def forecast(connection: Connection, definition: Definition, package: Package, samples: int = 3) -> Forecast:
    """Preview the selection, with up to ``samples`` VINs a phase, of different configurations."""
    targets = chosen(connection, definition, package)
    variant, vehicle = targets.eligible.c.variant_id, targets.eligible.c.vehicle_id
    variants = (
        targets.select(variant, func.count().label("vehicles"), func.min(vehicle).label("sample"))
        .group_by("phase", variant)
        .subquery()
    )
    statement: Select[Any] = select(
        variants.c.phase, *facts(package), variants.c.vehicles, variants.c.sample
    ).join(VariantRow, col(VariantRow.id) == variants.c.variant_id)
    found = Forecast()
    sampled: dict[int, dict[str, int]] = {}
    for phase, model, country, region, ecus, count, vehicle_id in connection.execute(statement):
        found.phases[phase] += count
        found.models[phase, model] += count
        found.countries[phase, country or "unknown"] += count
        for name, ecu in ecus.items():
            found.hardware[phase, f"{name} {ecu['hw_id']}"] += count
            found.software[phase, f"{name} {ecu['sw_version']}"] += count
        sampled.setdefault(phase, {}).setdefault(f"{model} {country} {region} {ecus}", vehicle_id)
    for phase, vehicles in sampled.items():
        some = select(col(VehicleRow.vin)).where(col(VehicleRow.id).in_(list(vehicles.values())[:samples]))
        found.samples[phase] = list(connection.scalars(some))
    return found

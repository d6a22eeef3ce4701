"""Why one vehicle is in or out of a campaign."""

from dataclasses import dataclass

from sqlalchemy import Connection, select
from sqlmodel import col

from campaign.conflicts import OnConflict
from campaign.criteria import misses
from campaign.definition import PILOT_GROUPS, CampaignType, Definition
from campaign.package import Package, package_misses
from campaign.problems import Problem, Refused
from campaign.vehicle import Ecu, Vehicle
from store.conflicts import busy, rivals
from store.selection import chosen
from store.tables import EcuRow, VehicleRow, VinListRow


@dataclass(frozen=True)
class Explained:
    """``phase`` is None for a vehicle that is out; ``reasons`` are sentences."""

    phase: int | None
    phase_name: str | None
    reasons: list[str]


def explain_vehicle(connection: Connection, definition: Definition, package: Package, vin: str) -> Explained:
    """Ask the selection itself for the phase, and the rules for the reasons.

    Raises:
        Refused: the fleet has no such vehicle.
    """
    vehicle_id, vehicle = _vehicle(connection, vin)
    found = chosen(connection, definition, package)
    phase = connection.scalar(found.select().where(found.eligible.c.vehicle_id == vehicle_id))
    if phase is not None:
        name = str(definition.phases[phase - 1].name)
        return Explained(phase, name, [*_facts(vehicle, package), *_earlier(definition, vehicle, phase)])
    reasons = [f"package: {reason}" for reason in package_misses(package, vehicle)]
    if definition.criteria:
        reasons += [f"criteria: {reason}" for reason in misses(definition.criteria, vehicle)]
    if definition.exclude and not any(misses(definition.exclude, vehicle)):
        reasons.append("exclude: it matches what the campaign leaves out")
    if definition.type is CampaignType.BETA and not set(PILOT_GROUPS) & set(vehicle.groups):
        reasons.append(f"type: beta reaches only the groups {' and '.join(PILOT_GROUPS)}")
    if definition.conflicts is OnConflict.SKIP:
        reasons += [
            f"conflicts: campaign {rival.name!r} is not done with it ({', '.join(rival.differences)})"
            for rival in rivals(connection, definition.name, package)
            if connection.scalar(select(busy(vehicle_id, [rival])))
        ]
    if not reasons:
        reasons = _earlier(definition, vehicle, len(definition.phases) + 1)
    return Explained(None, None, reasons)


def _facts(vehicle: Vehicle, package: Package) -> list[str]:
    ecus = {ecu.name: ecu for ecu in vehicle.ecus}
    return [
        f"{module.ecu} {ecus[module.ecu].hw_id} goes from {ecus[module.ecu].sw_version} to {module.version}"
        for module in package.modules
    ]


def _earlier(definition: Definition, vehicle: Vehicle, phase: int) -> list[str]:
    """Why the vehicle is in none of the phases before ``phase``."""
    reasons = []
    for number, earlier in enumerate(definition.phases[: phase - 1], start=1):
        missed = list(misses(earlier.criteria, vehicle)) if earlier.criteria else []
        size = f"{earlier.rollout_percent} %" if earlier.rollout_percent else str(earlier.rollout_count)
        why = "; ".join(missed) or f"it takes {size} in the seeded order, and this one comes later"
        reasons.append(f"not in phase {number} ({earlier.name}): {why}")
    return reasons


def _vehicle(connection: Connection, vin: str) -> tuple[int, Vehicle]:
    table = VehicleRow.__table__  # type: ignore[attr-defined]
    row = connection.execute(select(table).where(table.c.vin == vin)).one_or_none()
    if row is None:
        cure = "the fleet has no such vehicle; import its as-built record"
        raise Refused([Problem("vin", repr(vin), cure)], "command")
    ecus = connection.execute(
        select(col(EcuRow.name), col(EcuRow.hw_id), col(EcuRow.sw_version))
        .where(col(EcuRow.vehicle_id) == row.id)
        .order_by(col(EcuRow.name))
    )
    # As stored: what was imported under other rules must not fail here.
    vehicle = Vehicle.model_construct(
        vin=row.vin,
        model=row.model,
        build_date=row.build_date,
        country=row.country,
        region=row.region,
        groups=tuple(row.groups),
        vin_lists=tuple(connection.scalars(select(col(VinListRow.name)).where(col(VinListRow.vin) == vin))),
        ecus=tuple(Ecu(name=ecu.name, hw_id=ecu.hw_id, sw_version=ecu.sw_version) for ecu in ecus),
    )
    return row.id, vehicle

"""Who is in which phase: one set-based statement, the same for a preview and for the real selection.

The statement is a chain: the eligible vehicles with their rank in the seeded order, then phase after phase
those of them it takes. Percent phases are cumulative over all vehicles that match the phase; count phases
take exactly so many who are in no earlier phase.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    Connection,
    Numeric,
    Select,
    Text,
    and_,
    cast,
    exists,
    func,
    literal,
    not_,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import col

from campaign.conflicts import OnConflict
from campaign.criteria import Criterion
from campaign.definition import PILOT_GROUPS, CampaignType, Definition
from campaign.order import scramble
from campaign.package import Package
from campaign.phase import Order, Phase
from store.conflicts import Rival, busy, rivals, shared
from store.matching import Versions, criteria_sql, package_sql
from store.tables import EcuRow, VehicleRow


def fleet_versions(connection: Connection) -> Versions:
    """The versions of each ECU name in the fleet, each name asked once."""
    known: dict[str, frozenset[str]] = {}

    def versions(name: str) -> frozenset[str]:
        if name not in known:
            statement = select(col(EcuRow.sw_version)).where(col(EcuRow.name) == name).distinct()
            known[name] = frozenset(connection.scalars(statement))
        return known[name]

    return versions


def chosen(connection: Connection, definition: Definition, package: Package) -> CTE:
    """The targets as things stand now; the columns of `targets`."""
    skip = definition.conflicts is OnConflict.SKIP
    busy_with = rivals(connection, definition.name, package) if skip else []
    return targets(definition, package, fleet_versions(connection), busy_with)


def targets(
    definition: Definition, package: Package, versions: Versions, busy_with: Sequence[Rival] = ()
) -> CTE:
    """The targets as a CTE: vehicle_id, phase, and the facts model, country, region, ecus and key.

    Args:
        busy_with: campaigns whose vehicles are left out until they are done with them.
    """
    eligible = _eligible(definition, package, versions, busy_with)
    taken: list[CTE] = []
    for number, ring in enumerate(definition.phases, start=1):
        taken.append(_members(eligible, ring, number, taken))
    members = union_all(*(select(phase.c.vehicle_id, phase.c.phase) for phase in taken)).subquery("members")
    facts = (
        select(
            func.jsonb_object_agg(
                col(EcuRow.name),
                func.jsonb_build_object("hw_id", col(EcuRow.hw_id), "sw_version", col(EcuRow.sw_version)),
            )
        )
        .where(
            col(EcuRow.vehicle_id) == members.c.vehicle_id,
            col(EcuRow.name).in_(_decisive(package)),
        )
        .scalar_subquery()
    )
    described = (
        select(
            members.c.vehicle_id,
            members.c.phase,
            col(VehicleRow.model),
            col(VehicleRow.country),
            col(VehicleRow.region),
            cast(facts, JSONB).label("ecus"),
        )
        .join(VehicleRow, col(VehicleRow.id) == members.c.vehicle_id)
        .subquery("described")
    )
    # One hashable key for all facts, so that targets meet their configuration by a hash join.
    key = func.md5(
        func.concat_ws(
            "\n",
            described.c.model,
            func.coalesce(described.c.country, ""),
            func.coalesce(described.c.region, ""),
            cast(described.c.ecus, Text),
        )
    )
    return select(described, key.label("key")).cte("targets")


def _decisive(package: Package) -> list[str]:
    """The ECUs a package is selected by: a change of one of them makes the choice outdated."""
    return sorted({module.ecu for module in package.modules} | {need.ecu for need in package.requirements})


def eligibility(definition: Definition, package: Package, versions: Versions) -> Any:
    """Who the campaign is for at all, before phases: package, campaign criteria, exclusions and type."""
    parts = [package_sql(package, versions)]
    if definition.criteria:
        parts.append(criteria_sql(definition.criteria, versions))
    if definition.exclude:
        parts.append(not_(criteria_sql(definition.exclude, versions)))
    if definition.type is CampaignType.BETA:
        parts.append(criteria_sql(Criterion(groups=PILOT_GROUPS), versions))
    return and_(*parts)


def _eligible(
    definition: Definition, package: Package, versions: Versions, busy_with: Sequence[Rival]
) -> CTE:
    """Eligible vehicles: id, rank, volunteer, and one boolean per phase."""
    mask, multiplier = scramble(definition.order_seed)
    lot = cast(col(VehicleRow.lot), BigInteger)
    rank = (
        lot.op("#")(literal(mask, BigInteger))
        .op("*")(literal(multiplier, BigInteger))
        .op("&")(literal(0xFFFFFFFF, BigInteger))
    )
    matching = [
        (criteria_sql(phase.criteria, versions) if phase.criteria else true()).label(f"in_{number}")
        for number, phase in enumerate(definition.phases, start=1)
    ]
    volunteer = col(VehicleRow.groups).bool_op("&&")(["volunteers"]).label("volunteer")
    return (
        select(col(VehicleRow.id).label("vehicle_id"), rank.label("rank"), volunteer, *matching)
        .where(
            eligibility(definition, package, versions),
            not_(busy(col(VehicleRow.id), busy_with)) if busy_with else true(),
        )
        .cte("eligible")
    )


def _members(eligible: CTE, phase: Phase, number: int, earlier: Sequence[CTE]) -> CTE:
    """Who phase ``number`` takes."""
    untaken = [not_(exists().where(member.c.vehicle_id == eligible.c.vehicle_id)) for member in earlier]
    place: list[Any] = [eligible.c.rank, eligible.c.vehicle_id]
    if phase.order is Order.VOLUNTEERS_FIRST:
        place.insert(0, eligible.c.volunteer.desc())
    matching = eligible.c[f"in_{number}"]
    if phase.rollout_count is not None:
        return (
            select(eligible.c.vehicle_id, literal(number).label("phase"))
            .where(matching, *untaken)
            .order_by(*place)
            .limit(phase.rollout_count)
            .cte(f"phase_{number}")
        )
    ranked = (
        select(
            eligible.c.vehicle_id,
            func.row_number().over(order_by=place).label("place"),
            func.count().over().label("population"),
        )
        .where(matching)
        .cte(f"ranked_{number}")
    )
    # Rounded up, so that a small percentage of a small population is somebody rather than nobody.
    reach = func.ceil(ranked.c.population * literal(phase.rollout_percent, Numeric) / 100)
    untaken = [not_(exists().where(member.c.vehicle_id == ranked.c.vehicle_id)) for member in earlier]
    return (
        select(ranked.c.vehicle_id, literal(number).label("phase"))
        .where(ranked.c.place <= reach, *untaken)
        .cte(f"phase_{number}")
    )


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
    members = targets(definition, package, fleet_versions(connection))
    others = rivals(connection, definition.name, package)
    return {each.name: count for each in others if (count := shared(connection, members, each))}


def count_targets(connection: Connection, definition: Definition, package: Package) -> dict[int, int]:
    """How many vehicles each phase would take; a phase that takes nobody is absent."""
    members = chosen(connection, definition, package)
    statement: Select[Any] = select(members.c.phase, func.count()).group_by(members.c.phase)
    return {row[0]: row[1] for row in connection.execute(statement)}


def count_without_zone(connection: Connection, definition: Definition, package: Package) -> int:
    """How many of the targets have no time zone."""
    members = chosen(connection, definition, package)
    statement: Select[Any] = (
        select(func.count())
        .select_from(members)
        .join(VehicleRow, col(VehicleRow.id) == members.c.vehicle_id)
        .where(col(VehicleRow.timezone).is_(None))
    )
    return int(connection.scalar(statement) or 0)


def forecast(connection: Connection, definition: Definition, package: Package, samples: int = 3) -> Forecast:
    """Preview the selection, with up to ``samples`` VINs a phase, of different configurations."""
    members = chosen(connection, definition, package)
    combination = (members.c.phase, members.c.model, members.c.country, members.c.ecus)
    statement: Select[Any] = select(*combination, func.count(), func.min(members.c.vehicle_id)).group_by(
        *combination
    )
    found = Forecast()
    sampled: dict[int, list[int]] = {}
    for phase, model, country, ecus, count, vehicle in connection.execute(statement):
        found.phases[phase] += count
        found.models[phase, model] += count
        found.countries[phase, country or "unknown"] += count
        for name, ecu in ecus.items():
            found.hardware[phase, f"{name} {ecu['hw_id']}"] += count
            found.software[phase, f"{name} {ecu['sw_version']}"] += count
        sampled.setdefault(phase, []).append(vehicle)
    for phase, vehicles in sampled.items():
        some = select(col(VehicleRow.vin)).where(col(VehicleRow.id).in_(vehicles[:samples]))
        found.samples[phase] = list(connection.scalars(some))
    return found

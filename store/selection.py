"""Who is in which phase: one set-based statement, the same for a preview and for the real selection.

The statement is a chain: the eligible vehicles with their place in the seeded order, then phase after phase
the place up to which it takes them. Percent phases are cumulative over all vehicles that match the phase;
count phases take exactly so many who are in no earlier phase.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    Numeric,
    Select,
    and_,
    case,
    cast,
    func,
    literal,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import col

from campaign.conflicts import OnConflict
from campaign.criteria import Criterion
from campaign.definition import PILOT_GROUPS, CampaignType, Definition
from campaign.order import scramble
from campaign.package import Package
from campaign.phase import Order
from store.conflicts import Rival, busy, rivals, shared
from store.matching import Decisive, Versions, criteria_sql, decisive, package_sql
from store.tables import EcuRow, VehicleRow

#: A selection sorts and joins the fleet in memory: with the 4 MB that are usual a million vehicles go through
#: files several times. It takes what it needs and no more, one selection of an ECU at a time.
_MEMORY = "SET LOCAL work_mem = '256MB'"


def fleet_versions(connection: Connection) -> Versions:
    """The versions of each ECU name in the fleet, read in one pass when the first is asked for."""

    @cache
    def known() -> dict[str, frozenset[str]]:
        found: defaultdict[str, set[str]] = defaultdict(set)
        for name, version in connection.execute(select(col(EcuRow.name), col(EcuRow.sw_version)).distinct()):
            found[name].add(version)
        return {name: frozenset(versions) for name, versions in found.items()}

    return lambda name: known().get(name, frozenset())


def chosen(connection: Connection, definition: Definition, package: Package) -> CTE:
    """The targets as things stand now; the columns of `targets`."""
    connection.exec_driver_sql(_MEMORY)
    skip = definition.conflicts is OnConflict.SKIP
    busy_with = rivals(connection, definition.name, package) if skip else []
    return targets(definition, package, fleet_versions(connection), busy_with)


def targets(
    definition: Definition, package: Package, versions: Versions, busy_with: Sequence[Rival] = ()
) -> CTE:
    """The targets as a CTE: vehicle_id, phase, and the columns of `facts`.

    Args:
        busy_with: campaigns whose vehicles are left out until they are done with them.
    """
    eligible = _eligible(definition, package, versions, busy_with)
    members = _members(definition, eligible)
    phase = case(*((member, number) for number, member in enumerate(members, start=1))).label("phase")
    # To find the phase again is cheaper than to keep a million rows a second time.
    return (
        select(eligible.c.vehicle_id, phase, *facts(eligible))
        .where(or_(*members))
        .cte("targets")
        .prefix_with("NOT MATERIALIZED")
    )


def facts(members: FromClause) -> list[Any]:
    """What a target was chosen by: model, country, region, hw_id and sw_version of each decisive ECU."""
    return [column for name, column in members.c.items() if name.startswith(_FACTS)]


_FACTS = ("model", "country", "region", "hw_id_", "sw_version_")


def ecus_sql(package: Package, found: FromClause) -> ColumnElement[Any]:
    """The ECUs among some facts as one JSON object."""
    parts: list[Any] = []
    for place, name in enumerate(decisive(package)):
        ecu = func.jsonb_build_object(
            "hw_id", found.c[f"hw_id_{place}"], "sw_version", found.c[f"sw_version_{place}"]
        )
        parts += [name, ecu]
    return cast(func.jsonb_build_object(*parts), JSONB)


def eligibility(definition: Definition, package: Package, versions: Versions, ecus: Decisive) -> Any:
    """Who the campaign is for at all, before phases: package, campaign criteria, exclusions and type."""
    parts = [package_sql(package, versions, ecus)]
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
    """Eligible vehicles: id, place in the seeded order, volunteer, one boolean per phase, facts."""
    mask, multiplier = scramble(definition.order_seed)
    lot = cast(col(VehicleRow.lot), BigInteger)
    rank = (
        lot.op("#")(literal(mask, BigInteger))
        .op("*")(literal(multiplier, BigInteger))
        .op("&")(literal(0xFFFFFFFF, BigInteger))
    )
    # Rank and id in one number, for vehicles may share a lot: 32 and 31 bits.
    place = rank.op("<<")(literal(31, Integer)).op("|")(cast(col(VehicleRow.id), BigInteger)).label("place")
    matching = [
        (criteria_sql(phase.criteria, versions) if phase.criteria else true()).label(f"in_{number}")
        for number, phase in enumerate(definition.phases, start=1)
    ]
    volunteer = col(VehicleRow.groups).bool_op("&&")(["volunteers"]).label("volunteer")
    ecus = decisive(package)
    known = [col(VehicleRow.model), col(VehicleRow.country), col(VehicleRow.region)]
    for number, ecu in enumerate(ecus.values()):
        known += [ecu.hw_id.label(f"hw_id_{number}"), ecu.sw_version.label(f"sw_version_{number}")]
    return (
        select(col(VehicleRow.id).label("vehicle_id"), place, volunteer, *matching, *known)
        .where(
            eligibility(definition, package, versions, ecus),
            not_(busy(col(VehicleRow.id), busy_with)) if busy_with else true(),
        )
        .cte("eligible")
    )


#: Before every place; and what brings volunteers before everybody else.
_FIRST = -(2**63)


def _members(definition: Definition, eligible: CTE) -> list[ColumnElement[bool]]:
    """Who each phase takes, as conditions on a row of ``eligible``; who is in an earlier one counts there.

    A phase needs the place of its last vehicle only, not a place for every vehicle.
    """
    sizes = select(
        *(
            func.count().filter(eligible.c[f"in_{number}"]).label(f"in_{number}")
            for number in range(1, len(definition.phases) + 1)
        )
    ).cte("sizes")
    members: list[ColumnElement[bool]] = []
    for number, phase in enumerate(definition.phases, start=1):
        matching = eligible.c[f"in_{number}"]
        if phase.rollout_percent == 100:
            members.append(matching)
            continue
        place: ColumnElement[Any] = eligible.c.place
        if phase.order is Order.VOLUNTEERS_FIRST:
            place = place + case((eligible.c.volunteer, literal(_FIRST, BigInteger)), else_=0)
        candidates = select(place.label("place")).where(matching).order_by(place)
        if phase.rollout_count is not None:
            candidates = candidates.where(*(not_(member) for member in members)).limit(phase.rollout_count)
        else:
            # Rounded up, so that a small percentage of a small population is somebody rather than nobody.
            share = sizes.c[f"in_{number}"] * literal(phase.rollout_percent, Numeric) / 100
            candidates = candidates.limit(select(cast(func.ceil(share), BigInteger)).scalar_subquery())
        first = candidates.subquery()
        last = func.coalesce(func.max(first.c.place), literal(_FIRST, BigInteger)).label("place")
        limit = select(last).cte(f"last_{number}").prefix_with("MATERIALIZED")
        members.append(and_(matching, place <= select(limit.c.place).scalar_subquery()))
    return members


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
    combination = (members.c.phase, *facts(members))
    groups = (
        select(*combination, func.count().label("vehicles"), func.min(members.c.vehicle_id).label("sample"))
        .group_by(*combination)
        .subquery()
    )
    statement: Select[Any] = select(
        groups.c.phase,
        groups.c.model,
        groups.c.country,
        ecus_sql(package, groups),
        groups.c.vehicles,
        groups.c.sample,
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

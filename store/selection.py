"""Who is in which phase: the same for a preview and for the real selection.

The eligible vehicles go into a temporary table first, each with its place in the seeded order: PostgreSQL
finds them on all cores then, which it never does in a statement that writes rows others can see. After that
a phase is a place: that of the last vehicle it takes. Percent phases are cumulative over all vehicles that
match the phase; count phases take exactly so many who are in no earlier phase.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import ceil
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Double,
    FromClause,
    Integer,
    Select,
    and_,
    case,
    cast,
    column,
    func,
    inspect,
    literal,
    not_,
    or_,
    select,
    table,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import col

from campaign.conflicts import OnConflict
from campaign.criteria import Criterion
from campaign.definition import PILOT_GROUPS, CampaignType, Definition
from campaign.order import scramble
from campaign.package import Package
from campaign.phase import Order, Phase
from store.conflicts import Rival, busy, rivals
from store.matching import Fitted, Versions, criteria_sql, decisive, package_sql
from store.tables import CandidateRow, VariantRow, VehicleRow

#: A selection sorts and joins the fleet in memory: with the 4 MB that are usual a million vehicles go through
#: files several times. And it joins all with all: the planner cannot know how many variants a package fits,
#: and where it guesses few it looks up each vehicle by itself. What can be nothing but such a loop looks dear
#: then, and would be compiled for it.
_SETTINGS = "SET LOCAL work_mem = '256MB'; SET LOCAL enable_nestloop = off; SET LOCAL jit = off"

#: What brings volunteers before everybody else.
_FIRST = -(2**63)

_VERSIONS = """
SELECT DISTINCT ecu.key, ecu.value ->> 'sw_version' FROM variant CROSS JOIN jsonb_each(variant.ecus) AS ecu
"""


@dataclass(frozen=True)
class Chosen:
    """Who was chosen: ``eligible`` has vehicle_id and variant_id of everybody who could be, ``phase`` tells
    the phase of such a row, NULL for none. ``versions`` are those it was chosen by."""

    versions: Versions
    eligible: FromClause
    phase: ColumnElement[int | None]
    member: ColumnElement[bool]

    def select(self, *columns: Any) -> Select[Any]:
        """Columns of ``eligible`` of those who are in a phase, after ``phase``."""
        return select(self.phase.label("phase"), *columns).select_from(self.eligible).where(self.member)


def fleet_versions(connection: Connection) -> Versions:
    """The versions of each ECU name in the fleet, read in one pass when the first is asked for."""

    @cache
    def known() -> dict[str, frozenset[str]]:
        found: defaultdict[str, set[str]] = defaultdict(set)
        for name, version in connection.exec_driver_sql(_VERSIONS):
            found[name].add(version)
        return {name: frozenset(versions) for name, versions in found.items()}

    return lambda name: known().get(name, frozenset())


def chosen(connection: Connection, definition: Definition, package: Package) -> Chosen:
    """The targets as things stand now, in the transaction of the caller."""
    skip = definition.conflicts is OnConflict.SKIP
    busy_with = rivals(connection, definition.name, package) if skip else []
    return choose(connection, definition, package, busy_with)


def choose(
    connection: Connection, definition: Definition, package: Package, busy_with: Sequence[Rival] = ()
) -> Chosen:
    """The same without the vehicles that other campaigns, ``busy_with``, are not done with.

    A choice stands until the next one, or until the transaction ends.
    """
    connection.exec_driver_sql(_SETTINGS)
    versions = fleet_versions(connection)
    wanted = _eligible(definition, package, versions, busy_with)
    eligible = _keep(connection, "eligible", wanted)
    members = _members(connection, definition, eligible)
    phase = case(*((member, number) for number, member in enumerate(members, start=1)))
    return Chosen(versions, eligible, phase, or_(*members))


def facts(package: Package) -> list[ColumnElement[Any]]:
    """What a target is chosen by, of its variant: model, country, region, and ``ecus`` with hw_id and
    sw_version of each decisive ECU as one JSON object."""
    parts: list[Any] = []
    for name in decisive(package):
        ecu = Fitted.named(name)
        parts += [name, func.jsonb_build_object("hw_id", ecu.hw_id, "sw_version", ecu.sw_version)]
    place: list[Any] = [col(VariantRow.model), col(VariantRow.country), col(VariantRow.region)]
    return [*place, cast(func.jsonb_build_object(*parts), JSONB).label("ecus")]


def eligibility(definition: Definition, package: Package, versions: Versions) -> ColumnElement[bool]:
    """Who the campaign is for at all, before phases: package, campaign criteria, exclusions and type."""
    parts = [package_sql(package, versions)]
    if definition.criteria:
        parts.append(criteria_sql(definition.criteria, versions))
    if definition.exclude:
        parts.append(not_(criteria_sql(definition.exclude, versions)))
    if definition.type is CampaignType.BETA:
        parts.append(criteria_sql(Criterion(groups=PILOT_GROUPS), versions))
    return and_(*parts)


def fleet_sql() -> FromClause:
    """Candidates with their variants, and vehicles; those are not read where no column of theirs is used."""
    fleet: FromClause = (
        inspect(CandidateRow)
        .local_table.join(VariantRow, col(VariantRow.id) == col(CandidateRow.variant_id))
        .outerjoin(VehicleRow, col(VehicleRow.id) == col(CandidateRow.vehicle_id))
    )
    return fleet


def _eligible(
    definition: Definition, package: Package, versions: Versions, busy_with: Sequence[Rival]
) -> Select[Any]:
    """Eligible vehicles: id, variant, place in the seeded order, and what else their phase hangs on."""
    mask, multiplier = scramble(definition.order_seed)
    rank = (
        col(CandidateRow.lot)
        .op("#")(literal(mask, BigInteger))
        .op("*")(literal(multiplier, BigInteger))
        .op("&")(literal(0xFFFFFFFF, BigInteger))
    )
    vehicle_id = col(CandidateRow.vehicle_id)
    # Rank and id in one number, for vehicles may share a lot: 32 and 31 bits.
    place = rank.op("<<")(literal(31, Integer)).op("|")(cast(vehicle_id, BigInteger))
    columns = [vehicle_id.label("vehicle_id"), col(CandidateRow.variant_id), place.label("place")]
    columns += [
        criteria_sql(phase.criteria, versions).label(f"in_{number}")
        for number, phase in enumerate(definition.phases, start=1)
        if phase.criteria
    ]
    if any(phase.order is Order.VOLUNTEERS_FIRST for phase in definition.phases):
        columns.append(col(VehicleRow.groups).bool_op("&&")(["volunteers"]).label("volunteer"))
    found = select(*columns).select_from(fleet_sql()).where(eligibility(definition, package, versions))
    # In the order of the key of the rows they become, which then grows at its end only.
    found = found.order_by(vehicle_id)
    return found.where(not_(busy(vehicle_id, busy_with))) if busy_with else found


def _keep(connection: Connection, name: str, statement: Select[Any]) -> FromClause:
    """The rows of a statement in a temporary table, until the transaction ends."""
    # SQLAlchemy's own SELECT INTO would write the values into the text and keep the table.
    compiled = statement.compile(connection, compile_kwargs={"render_postcompile": True})
    connection.exec_driver_sql(f"DROP TABLE IF EXISTS pg_temp.{name}")
    connection.exec_driver_sql(f"CREATE TEMPORARY TABLE {name} ON COMMIT DROP AS {compiled}", compiled.params)
    return table(name, *(column(str(each.key), each.type) for each in statement.selected_columns))


def _members(
    connection: Connection, definition: Definition, eligible: FromClause
) -> list[ColumnElement[bool]]:
    """Who each phase takes, as conditions on a row of ``eligible``; who is in an earlier one counts there.

    A phase needs the place of its last vehicle only, not a place for every vehicle.
    """
    last = _last_by_rank(connection, definition, eligible)
    members: list[ColumnElement[bool]] = []
    for number, phase in enumerate(definition.phases, start=1):
        matching, place = _matching(eligible, number, phase), _place(eligible, phase)
        if phase.rollout_count is not None and number not in last:
            others = [not_(member) for member in members]
            found = select(place).where(matching, *others).order_by(place)
            last[number] = connection.scalar(found.offset(phase.rollout_count - 1).limit(1))
        # Where there are fewer than it would take, a phase takes all that match.
        within = true() if last[number] is None else place <= literal(last[number], BigInteger)
        members.append(and_(matching, within))
    return members


def _last_by_rank(
    connection: Connection, definition: Definition, eligible: FromClause
) -> dict[int, int | None]:
    """The place of the last vehicle of each phase, by the phase's number, where its rank among those that
    match the phase is known; None where the phase takes all of them."""
    phases = dict(enumerate(definition.phases, start=1))
    if all(phase.rollout_percent == 100 for phase in definition.phases):
        return dict.fromkeys(phases)
    counts = [func.count().filter(_matching(eligible, number, phase)) for number, phase in phases.items()]
    sizes = dict(zip(phases, connection.execute(select(*counts).select_from(eligible)).one(), strict=True))
    ranks = _ranks(phases, sizes)
    last: dict[int, int | None] = dict.fromkeys(ranks)
    wanted = [number for number, rank in ranks.items() if rank < sizes[number]]
    places = []
    for number in wanted:
        # Half a vehicle less: the fraction stands for this very one whatever is lost in floating point.
        fraction = (ranks[number] - 0.5) / sizes[number]
        place = func.percentile_disc(literal(fraction, Double)).within_group(_place(eligible, phases[number]))
        places.append(place.filter(_matching(eligible, number, phases[number])))
    if places:
        # Phases of the same vehicles in the same order share one sort.
        row = connection.execute(select(*places).select_from(eligible)).one()
        last |= dict(zip(wanted, row, strict=True))
    return last


def _ranks(phases: Mapping[int, Phase], sizes: Mapping[int, int]) -> dict[int, int]:
    """Which of the vehicles that match a phase, in its order, is its last one. A share says so by itself, a
    count only where all phases up to it take from everybody in the same order."""
    ranks: dict[int, int] = {}
    taken, alike = 0, True
    for number, phase in phases.items():
        alike = alike and not phase.criteria and phase.order is not Order.VOLUNTEERS_FIRST
        if phase.rollout_percent is not None:
            # Rounded up, so that a small percentage of a small population is somebody rather than nobody.
            ranks[number] = ceil(sizes[number] * Fraction(phase.rollout_percent) / 100)
        elif alike and phase.rollout_count is not None:
            ranks[number] = taken + phase.rollout_count
        if alike:
            taken = max(taken, ranks[number])
    return ranks


def _matching(eligible: FromClause, number: int, phase: Phase) -> ColumnElement[bool]:
    return eligible.c[f"in_{number}"] if phase.criteria else true()


def _place(eligible: FromClause, phase: Phase) -> ColumnElement[int]:
    place: ColumnElement[int] = eligible.c.place
    if phase.order is Order.VOLUNTEERS_FIRST:
        return place + case((eligible.c.volunteer, literal(_FIRST, BigInteger)), else_=0)
    return place

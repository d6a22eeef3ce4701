"""Registering a campaign and freezing its targets."""

from dataclasses import dataclass

from sqlalchemy import (
    Connection,
    and_,
    exists,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import col

from campaign.action import MAX_CAMPAIGN
from campaign.conflicts import OnConflict
from campaign.criteria import ecu_names, vin_lists
from campaign.definition import Definition
from campaign.lifecycle import State
from campaign.package import Package
from campaign.permission import terms_of
from campaign.problems import Problem, Refused, closest
from store.conflicts import rivals, take_turns
from store.evidence import FREEZE_COHORTS_SQL
from store.forecast import count_targets, count_without_zone, shared
from store.freezing import freeze
from store.selection import Chosen, chosen
from store.tables import (
    ArtifactRow,
    CampaignRow,
    EcuRow,
    PackageRow,
    PhaseRow,
    VehicleRow,
    VinListRow,
)
from store.withdrawals import refuse_withdrawn

_KNOWN = "SELECT reltuples FROM pg_class WHERE oid = 'assignment'::regclass"

#: From this share of new rows on plans may be wrong, as autovacuum has it.
_NEWS = 0.1


@dataclass(frozen=True)
class Registered:
    """A campaign that has passed the door; ``sizes`` are the targets each phase would take now."""

    campaign_id: int
    package: Package
    sizes: dict[int, int]


def register(
    connection: Connection, definition: Definition, workflow_id: str, first_run_id: str
) -> Registered:
    """Check a definition against fleet and packages and store it; the same run may do it again.

    Raises:
        Refused: the package, an ECU or a name does not fit, or a phase would be empty.
    """
    package = resolve_package(connection, definition)
    known = connection.execute(
        select(col(CampaignRow.id), col(CampaignRow.first_run_id), col(CampaignRow.state)).where(
            col(CampaignRow.name) == definition.name
        )
    ).one_or_none()
    if known is not None and known.first_run_id == first_run_id:
        return Registered(known.id, package, _sizes(connection, known.id))
    if known is not None:
        cure = f"a campaign of this name exists ({known.state}); names are never used twice, choose another"
        raise Refused([Problem("name", repr(definition.name), cure)])
    sizes = check_against_fleet(connection, definition, package)
    campaign_id = _insert(connection, definition, package, workflow_id, first_run_id, sizes)
    return Registered(campaign_id, package, sizes)


def resolve_package(connection: Connection, definition: Definition) -> Package:
    """The package a definition names or holds; one it holds is registered.

    Raises:
        Refused: unknown, registered with other content, or an artifact is missing.
    """
    stored = connection.scalar(
        select(col(PackageRow.body)).where(col(PackageRow.name) == definition.package_name)
    )
    if isinstance(definition.package, str):
        if stored is None:
            names = connection.scalars(select(col(PackageRow.name)))
            cure = (
                f"unknown package; {closest(definition.package, names)}; register it with `package add FILE`"
            )
            raise Refused([Problem("package", repr(definition.package), cure)])
        return Package.model_validate(stored)
    package = definition.package
    if stored is not None and Package.model_validate(stored).digest != package.digest:
        cure = "a package of this name is registered with other content; a name never changes its content"
        raise Refused([Problem("package.name", repr(package.name), cure)])
    _refuse_missing_artifacts(connection, package)
    row = {"name": package.name, "digest": package.digest, "body": package.model_dump(mode="json")}
    connection.execute(upsert(PackageRow).values(row).on_conflict_do_nothing())
    return package


def _refuse_missing_artifacts(connection: Connection, package: Package) -> None:
    problems = []
    for index, module in enumerate(package.modules):
        size = connection.scalar(
            select(col(ArtifactRow.size_bytes)).where(col(ArtifactRow.sha256) == module.artifact.sha256)
        )
        field = f"package.modules.{index}.artifact"
        if size is None:
            cure = "not in the artifact directory; put it there with `package add FILE`"
            problems.append(Problem(f"{field}.sha256", module.artifact.sha256, cure))
        elif size != module.artifact.size_bytes:
            cure = f"the stored file of this sha256 has {size} bytes"
            problems.append(Problem(f"{field}.size_bytes", str(module.artifact.size_bytes), cure))
    if problems:
        raise Refused(problems)


def check_against_fleet(connection: Connection, definition: Definition, package: Package) -> dict[int, int]:
    """The targets of each phase by number, if the package stands, ECUs are known and no phase is empty.

    Raises:
        Refused: with every field that finds nothing in the fleet.
    """
    refuse_withdrawn(connection, package.name, [module.artifact.sha256 for module in package.modules])
    if not connection.scalar(select(exists(select(col(VehicleRow.id))))):
        raise Refused(
            [Problem("fleet", "", "no vehicle is known; import as-built records with `fleet import`")]
        )
    problems = _unknown_ecus(connection, definition, package) + _unknown_lists(connection, definition)
    if problems:
        raise Refused(problems)
    targets = chosen(connection, definition, package)
    sizes = count_targets(connection, targets)
    empty = [
        Problem(
            f"phases.{number - 1}",
            str(phase.name),
            "no vehicle is left for this phase; `preview FILE` shows what each phase finds",
        )
        for number, phase in enumerate(definition.phases, start=1)
        if not sizes.get(number)
    ]
    if empty:
        raise Refused(empty)
    _refuse_unknown_zones(connection, definition, targets)
    if definition.conflicts is OnConflict.REFUSE:
        _refuse_conflicts(connection, definition, package, targets)
    return sizes


class Waiting(Exception):
    """Another campaign is not done yet with vehicles of this one; nothing was selected."""


def _refuse_conflicts(
    connection: Connection, definition: Definition, package: Package, targets: Chosen
) -> None:
    if found := _conflicts(connection, definition, package, targets):
        cure = (
            f"{'; '.join(found)}. Leave these vehicles out (conflicts: skip, or exclude), wait for the other "
            "one to end (conflicts: wait), or end it"
        )
        raise Refused([Problem("package", repr(package.name), cure)])


def _conflicts(
    connection: Connection, definition: Definition, package: Package, targets: Chosen
) -> list[str]:
    """The campaigns that contradict this one on some of its vehicles, a sentence each."""
    found = []
    for rival in rivals(connection, definition.name, package):
        if vehicles := shared(connection, targets, rival):
            what = ", ".join(rival.differences)
            found.append(f"campaign {rival.name!r} is not done with {vehicles} of its vehicles ({what})")
    return found


def _refuse_unknown_zones(connection: Connection, definition: Definition, targets: Chosen) -> None:
    """A vehicle of which nobody knows what its clock shows would wait for its window for ever."""
    if definition.window is None or definition.window.time_zone is not None:
        return
    lost = count_without_zone(connection, targets)
    if lost:
        cure = (
            f"{lost} vehicles of this campaign have no time zone, so nobody knows when it is open for them; "
            "import them with timezone, or give install_window.time_zone for those without"
        )
        raise Refused([Problem("install_window", str(definition.window), cure)])


def _unknown_ecus(connection: Connection, definition: Definition, package: Package) -> list[Problem]:
    used = {f"package.modules.{i}.ecu": {module.ecu} for i, module in enumerate(package.modules)}
    used |= {
        f"package.modules.{i}.requires": {need.ecu for need in module.requires}
        for i, module in enumerate(package.modules)
    }
    used |= {field: ecu_names(criterion) for field, criterion in definition.all_criteria().items()}
    problems = []
    for field, names in used.items():
        for name in sorted(names):
            if connection.scalar(select(exists().where(col(EcuRow.name) == name))):
                continue
            fleet = connection.scalars(select(col(EcuRow.name)).distinct())
            problems.append(Problem(field, repr(name), f"no vehicle has this ECU; {closest(name, fleet)}"))
    return problems


def _unknown_lists(connection: Connection, definition: Definition) -> list[Problem]:
    known = set(connection.scalars(select(col(VinListRow.name)).distinct()))
    return [
        Problem(field, repr(name), f"no such VIN list; {closest(name, known)}; make it with `fleet vin-list`")
        for field, criterion in definition.all_criteria().items()
        for name in sorted(vin_lists(criterion) - known)
    ]


def _insert(
    connection: Connection,
    definition: Definition,
    package: Package,
    workflow_id: str,
    first_run_id: str,
    sizes: dict[int, int],
) -> int:
    terms = terms_of(definition)
    campaign_id: int | None = connection.scalar(
        insert(CampaignRow)
        .values(
            name=definition.name,
            workflow_id=workflow_id,
            first_run_id=first_run_id,
            priority=definition.priority.rank,
            definition=definition.model_dump(mode="json", by_alias=True),
            terms=terms.model_dump(mode="json", by_alias=True),
            limited=terms.limited,
            digest=definition.digest,
            package=package.model_dump(mode="json"),
            state=State.DRAFT.value,
            gate_open=False,
            gate_seq=0,
            in_flight=0,
            window=1,
        )
        .returning(col(CampaignRow.id))
    )
    if campaign_id is None or campaign_id > MAX_CAMPAIGN:
        raise Refused(
            [Problem("name", repr(definition.name), f"all {MAX_CAMPAIGN} campaign numbers are used")]
        )
    rows = [
        {
            "campaign_id": campaign_id,
            "number": number,
            "name": phase.name,
            "size": sizes[number],
            "allowance": 0,
            "pace_base": 0,
            "overdue_after": definition.limits_of(number).overdue,
            "guards": [guard.model_dump(mode="json") for guard in definition.guards_of(number)],
            "limits": definition.limits_of(number).model_dump(mode="json"),
        }
        for number, phase in enumerate(definition.phases, start=1)
    ]
    connection.execute(insert(PhaseRow), rows)
    return campaign_id


def select_targets(connection: Connection, campaign_id: int) -> dict[int, int]:
    """Freeze the targets in one transaction; once done, the same sizes are given again.

    Returns:
        The size of each phase by number.

    Raises:
        Refused: a phase is empty now, or another campaign contradicts this one; nothing was frozen.
        Waiting: the definition says to wait for such a campaign, and it is not over.
    """
    row = connection.execute(
        select(
            col(CampaignRow.definition),
            col(CampaignRow.package),
            col(CampaignRow.selected_at),
            col(CampaignRow.finished_at),
        )
        .where(col(CampaignRow.id) == campaign_id)
        .with_for_update(key_share=True)
    ).one()
    if row.selected_at is not None or row.finished_at is not None:
        return _sizes(connection, campaign_id)
    definition, package = Definition.model_validate(row.definition), Package.model_validate(row.package)
    take_turns(connection, package)
    targets = chosen(connection, definition, package)
    if definition.conflicts is OnConflict.REFUSE:
        _refuse_conflicts(connection, definition, package, targets)
    elif definition.conflicts is OnConflict.WAIT and (
        found := _conflicts(connection, definition, package, targets)
    ):
        raise Waiting("waits: " + "; ".join(found))
    freeze(connection, campaign_id, package, targets)
    rows = connection.execute(
        text("SELECT phase, sum(vehicles)::int FROM tally WHERE campaign_id = :id GROUP BY phase"),
        {"id": campaign_id},
    )
    sizes = {row[0]: row[1] for row in rows}
    for number, phase in enumerate(definition.phases, start=1):
        if not sizes.get(number):
            cure = (
                "no vehicle is left for this phase; the fleet has changed since the campaign was registered"
            )
            raise Refused([Problem(f"phases.{number - 1}", str(phase.name), cure)])
        here = and_(col(PhaseRow.campaign_id) == campaign_id, col(PhaseRow.number) == number)
        connection.execute(update(PhaseRow).where(here).values(size=sizes[number]))
    connection.exec_driver_sql(FREEZE_COHORTS_SQL, {"id": campaign_id})
    connection.execute(
        update(CampaignRow).where(col(CampaignRow.id) == campaign_id).values(selected_at=func.now())
    )
    return sizes


def tell_planner(connection: Connection, added: int) -> None:
    """Have PostgreSQL look at the assignments if a selection has added many to those it knew of.

    Not left to autovacuum, which comes a minute later: until then each group of polls and reports would read
    through the table, by a plan that was right for the few rows it had before. A launch waits but a moment
    for somebody who holds the table; autovacuum makes way within a second.

    Raises:
        sqlalchemy.exc.OperationalError: somebody else holds the table.
    """
    if added > _NEWS * connection.exec_driver_sql(_KNOWN).scalar_one():
        connection.exec_driver_sql("SET LOCAL lock_timeout = '3s'")
        connection.exec_driver_sql("ANALYZE assignment")


def _sizes(connection: Connection, campaign_id: int) -> dict[int, int]:
    statement = select(col(PhaseRow.number), col(PhaseRow.size)).where(
        col(PhaseRow.campaign_id) == campaign_id
    )
    return {row[0]: row[1] for row in connection.execute(statement)}

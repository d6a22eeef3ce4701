"""Criteria as SQL over ``vehicle``; the same rules as campaign/criteria.py.

A version range is evaluated in Python over the distinct versions an ECU has in the fleet (tens, not millions)
and becomes an IN list, so SQL never compares versions.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, not_, or_
from sqlalchemy.orm import aliased
from sqlmodel import col

from campaign.criteria import Criterion, EcuMatch
from campaign.package import Module, Package
from campaign.versions import in_range, same_version
from store.tables import EcuRow, VehicleRow, VinListRow

#: The versions an ECU of a name has anywhere in the fleet.
Versions = Callable[[str], frozenset[str]]


def criteria_sql(criterion: Criterion, versions: Versions) -> ColumnElement[bool]:
    """The criterion as a condition on a row of ``vehicle``; never NULL."""
    parts: list[ColumnElement[bool]] = []
    if criterion.model:
        parts.append(col(VehicleRow.model).in_(criterion.model))
    if criterion.country:
        parts.append(_known_in(col(VehicleRow.country), criterion.country))
    if criterion.region:
        parts.append(_known_in(col(VehicleRow.region), criterion.region))
    if criterion.groups:
        parts.append(col(VehicleRow.groups).bool_op("&&")(list(criterion.groups)))
    if criterion.build_date:
        built = col(VehicleRow.build_date)
        parts.append(built.is_not(None))
        if criterion.build_date.since:
            parts.append(built >= criterion.build_date.since)
        if criterion.build_date.until:
            parts.append(built <= criterion.build_date.until)
    if criterion.vin_list:
        named = col(VinListRow.name).in_(criterion.vin_list)
        parts.append(exists().where(named, col(VinListRow.vin) == col(VehicleRow.vin)))
    if criterion.ecu:
        parts.append(_ecu_sql(criterion.ecu, versions))
    parts += [criteria_sql(part, versions) for part in criterion.all or ()]
    if criterion.any:
        parts.append(or_(*(criteria_sql(part, versions) for part in criterion.any)))
    if criterion.not_:
        parts.append(not_(criteria_sql(criterion.not_, versions)))
    return and_(*parts)


def _known_in(column: Any, words: tuple[str, ...]) -> ColumnElement[bool]:
    """An unknown value is in no list; without the test its negation would be NULL."""
    return and_(column.is_not(None), column.in_(words))


def _ecu_sql(wanted: EcuMatch, versions: Versions) -> ColumnElement[bool]:
    parts = [col(EcuRow.vehicle_id) == col(VehicleRow.id), col(EcuRow.name) == wanted.name]
    if wanted.hw_id:
        parts.append(col(EcuRow.hw_id).in_(wanted.hw_id))
    if wanted.sw_version:
        parts.append(col(EcuRow.sw_version).in_(_inside(versions(wanted.name), wanted.sw_version)))
    return exists().where(*parts)


#: A row of ``ecu`` for each ECU that decides on a package, by name.
Decisive = dict[str, Any]


def decisive(package: Package) -> Decisive:
    """The ECUs a package is selected by: a change of one of them makes the choice outdated."""
    names = {module.ecu for module in package.modules} | {need.ecu for need in package.requirements}
    return {name: aliased(EcuRow, name=f"ecu_{place}") for place, name in enumerate(sorted(names))}


def package_sql(package: Package, versions: Versions, ecus: Decisive) -> ColumnElement[bool]:
    """Whether the package fits a vehicle and would change something; see ``package_misses``.

    It joins ``ecus`` to ``vehicle``: the same rows are the facts a selection keeps, so they are read once.
    """
    joined = [
        and_(ecu.vehicle_id == col(VehicleRow.id), ecu.name == name) for name, ecu in sorted(ecus.items())
    ]
    fits = [_module_sql(module, versions, ecus[module.ecu]) for module in package.modules]
    needs = [
        ecus[need.ecu].sw_version.in_(_inside(versions(need.ecu), need.versions))
        for need in package.requirements
    ]
    current = [
        ecus[module.ecu].sw_version.in_(
            [v for v in sorted(versions(module.ecu)) if same_version(v, module.version)]
        )
        for module in package.modules
    ]
    return and_(*joined, *fits, *needs, not_(and_(*current)))


def _module_sql(module: Module, versions: Versions, ecu: Any) -> ColumnElement[bool]:
    hardware: ColumnElement[bool] = ecu.hw_id.in_(module.hw_ids)
    if not module.from_versions:
        return hardware
    return and_(hardware, ecu.sw_version.in_(_inside(versions(module.ecu), module.from_versions)))


def _inside(known: frozenset[str], allowed: str) -> list[str]:
    return [version for version in sorted(known) if in_range(version, allowed)]

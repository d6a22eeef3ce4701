"""Criteria as SQL over ``variant`` and, for what differs within one, ``vehicle``; campaign/criteria.py says
the same rules.

A version range is evaluated in Python over the distinct versions an ECU has in the fleet (tens, not millions)
and becomes an IN list, so SQL never compares versions.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, not_, or_
from sqlmodel import col

from campaign.criteria import Criterion, EcuMatch
from campaign.package import Module, Package
from campaign.versions import in_range, same_version
from store.tables import VariantRow, VehicleRow, VinListRow

#: The versions an ECU of a name has anywhere in the fleet.
Versions = Callable[[str], frozenset[str]]


def criteria_sql(criterion: Criterion, versions: Versions) -> ColumnElement[bool]:
    """The criterion as a condition on a row of ``variant`` joined to ``vehicle``; never NULL."""
    parts: list[ColumnElement[bool]] = []
    if criterion.model:
        parts.append(col(VariantRow.model).in_(criterion.model))
    if criterion.country:
        parts.append(_known_in(col(VariantRow.country), criterion.country))
    if criterion.region:
        parts.append(_known_in(col(VariantRow.region), criterion.region))
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


@dataclass(frozen=True)
class Fitted:
    """An ECU of a variant as expressions: whether it is there, its hardware and its software."""

    there: ColumnElement[bool]
    hw_id: ColumnElement[str]
    sw_version: ColumnElement[str]

    @classmethod
    def named(cls, name: str) -> "Fitted":
        """The ECU of this name; without one the other two are NULL."""
        ecus: Any = col(VariantRow.ecus)
        return cls(ecus.has_key(name), ecus[name]["hw_id"].astext, ecus[name]["sw_version"].astext)


def _ecu_sql(wanted: EcuMatch, versions: Versions) -> ColumnElement[bool]:
    ecu = Fitted.named(wanted.name)
    parts = [ecu.there]
    if wanted.hw_id:
        parts.append(ecu.hw_id.in_(wanted.hw_id))
    if wanted.sw_version:
        parts.append(ecu.sw_version.in_(_inside(versions(wanted.name), wanted.sw_version)))
    return and_(*parts)


def decisive(package: Package) -> list[str]:
    """The names of the ECUs a package is selected by: a change of one of them makes the choice outdated."""
    return sorted({module.ecu for module in package.modules} | {need.ecu for need in package.requirements})


def package_sql(package: Package, versions: Versions) -> ColumnElement[bool]:
    """Whether the package fits a variant and would change something; see ``package_misses``; never NULL."""
    ecus = {name: Fitted.named(name) for name in decisive(package)}
    there = [ecu.there for ecu in ecus.values()]
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
    return and_(*there, *fits, *needs, not_(and_(*current)))


def _module_sql(module: Module, versions: Versions, ecu: Fitted) -> ColumnElement[bool]:
    hardware = ecu.hw_id.in_(module.hw_ids)
    if not module.from_versions:
        return hardware
    return and_(hardware, ecu.sw_version.in_(_inside(versions(module.ecu), module.from_versions)))


def _inside(known: frozenset[str], allowed: str) -> list[str]:
    return [version for version in sorted(known) if in_range(version, allowed)]

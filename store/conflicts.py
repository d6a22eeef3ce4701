"""Campaigns that are under way on the same vehicles and would leave them with other software.

Whoever selects second sees the other: selections that change the same ECU take turns.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Exists, exists
from sqlmodel import col

from campaign.assignment import IN_FLIGHT, OPEN
from campaign.conflicts import differences
from campaign.package import Package
from store.tables import AssignmentRow

_TAKE_TURNS = "SELECT pg_advisory_xact_lock(hashtextextended('ringmaster selects for ' || %s, 0))"

_UNFINISHED = """
SELECT id, name, package FROM campaign AS c
WHERE finished_at IS NULL AND selected_at IS NOT NULL AND name <> %(name)s AND EXISTS (
    SELECT FROM jsonb_array_elements(c.package -> 'modules') AS m WHERE m ->> 'ecu' = ANY(%(ecus)s))
ORDER BY id
"""


@dataclass(frozen=True)
class Rival:
    """A campaign that is not over; ``differences``: the ECUs it would leave with other software."""

    id: int
    name: str
    differences: list[str]


def take_turns(connection: Connection, package: Package) -> None:
    """Let nobody else select for the same ECUs before this transaction is over."""
    for ecu in sorted(module.ecu for module in package.modules):
        connection.exec_driver_sql(_TAKE_TURNS, (ecu,))


def rivals(connection: Connection, name: str, package: Package) -> list[Rival]:
    """The campaigns beside ``name`` that have vehicles selected and contradict a package."""
    ecus = [module.ecu for module in package.modules]
    rows = connection.exec_driver_sql(_UNFINISHED, {"name": name, "ecus": ecus}).fetchall()
    found = [
        Rival(row.id, row.name, differences(package, Package.model_validate(row.package))) for row in rows
    ]
    return [rival for rival in found if rival.differences]


def busy(vehicle_id: object, campaigns: Sequence[Rival]) -> Exists:
    """Whether a vehicle has one of these campaigns still before it or under way."""
    states = [state.value for state in sorted(OPEN | IN_FLIGHT)]
    return exists().where(
        col(AssignmentRow.vehicle_id) == vehicle_id,
        col(AssignmentRow.campaign_id).in_([rival.id for rival in campaigns]),
        col(AssignmentRow.state).in_(states),
    )

"""Vehicles whose installations need no confirmation any more."""

from dataclasses import dataclass
from datetime import datetime

from psycopg import AsyncConnection
from psycopg.rows import class_row

_ACTIVATE = """
INSERT INTO auto_confirm (vehicle_id, initiator, remark) VALUES (%s, %s, %s)
ON CONFLICT (vehicle_id) DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class AutoConfirm:
    """Who said so, why, and when (UTC)."""

    initiator: str | None
    remark: str | None
    activated_at: datetime


async def auto_confirm(connection: AsyncConnection, vehicle_id: int) -> AutoConfirm | None:
    """Who has spared this vehicle its confirmations; None: nobody."""
    async with connection.cursor(row_factory=class_row(AutoConfirm)) as cursor:
        query = "SELECT initiator, remark, activated_at FROM auto_confirm WHERE vehicle_id = %s"
        await cursor.execute(query, [vehicle_id])
        return await cursor.fetchone()


async def activate(
    connection: AsyncConnection, vehicle_id: int, initiator: str | None, remark: str | None
) -> bool:
    """Spare a vehicle its confirmations; False: it was spared them already, and nothing changed."""
    return bool((await connection.execute(_ACTIVATE, (vehicle_id, initiator, remark))).rowcount)


async def deactivate(connection: AsyncConnection, vehicle_id: int) -> None:
    """Ask this vehicle again; nothing changes where it is asked already."""
    await connection.execute("DELETE FROM auto_confirm WHERE vehicle_id = %s", [vehicle_id])

"""What vehicles say of themselves (configData)."""

from typing import Literal

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from campaign.reported import reported_versions
from store.disproved import compare

Mode = Literal["merge", "replace", "remove"]

_NEW = {
    "merge": "jsonb_strip_nulls(coalesce(reported, '{}') || %s)",
    "replace": "jsonb_strip_nulls(%s)",
    "remove": "coalesce(reported, '{}') - ARRAY(SELECT jsonb_object_keys(%s))",
}


async def put_config(
    connection: AsyncConnection, vehicle_id: int, mode: Mode, data: dict[str, str | None]
) -> None:
    """Store attributes a vehicle reported; in a merge, null removes a key.

    Of ECUs it names in them the software is kept, and a success that this contradicts is taken back. The
    vehicle's row comes first: a fleet command may hold it for long, and who waits for that holds no campaign.
    """
    await connection.execute(
        f"UPDATE vehicle SET reported = {_NEW[mode]}, reported_at = clock_timestamp(), config_wanted = false "
        "WHERE id = %s",
        (Jsonb(data), vehicle_id),
    )
    versions = {} if mode == "remove" else reported_versions(data)
    if versions:
        await compare(connection, vehicle_id, versions)

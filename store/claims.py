"""What a vehicle says it runs, told by the name of a package (PUT installedBase) or by ECU (configData)."""

from collections.abc import Mapping

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from campaign.package import Package
from store.installed import lock_software

#: In the history of an ECU's software: the vehicle itself said so.
SOURCE = "vehicle"

_ECUS = "SELECT name, hw_id, sw_version FROM ecu WHERE vehicle_id = %s"

_CHANGE = """
WITH now_runs AS (
    SELECT n.* FROM jsonb_to_recordset(%(changed)s) AS n (ecu text, version text)
), history AS (
    INSERT INTO software_change (vehicle_id, ecu, from_version, to_version, source, at)
    SELECT e.vehicle_id, e.name, e.sw_version, n.version, %(source)s, clock_timestamp()
    FROM now_runs AS n JOIN ecu AS e ON e.vehicle_id = %(vehicle)s AND e.name = n.ecu
)
UPDATE ecu SET sw_version = n.version FROM now_runs AS n
WHERE ecu.vehicle_id = %(vehicle)s AND ecu.name = n.ecu
"""


async def claim_installed(
    connection: AsyncConnection, vehicle_id: int, name: str, version: str
) -> bool | None:
    """Keep that a vehicle runs a package. No campaign's outcome is touched: nobody saw it installed.

    Args:
        version: that of one of the package's modules; a package has none of its own.

    Returns:
        Whether its known software changed; None: no such package and version, or none for its ECUs.
    """
    row = await (await connection.execute("SELECT body FROM package WHERE name = %s", [name])).fetchone()
    package = None if row is None else Package.model_validate(row[0])
    if package is None or version not in [module.version for module in package.modules]:
        return None
    await lock_software(connection, [vehicle_id])
    rows = await (await connection.execute(_ECUS, [vehicle_id])).fetchall()
    ecus = {ecu: (hw_id, running) for ecu, hw_id, running in rows}
    if any(module.ecu not in ecus or ecus[module.ecu][0] not in module.hw_ids for module in package.modules):
        return None
    changed = {
        module.ecu: module.version for module in package.modules if ecus[module.ecu][1] != module.version
    }
    await keep_software(connection, vehicle_id, changed)
    return bool(changed)


async def keep_software(connection: AsyncConnection, vehicle_id: int, changed: Mapping[str, str]) -> None:
    """Keep which version ECUs run by the vehicle's own word, by their names, and its history.

    The vehicle's software is locked.
    """
    if changed:
        rows = [{"ecu": ecu, "version": version} for ecu, version in changed.items()]
        await connection.execute(_CHANGE, {"changed": Jsonb(rows), "vehicle": vehicle_id, "source": SOURCE})

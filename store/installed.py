"""What a success leaves behind: the software that the vehicle's ECUs run now, and their history."""

from collections.abc import Sequence

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from store.held import Key

#: ECU rows are locked in one order, here and in the fleet's import, so that neither waits for the other.
_LOCK_ECUS = """
SELECT FROM ecu WHERE vehicle_id = ANY(%s) ORDER BY vehicle_id, name FOR NO KEY UPDATE
"""

#: A success changes what the vehicle is known to run, and keeps its history. One that is told late changes
#: nothing where another change came after its offer. The vehicle's own row is left alone: a fleet command
#: may hold it for long, and this transaction holds the campaign. The vehicles are named twice: the planner
#: takes JSON for thousands of rows and would read the ECUs of the whole fleet.
_INSTALLED = """
WITH done AS (
    SELECT d.vehicle_id, d.campaign_id, m ->> 'ecu' AS ecu, m ->> 'version' AS version
    FROM jsonb_to_recordset(%(installed)s) AS d (vehicle_id int, campaign_id int)
    JOIN campaign AS c ON c.id = d.campaign_id
    JOIN assignment AS a ON a.vehicle_id = d.vehicle_id AND a.campaign_id = d.campaign_id
    CROSS JOIN jsonb_array_elements(c.package -> 'modules') AS m
    WHERE NOT EXISTS (
        SELECT FROM software_change AS s
        WHERE s.vehicle_id = d.vehicle_id AND s.ecu = m ->> 'ecu' AND s.at > a.offered_at)
), history AS (
    INSERT INTO software_change (vehicle_id, ecu, from_version, to_version, campaign_id, source, at)
    SELECT done.vehicle_id, done.ecu, e.sw_version, done.version, done.campaign_id, 'campaign',
           clock_timestamp()
    FROM done JOIN ecu AS e ON e.vehicle_id = done.vehicle_id AND e.name = done.ecu
    WHERE e.vehicle_id = ANY(%(vehicles)s)
)
UPDATE ecu SET sw_version = done.version
FROM done
WHERE ecu.vehicle_id = done.vehicle_id AND ecu.name = done.ecu AND ecu.vehicle_id = ANY(%(vehicles)s)
"""


async def install(connection: AsyncConnection, keys: Sequence[Key]) -> None:
    """Write the software of campaigns into the ECUs of the vehicles that have just installed it."""
    vehicles = [vehicle for vehicle, _ in keys]
    installed = [{"vehicle_id": vehicle, "campaign_id": campaign} for vehicle, campaign in keys]
    await connection.execute(_LOCK_ECUS, [vehicles])
    await connection.execute(_INSTALLED, {"installed": Jsonb(installed), "vehicles": vehicles})

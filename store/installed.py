"""What a success leaves behind: the software that the vehicle's ECUs run now, and their history."""

from collections.abc import Sequence

from psycopg import AsyncConnection

from store.held import Key
from store.words import software_lock

_LOCK = software_lock("%s")

#: A success changes what the vehicle is known to run, and keeps its history. One that is told late changes
#: nothing where another change came after its offer. The vehicle's own row is left alone: a fleet command
#: may hold it for long, and this transaction holds the campaign.
#:
#: The planner takes an array for ten rows and the modules of a package for a hundred. So that no table of the
#: whole fleet is read, the assignments are found before the modules, the ECUs' vehicles are named again, and
#: OFFSET makes it look into the history for each of them.
_INSTALLED = """
WITH told AS MATERIALIZED (
    SELECT a.vehicle_id, a.campaign_id, a.offered_at
    FROM unnest(%(vehicles)s::int[], %(campaigns)s::int[]) AS d (vehicle_id, campaign_id)
    JOIN assignment AS a USING (vehicle_id, campaign_id)
), done AS (
    SELECT told.vehicle_id, told.campaign_id, m ->> 'ecu' AS ecu, m ->> 'version' AS version
    FROM told JOIN campaign AS c ON c.id = told.campaign_id
    CROSS JOIN jsonb_array_elements(c.package -> 'modules') AS m
    WHERE NOT EXISTS (
        SELECT FROM software_change AS s
        WHERE s.vehicle_id = told.vehicle_id AND s.ecu = m ->> 'ecu' AND s.at > told.offered_at
        OFFSET 0)
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
    vehicles, campaigns = (list(column) for column in zip(*keys, strict=True))
    await connection.execute(_LOCK, [vehicles])
    await connection.execute(_INSTALLED, {"vehicles": vehicles, "campaigns": campaigns})

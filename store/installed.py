"""What a success leaves behind: the software that the vehicle's ECUs run now, and their history."""

from collections.abc import Collection, Sequence

from psycopg import AsyncConnection

from store.held import Key
from store.words import SOFTWARE_LOCK_SQL, int_array

_LOCK = SOFTWARE_LOCK_SQL.format(vehicles="%s::int[]")

#: A success changes what the vehicle is known to run, and keeps its history. One that is told late changes
#: nothing where another change came after its offer. The vehicle's own row is left alone: a fleet command
#: may hold it for long, and who waits here makes others wait.
#:
#: In a large fleet the rows of two vehicles lie far apart, so each is looked up once: OFFSET makes the
#: planner do so, and ECUs are changed where they were found, for all have a candidate, and it is locked.
_INSTALLED = """
WITH module AS MATERIALIZED (
    SELECT c.id AS campaign_id, m ->> 'ecu' AS ecu, m ->> 'version' AS version
    FROM campaign AS c CROSS JOIN jsonb_array_elements(c.package -> 'modules') AS m
    WHERE c.id = ANY(%(campaigns)s)
), told AS MATERIALIZED (
    SELECT a.vehicle_id, a.campaign_id, a.offered_at
    FROM unnest(%(vehicles)s::int[], %(campaigns)s::int[]) AS d (vehicle_id, campaign_id)
    JOIN assignment AS a USING (vehicle_id, campaign_id)
), done AS MATERIALIZED (
    SELECT e.ctid AS place, told.vehicle_id, m.ecu, e.sw_version AS before, m.version, told.campaign_id
    FROM told JOIN module AS m USING (campaign_id) CROSS JOIN LATERAL (
        SELECT ctid, sw_version FROM ecu WHERE vehicle_id = told.vehicle_id AND name = m.ecu OFFSET 0
    ) AS e
    WHERE NOT EXISTS (
        SELECT FROM software_change AS s
        WHERE s.vehicle_id = told.vehicle_id AND s.ecu = m.ecu AND s.at > told.offered_at
        OFFSET 0)
), history AS (
    INSERT INTO software_change (vehicle_id, ecu, from_version, to_version, campaign_id, source, at)
    SELECT vehicle_id, ecu, before, version, campaign_id, 'campaign', clock_timestamp() FROM done
)
UPDATE ecu SET sw_version = done.version FROM done WHERE ecu.ctid = done.place
"""


async def lock_software(connection: AsyncConnection, vehicle_ids: Collection[int]) -> None:
    """Keep others from changing the ECUs of these vehicles; before any campaign is locked."""
    await connection.execute(_LOCK, [int_array(vehicle_ids)])


async def install(connection: AsyncConnection, keys: Sequence[Key]) -> None:
    """Write the software of campaigns into the ECUs of the vehicles that have just installed it.

    Their software is locked.
    """
    vehicles, campaigns = (list(column) for column in zip(*keys, strict=True))
    await connection.execute(_INSTALLED, {"vehicles": vehicles, "campaigns": campaigns})

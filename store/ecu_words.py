"""What vehicles have said of their single ECUs before they claim that all of it succeeded."""

from collections.abc import Sequence

from psycopg import AsyncConnection

from campaign.action import action_id, split

#: A vehicle and an action of its.
Key = tuple[int, int]

_SAID = """
SELECT r.vehicle_id, r.campaign_id, r.attempt, array_agg(line.text ORDER BY r.id, line.place)
FROM unnest(%s::int[], %s::int[], %s::smallint[]) AS claim (vehicle_id, campaign_id, attempt)
JOIN report AS r USING (vehicle_id, campaign_id, attempt),
     unnest(r.details) WITH ORDINALITY AS line (text, place)
WHERE r.channel = 'deployment' AND line.text LIKE 'ecu=%%'
GROUP BY r.vehicle_id, r.campaign_id, r.attempt
"""


async def said_before(connection: AsyncConnection, claims: Sequence[Key]) -> dict[Key, list[str]]:
    """The lines on single ECUs in the log, in the order in which they came; of a claim without any: none."""
    found: dict[Key, list[str]] = {claim: [] for claim in claims}
    if claims:
        keys = [(vehicle, *split(action)) for vehicle, action in found]
        cursor = await connection.execute(_SAID, [list(column) for column in zip(*keys, strict=True)])
        for vehicle, campaign, attempt, lines in await cursor.fetchall():
            found[vehicle, action_id(campaign, attempt)] = lines
    return found

"""What one vehicle has said of one action, out of the log of reports."""

from psycopg import AsyncConnection

from campaign.action import split

_MESSAGES = """
SELECT d.message
FROM (
    SELECT id, details FROM report
    WHERE vehicle_id = %(vehicle)s AND campaign_id = %(campaign)s AND attempt = %(attempt)s
      AND details <> '{}'
    ORDER BY id DESC LIMIT %(most)s
) AS r
CROSS JOIN unnest(r.details) WITH ORDINALITY AS d (message, place)
ORDER BY r.id DESC, d.place DESC LIMIT %(most)s
"""

_ENTRIES = """
SELECT count(*) FROM (
    SELECT FROM report WHERE vehicle_id = %s AND campaign_id = %s AND attempt = %s LIMIT %s) AS first
"""


async def messages(connection: AsyncConnection, vehicle_id: int, action: int, most: int) -> list[str]:
    """The vehicle's own words of this action, the newest first, at most so many."""
    campaign, attempt = split(action)
    values = {"vehicle": vehicle_id, "campaign": campaign, "attempt": attempt, "most": most}
    found = await connection.execute(_MESSAGES, values)
    return [message for (message,) in await found.fetchall()]


async def entries(connection: AsyncConnection, vehicle_id: int, action: int, most: int) -> int:
    """How many reports of this action there are; counting ends at ``most``."""
    found = await connection.execute(_ENTRIES, (vehicle_id, *split(action), most))
    row = await found.fetchone()
    return int(row[0]) if row else 0

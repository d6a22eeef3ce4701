"""Beginning: the first byte of a file moves an offer to its download, if the offer still stands.

Under the campaign's lock, so that nobody begins after a stop (docs/adr/0003). A file that a vehicle has begun
to fetch since its offer costs no write and no lock.
"""

from collections.abc import Sequence
from typing import NamedTuple

from psycopg import AsyncConnection

from campaign.action import split
from store.words import IN_FLIGHT_SQL, LOCK_SQL, STANDS_SQL, STARTED_SQL

#: Who wants to begin what: a row for each action of a vehicle, with the modules whose files it asks for as
#: bits; several modules may bring the same file.
_WANTED = """
asked AS (
    SELECT * FROM unnest(%(vehicles)s::int[], %(campaigns)s::int[], %(attempts)s::int[], %(files)s::text[])
        AS w (vehicle_id, campaign_id, attempt, sha256)
), module AS MATERIALIZED (
    SELECT f.campaign_id, f.sha256, (
        SELECT coalesce(bit_or(1::bigint << (m.place - 1)::int), 0)
        FROM jsonb_array_elements(c.package -> 'modules') WITH ORDINALITY AS m (module, place)
        WHERE m.module #>> '{artifact,sha256}' = f.sha256) AS bits
    FROM (SELECT DISTINCT campaign_id, sha256 FROM asked) AS f JOIN campaign AS c ON c.id = f.campaign_id
), wanted AS (
    SELECT vehicle_id, campaign_id, attempt, bit_or(bits) AS bits
    FROM asked JOIN module USING (campaign_id, sha256) GROUP BY vehicle_id, campaign_id, attempt
)"""

#: Who installs already may fetch what is missing; which files it has had before this offer proves nothing.
_BEGIN = f"""
WITH {_WANTED}
UPDATE assignment AS a
SET state = CASE a.state WHEN 'offered' THEN 'downloading' ELSE a.state END,
    files = CASE WHEN a.fetched_at >= a.offered_at THEN a.files ELSE 0 END | w.bits,
    fetched_at = clock_timestamp(), heard_at = clock_timestamp()
FROM wanted AS w JOIN campaign AS c ON c.id = w.campaign_id
WHERE a.vehicle_id = w.vehicle_id AND a.campaign_id = w.campaign_id AND a.attempt = w.attempt
  AND (a.state IN ({STARTED_SQL}) OR a.state = 'offered' AND {STANDS_SQL} AND NOT a.cancel_wanted)
RETURNING a.vehicle_id, a.campaign_id, a.attempt
"""

_FETCHED = f"""
WITH {_WANTED}
SELECT a.vehicle_id, a.campaign_id, a.attempt
FROM wanted AS w JOIN assignment AS a USING (vehicle_id, campaign_id, attempt)
WHERE a.state IN ({IN_FLIGHT_SQL}) AND a.fetched_at >= a.offered_at AND w.bits & ~a.files = 0
"""


class Beginning(NamedTuple):
    """A vehicle that starts to fetch a file of its action."""

    vehicle_id: int
    action: int
    sha256: str

    @property
    def key(self) -> tuple[int, int, int]:
        """Vehicle, campaign and attempt."""
        return self.vehicle_id, *split(self.action)


async def begin(connection: AsyncConnection, vehicle_id: int, action: int, sha256: str) -> bool:
    """The vehicle starts to fetch an artifact of this action; a file it has begun costs no write.

    Returns:
        Whether it may: its offer stands and is delivered, or it had already begun.
    """
    return (await begin_group(connection, [Beginning(vehicle_id, action, sha256)]))[0]


async def begin_group(connection: AsyncConnection, group: Sequence[Beginning]) -> list[bool]:
    """The same for many at once: one lock and one write for all of them.

    Returns:
        Whether each may, in the same order.
    """
    may = await _keys(connection, _FETCHED, group)
    left = [each for each in group if each.key not in may]
    if left:
        await connection.execute(LOCK_SQL, [sorted({each.key[1] for each in left})])
        may |= await _keys(connection, _BEGIN, left)
    return [each.key in may for each in group]


async def _keys(
    connection: AsyncConnection, statement: str, group: Sequence[Beginning]
) -> set[tuple[int, int, int]]:
    columns = ([each.key[place] for each in group] for place in range(3))
    names = dict(zip(("vehicles", "campaigns", "attempts"), columns, strict=True))
    cursor = await connection.execute(statement, {**names, "files": [each.sha256 for each in group]})
    return set(await cursor.fetchall())

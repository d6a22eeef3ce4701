"""Successes that the vehicle's own configuration contradicts: taken back, counted apart, offered again."""

from collections.abc import Iterable, Mapping
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from campaign.assignment import Happening, Target, after
from campaign.deferral import DeferralReason
from campaign.pace import defer_back_off
from campaign.reported import disproves
from campaign.versions import same_version
from store.claims import keep_software
from store.installed import lock_software
from store.words import LOCK_SQL

#: What ECUs are known to run, and how they came to it.
_KNOWN = """
SELECT e.name, e.sw_version, s.source, s.campaign_id, s.from_version, s.to_version
FROM ecu AS e LEFT JOIN LATERAL (
    SELECT source, campaign_id, from_version, to_version FROM software_change
    WHERE vehicle_id = e.vehicle_id AND ecu = e.name ORDER BY id DESC LIMIT 1
) AS s ON true
WHERE e.vehicle_id = %s AND e.name = ANY(%s) ORDER BY e.name
"""

#: Of a campaign that is over the final counts have been told.
_SUCCESS = """
SELECT a.attempt, a.finished_at < c.window_began_at AS acknowledged
FROM assignment AS a JOIN campaign AS c ON c.id = a.campaign_id
WHERE a.vehicle_id = %s AND a.campaign_id = %s AND a.state = 'succeeded' AND c.finished_at IS NULL
"""

#: A success that was known when the window began leaves what is known.
_FORGET = """
UPDATE tally AS t SET acknowledged = greatest(t.acknowledged - 1, 0) FROM assignment AS a
WHERE a.vehicle_id = %s AND a.campaign_id = %s AND t.campaign_id = a.campaign_id AND t.phase = a.phase
  AND t.configuration_id = a.configuration_id AND t.state = a.state
"""

#: What was fetched proves nothing any more: a success that is told again would count again.
_TAKE_BACK = """
UPDATE assignment SET state = %(state)s, finished_at = NULL, not_before = clock_timestamp() + %(back_off)s,
       files = 0, deferral = %(reason)s, deferral_value = NULL, message = %(message)s
WHERE vehicle_id = %(vehicle)s AND campaign_id = %(campaign)s
"""


async def compare(connection: AsyncConnection, vehicle_id: int, versions: Mapping[str, str]) -> None:
    """Keep what a vehicle says its ECUs run, and take back the successes which that disproves."""
    if not _changed(await _known(connection, vehicle_id, versions), versions):
        return
    await lock_software(connection, [vehicle_id])
    known = await _known(connection, vehicle_id, versions)
    found = _disproved(known, versions)
    # Its variant may be new, and another group that made it be waiting for the campaign.
    await keep_software(connection, vehicle_id, _changed(known, versions))
    if found:
        await connection.execute(LOCK_SQL, [sorted(found)])
    for campaign_id in sorted(found):
        await _take_back(connection, vehicle_id, campaign_id, found[campaign_id])


async def _known(
    connection: AsyncConnection, vehicle_id: int, versions: Mapping[str, str]
) -> list[dict[str, Any]]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_KNOWN, (vehicle_id, list(versions)))
        return await cursor.fetchall()


def _changed(known: Iterable[Mapping[str, Any]], versions: Mapping[str, str]) -> dict[str, str]:
    """What is said to run where something else is known to."""
    before = {row["name"]: row["sw_version"] for row in known}
    return {name: versions[name] for name in before if not same_version(versions[name], before[name])}


def _disproved(known: Iterable[Mapping[str, Any]], versions: Mapping[str, str]) -> dict[int, list[str]]:
    """What each campaign is said to have installed and has not."""
    found: dict[int, list[str]] = {}
    for row in known:
        version = versions[row["name"]]
        if row["source"] == "campaign" and disproves(
            version, before=row["from_version"], installed=row["to_version"]
        ):
            found.setdefault(row["campaign_id"], []).append(f"{row['name']} still runs {version}")
    return found


async def _take_back(connection: AsyncConnection, vehicle_id: int, campaign_id: int, said: list[str]) -> None:
    row = await (await connection.execute(_SUCCESS, (vehicle_id, campaign_id))).fetchone()
    if row is None:
        return
    attempt, acknowledged = row
    if acknowledged:
        await connection.execute(_FORGET, (vehicle_id, campaign_id))
    changes = {
        "state": after(Target.SUCCEEDED, Happening.CONTRADICT).value,
        "back_off": defer_back_off(attempt),
        "reason": DeferralReason.UNPROVEN.value,
        "message": f"claimed success, and its configuration says: {', '.join(said)}",
        "vehicle": vehicle_id,
        "campaign": campaign_id,
    }
    await connection.execute(_TAKE_BACK, changes)

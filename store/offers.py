"""What a vehicle is offered: the package behind an action, and the files in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import class_row

from campaign.action import action_id, split
from campaign.assignment import Target
from campaign.definition import Interaction
from campaign.package import Package
from store.words import ATTEMPTS_SQL, IN_FLIGHT_SQL, STANDS_SQL, STARTED_SQL

_VISIBLE = f"a.state IN ({STARTED_SQL}) OR a.state = 'offered' AND {STANDS_SQL}"

_COLUMNS = "a.state, c.definition ->> 'interaction', c.package, a.offer_until IS NOT NULL"

#: Also one that has had its outcome: a client that was away reads what it has told of. It opens nothing.
_DEPLOYMENT = f"""
SELECT {_COLUMNS}
FROM assignment AS a JOIN campaign AS c ON c.id = a.campaign_id
WHERE a.vehicle_id = %s AND a.campaign_id = %s AND a.attempt = %s AND NOT a.cancel_wanted
  AND ({_VISIBLE} OR a.state IN ({ATTEMPTS_SQL}))
"""

_INSTALLED = f"""
SELECT {_COLUMNS}
FROM assignment AS a JOIN campaign AS c ON c.id = a.campaign_id
WHERE a.vehicle_id = %s AND a.campaign_id = %s AND a.attempt = %s AND a.state = 'succeeded'
"""

_ARTIFACTS = "SELECT id, sha256, sha1, md5, size_bytes FROM artifact WHERE sha256 = ANY(%s)"

_LIVE_WITH_FILE = f"""
SELECT a.campaign_id, a.attempt
FROM assignment AS a JOIN campaign AS c ON c.id = a.campaign_id
WHERE a.vehicle_id = %s AND NOT a.cancel_wanted AND ({_VISIBLE})
  AND jsonb_path_exists(c.package, '$.modules[*].artifact ? (@.sha256 == $sha && @.filename == $name)',
                        jsonb_build_object('sha', %s::text, 'name', %s::text))
"""

#: The names a file has in the live package and in the one installed last.
_NAMES = f"""
WITH held AS (
    (SELECT c.package FROM assignment AS a JOIN campaign AS c ON c.id = a.campaign_id
     WHERE a.vehicle_id = %(vehicle)s AND NOT a.cancel_wanted AND ({_VISIBLE}))
    UNION ALL
    (SELECT c.package FROM assignment AS a JOIN campaign AS c ON c.id = a.campaign_id
     WHERE a.vehicle_id = %(vehicle)s AND a.state = 'succeeded'
     ORDER BY a.finished_at DESC, a.campaign_id DESC LIMIT 1)
)
SELECT DISTINCT m #>> '{{artifact,filename}}' FROM held, jsonb_array_elements(held.package -> 'modules') AS m
WHERE m #>> '{{artifact,sha256}}' = %(sha256)s ORDER BY 1
"""

_CANCELLING = f"""
SELECT FROM assignment
WHERE vehicle_id = %s AND campaign_id = %s AND attempt = %s AND cancel_wanted AND state IN ({IN_FLIGHT_SQL})
"""


@dataclass(frozen=True, slots=True)
class StoredArtifact:
    """A file of the artifact directory; hashes in lower-case hex."""

    id: int
    sha256: str
    sha1: str
    md5: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Deployment:
    """An action as a vehicle may see it now; ``artifacts`` by sha256, ``windowed``: offered in a window."""

    action: int
    state: Target
    interaction: Interaction
    package: Package
    artifacts: Mapping[str, StoredArtifact]
    windowed: bool = False


async def deployment(connection: AsyncConnection, vehicle_id: int, action: int) -> Deployment | None:
    """The deployment behind an action; None where this vehicle has none to see: foreign or withdrawn."""
    return await _described(connection, _DEPLOYMENT, vehicle_id, action)


async def installed(connection: AsyncConnection, vehicle_id: int, action: int) -> Deployment | None:
    """The deployment behind an action that this vehicle has installed; None for any other."""
    return await _described(connection, _INSTALLED, vehicle_id, action)


async def _described(
    connection: AsyncConnection, query: str, vehicle_id: int, action: int
) -> Deployment | None:
    row = await (await connection.execute(query.encode(), (vehicle_id, *split(action)))).fetchone()
    if row is None:
        return None
    return await described(connection, action, Target(row[0]), row[1], row[2], windowed=row[3])


async def described(
    connection: AsyncConnection,
    action: int,
    state: Target,
    interaction: str,
    package_body: Any,
    *,
    windowed: bool = False,
) -> Deployment:
    """An action with its package and the files in it."""
    package = Package.model_validate(package_body)
    hashes = [module.artifact.sha256 for module in package.modules]
    async with connection.cursor(row_factory=class_row(StoredArtifact)) as cursor:
        await cursor.execute(_ARTIFACTS, [hashes])
        stored = {artifact.sha256: artifact for artifact in await cursor.fetchall()}
    return Deployment(action, state, Interaction(interaction), package, stored, windowed)


async def artifact(
    connection: AsyncConnection, vehicle_id: int, artifact_id: int, filename: str
) -> tuple[StoredArtifact, int] | None:
    """A file and the live action it belongs to; None unless this vehicle may fetch it now."""
    stored = await _stored(connection, artifact_id)
    if stored is None:
        return None
    found = await connection.execute(_LIVE_WITH_FILE, (vehicle_id, stored.sha256, filename))
    row = await found.fetchone()
    return None if row is None else (stored, action_id(*row))


async def names(
    connection: AsyncConnection, vehicle_id: int, artifact_id: int
) -> tuple[StoredArtifact, list[str]] | None:
    """A file and its names in what this vehicle is offered or has installed last; None: in neither."""
    stored = await _stored(connection, artifact_id)
    if stored is None:
        return None
    found = await connection.execute(_NAMES, {"vehicle": vehicle_id, "sha256": stored.sha256})
    filenames = [filename for (filename,) in await found.fetchall()]
    return (stored, filenames) if filenames else None


async def _stored(connection: AsyncConnection, artifact_id: int) -> StoredArtifact | None:
    async with connection.cursor(row_factory=class_row(StoredArtifact)) as cursor:
        await cursor.execute(
            "SELECT id, sha256, sha1, md5, size_bytes FROM artifact WHERE id = %s", [artifact_id]
        )
        return await cursor.fetchone()


async def cancelling(connection: AsyncConnection, vehicle_id: int, action: int) -> bool:
    """Whether this vehicle is asked to cancel this action."""
    found = await connection.execute(_CANCELLING, (vehicle_id, *split(action)))
    return bool(found.rowcount)

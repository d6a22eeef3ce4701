"""Many small campaigns: each has a model of its own, so that none stands in another's way."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from benchmarks.launch import LOOK
from campaign.definition import parse
from commands.client import Campaigns
from store.connect import Connection

#: Launches under way at once: as many operators as no fleet has.
AT_ONCE = 8

_VEHICLES = """
INSERT INTO vehicle (vin, model, country, region, lot, record_digest, config_wanted)
SELECT 'MANY' || lpad((m * %(each)s + n)::text, 13, '0'), 'Many_' || m, 'DE', 'EU', n, ''::bytea, false
FROM generate_series(0, %(models)s - 1) AS m, generate_series(0, %(each)s - 1) AS n
"""

_ECUS = """
INSERT INTO ecu (vehicle_id, name, hw_id, sw_version, built_version)
SELECT id, 'Radar', 'BOSCH-MRR-EVO14', '1.3.0', '1.3.0' FROM vehicle WHERE model LIKE 'Many%%'
"""

_OPEN = "SELECT count(*) FROM campaign WHERE gate_open"


def fill(connection: Connection, models: int, each: int) -> None:
    """Make so many models with so many vehicles each."""
    with connection.transaction():
        connection.execute(_VEHICLES, {"models": models, "each": each})
        connection.execute(_ECUS, {})
    connection.execute("ANALYZE vehicle, ecu")


async def open_campaigns(found: Campaigns, connection: Connection, models: Sequence[int]) -> list[str]:
    """Launch and approve a campaign for each of these models; returns when all roll out.

    Returns:
        Their workflow ids.
    """
    already = _open(connection)
    turn = asyncio.Semaphore(AT_ONCE)

    async def opened(model: int) -> str:
        async with turn:
            document = _document(model)
            launched = await found.launch(document, parse(document, datetime.now(UTC)))
            await found.command(launched.workflow_id, "approve", "bench", "")
            return launched.workflow_id

    ids = await asyncio.gather(*map(opened, models))
    async with asyncio.timeout(600):
        while _open(connection) < already + len(models):  # noqa: ASYNC110  (another process's)
            await asyncio.sleep(LOOK)
    return ids


def _document(model: int) -> dict[str, Any]:
    return {
        "name": f"Many {model}",
        "package": "Pkg_v2.4",
        "criteria": f"Many_{model}",
        "phases": [{"rollout_percent": 100}],
    }


def _open(connection: Connection) -> int:
    row = connection.execute(_OPEN).fetchone()
    return int(row[0]) if row else 0

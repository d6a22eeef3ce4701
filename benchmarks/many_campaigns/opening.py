"""Many small campaigns: each has a model of its own, so that none stands in another's way."""

import asyncio
from collections.abc import Sequence
from typing import Any

from temporalio.client import Client

from benchmarks.fleet import keep_candidates
from benchmarks.launch import LOOK
from commands.client import workflow_id_of
from runtime.settings import Settings
from store.connect import Connection
from workflows.campaign import CampaignWorkflow

#: Campaigns on their way to rolling out at once: more than any number of operators launches.
AT_ONCE = 32

PATIENCE_SECONDS = 1_800

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
    keep_candidates(connection)


async def open_campaigns(
    client: Client, settings: Settings, connection: Connection, models: Sequence[int]
) -> list[str]:
    """Start and approve a campaign for each of these models; returns when all roll out.

    Returns:
        Their workflow ids.
    """
    ids: list[str] = []
    already = _open(connection)
    async with asyncio.timeout(PATIENCE_SECONDS):
        for model in models:
            await _until_open(connection, already + len(ids) - AT_ONCE)
            document = _document(model)
            handle = await client.start_workflow(
                CampaignWorkflow.run,
                document,
                id=workflow_id_of(document["name"]),
                task_queue=settings.task_queue,
            )
            await handle.signal(CampaignWorkflow.approve, args=["bench"])
            ids.append(handle.id)
        await _until_open(connection, already + len(ids))
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


async def _until_open(connection: Connection, campaigns: int) -> None:
    while _open(connection) < campaigns:  # noqa: ASYNC110  (another process's)
        await asyncio.sleep(LOOK)

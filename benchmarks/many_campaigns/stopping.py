"""How long a pause takes: from the call of the signal to the shut gate that the database shows."""

import asyncio
import random
import time
from collections.abc import Sequence

from temporalio.client import Client

from store.connect import Connection
from workflows.campaign import CampaignWorkflow

_GATE = "SELECT gate_open FROM campaign WHERE workflow_id = %s"

#: How often the gate is looked at: a pause is not measured finer.
_LOOK = 0.002

#: Between two pauses: long enough that one leaves nothing behind that the next one meets.
_REST = 0.5


async def pauses(client: Client, connection: Connection, ids: Sequence[str], count: int) -> list[float]:
    """The seconds that each of so many pauses took, one after the other, in campaigns taken at random."""
    chance = random.Random(1)
    taken = []
    for _ in range(count):
        workflow_id = chance.choice(ids)
        # At no moment that the ticks prefer.
        await asyncio.sleep(_REST + chance.random())
        handle = client.get_workflow_handle(workflow_id)
        began = time.perf_counter()
        await handle.signal(CampaignWorkflow.pause, args=["bench"])
        await _until(connection, workflow_id, open_gate=False)
        taken.append(time.perf_counter() - began)
        await asyncio.sleep(_REST)
        await handle.signal(CampaignWorkflow.resume, args=["bench"])
        await _until(connection, workflow_id, open_gate=True)
    return taken


async def _until(connection: Connection, workflow_id: str, *, open_gate: bool) -> None:
    async with asyncio.timeout(120):
        while True:
            row = connection.execute(_GATE, [workflow_id]).fetchone()
            if row is not None and row[0] is open_gate:
                return
            await asyncio.sleep(_LOOK)

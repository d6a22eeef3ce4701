"""A campaign to measure with: its package, and its way to the phase that rolls out."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from campaign.definition import parse
from commands.client import Campaigns, Launched
from commands.local import ROOT
from store.connect import Connection
from store.packages import read_package, register

#: How often another process's state is looked at, in seconds.
LOOK = 0.02
PATIENCE = timedelta(minutes=5)


def add_package(connection: Connection, artifacts: Path) -> None:
    """Register the package that every campaign here delivers."""
    source = ROOT / "examples" / "artifacts"
    register(connection, read_package(ROOT / "examples" / "winter-package.yaml", source), source, artifacts)


async def launch(found: Campaigns, model: str, **more: Any) -> Launched:
    """Launch and approve a campaign for a model; returns when its only phase rolls out."""
    document = {
        "name": f"Campaign {model}",
        "package": "Pkg_v2.4",
        "criteria": model,
        "phases": [{"rollout_percent": 100}],
        # No brake: the worst that the stop can meet.
        "limits": {"in_flight": 1_000_000, "harm_budget": None},
        **more,
    }
    launched = await found.launch(document, parse(document, datetime.now(UTC)))
    await found.command(launched.workflow_id, "approve", "bench", "")
    await until_stage(found, launched, "Active")
    return launched


async def until_stage(
    found: Campaigns, launched: Launched, stage: str, patience: timedelta = PATIENCE
) -> None:
    """Returns when a campaign has come to a stage; another process moves it."""
    async with asyncio.timeout(patience.total_seconds()):
        while (await found.status(launched.workflow_id)).stage != stage:  # noqa: ASYNC110  (another process's)
            await asyncio.sleep(LOOK)

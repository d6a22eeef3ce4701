"""Ringmaster's command line, and what a starter script imports.

A starter script builds a campaign in Python and launches it on the configured Temporal server::

    from starter import Campaign, launch

    winter_update = Campaign("Winter Optimization", "NORMAL", "Pkg_v2.4")
    winter_update.add_phase(criteria="Model_Y", rollout_percent=5, wait_time_hours=24)
    winter_update.add_phase(criteria="Model_Y", rollout_percent=100, wait_time_hours=0)
    launch(winter_update)
"""

import asyncio
from datetime import UTC, datetime
from typing import NoReturn

import typer

from campaign.builder import Campaign
from campaign.definition import parse
from campaign.rings import standard_rings
from commands import campaigns, demo, local, plan
from commands.client import Launched
from commands.client import campaigns as connected
from commands.fleet import fleet
from commands.packages import package
from runtime.leaving import leave, rest_before_exit
from runtime.settings import load_settings

__all__ = ["Campaign", "app", "launch", "standard_rings"]

app = typer.Typer(
    help="Ringmaster: over-the-air update campaigns for vehicle fleets.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for group in (campaigns, plan, local, demo):
    group.add_to(app)
app.add_typer(fleet, name="fleet")
app.add_typer(package, name="package")


def launch(campaign: Campaign) -> Launched:
    """Start a campaign; it waits as a draft for its approval. Prints where to see it.

    Raises:
        Refused: the definition, or what it asks of fleet and packages, is wrong; every problem is named.
        Unreachable: no Temporal server, or no worker.
    """
    definition = parse(campaign.document(), datetime.now(UTC))

    async def work() -> Launched:
        async with connected(load_settings()) as found:
            document = definition.model_dump(mode="json", by_alias=True, exclude_none=True)
            return await found.launch(document, definition)

    rest_before_exit()
    launched = asyncio.run(work())
    print(f"{launched.workflow_id}: {launched.status.state}, {launched.status.why}\n{launched.url}")
    return launched


def main() -> NoReturn:
    """Run the command line and end with its exit status."""
    try:
        app()
    except SystemExit as ended:
        leave(ended.code if isinstance(ended.code, int) else int(ended.code is not None))
    leave(0)


if __name__ == "__main__":
    main()

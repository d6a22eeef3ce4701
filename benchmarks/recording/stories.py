"""What vehicles tell of their installations, recorded in groups over a few connections."""

import asyncio
import time
from collections.abc import Sequence

from campaign.action import action_id
from campaign.assignment import Said
from store.group import connect_for_groups
from store.reports import Report, record_group

#: A vehicle's installation in its own words.
STORY = (
    *(Said(execution="proceeding", finished="none", details=(f"{part} % written",)) for part in (0, 50, 90)),
    Said(execution="closed", finished="success", details=("Update installed.",)),
)


async def tell(url: str, campaign_id: int, vehicles: Sequence[int], group: int, connections: int) -> float:
    """Reports per second, each durable, of vehicles that have fetched their files.

    Args:
        group: how many reports are recorded in one transaction.
        connections: how many groups are under way at once, like so many gateways.
    """
    parts = [vehicles[place::connections] for place in range(connections)]
    began = time.perf_counter()
    await asyncio.gather(*(_tell(url, campaign_id, part, group) for part in parts))
    return len(vehicles) * len(STORY) / (time.perf_counter() - began)


async def _tell(url: str, campaign_id: int, vehicles: Sequence[int], group: int) -> None:
    action = action_id(campaign_id, 1)
    async with await connect_for_groups(url) as connection:
        for at in range(0, len(vehicles), group):
            for said in STORY:
                told = [Report(vehicle, action, "deployment", said) for vehicle in vehicles[at : at + group]]
                await record_group(connection, told)

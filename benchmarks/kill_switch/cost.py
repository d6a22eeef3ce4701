"""What judging adds to a group of reports, beside the same group that is not judged."""

import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any

import psycopg

from benchmarks.fleet import INSTALLING
from campaign.action import action_id
from campaign.assignment import Said
from store import breaches, reports
from store.group import connect_for_groups

REPORTS = 100

#: The kinds of groups.
NONE, JUDGED, UNJUDGED = "no failure", "a failure, judged", "a failure, not judged"

_BEGUN = f"""
UPDATE assignment SET {INSTALLING} WHERE (vehicle_id, campaign_id) IN (
    SELECT vehicle_id, campaign_id FROM assignment WHERE campaign_id = %s AND state = 'pending'
    ORDER BY vehicle_id LIMIT %s)
RETURNING vehicle_id
"""


async def _unjudged(*group: Any) -> list[Any]:
    """Counts nothing, so that nothing is judged."""
    return []


async def measure(url: str, campaign_id: int, groups: int) -> dict[str, float]:
    """Milliseconds of a group of reports at the median: without a failure, with one in it, and with one in it
    that nobody judges."""
    judged = breaches.count
    kinds: dict[str, tuple[int, Callable[..., Awaitable[list[Any]]]]] = {
        NONE: (0, judged),
        JUDGED: (1, judged),
        UNJUDGED: (1, _unjudged),
    }
    taken: dict[str, list[float]] = {kind: [] for kind in kinds}
    async with await connect_for_groups(url) as connection:
        for _ in range(groups):
            # In turns, so that a busy moment of the machine meets all of them.
            for kind, (failures, judge) in kinds.items():
                breaches.count = judge  # type: ignore[assignment]
                taken[kind].append(await _group(connection, campaign_id, failures))
    breaches.count = judged
    return {kind: median(seconds) * 1000 for kind, seconds in taken.items()}


async def _group(connection: psycopg.AsyncConnection, campaign_id: int, failures: int) -> float:
    cursor = await connection.execute(_BEGUN, [campaign_id, REPORTS])
    vehicles = [row[0] for row in await cursor.fetchall()]
    said = [Said(execution="closed", finished="failure")] * failures
    said += [Said(execution="closed", finished="success")] * (len(vehicles) - failures)
    group = [
        reports.Report(vehicle, action_id(campaign_id, 1), "deployment", each)
        for vehicle, each in zip(vehicles, said, strict=True)
    ]
    began = time.perf_counter()
    await reports.record_group(connection, group)
    return time.perf_counter() - began

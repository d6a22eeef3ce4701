"""A gateway's work without its HTTP: polls, admissions and reports of many vehicles, in groups.

The events are those of a multiprocessing manager; they have the interface of ``threading.Event``.
"""

import asyncio
import time
from collections.abc import Sequence
from threading import Event

import psycopg

from campaign.assignment import Said
from store.admission import admit
from store.beginning import Beginning, begin_group
from store.group import connect_for_groups, group_transaction
from store.polls import standings
from store.reports import Report, record_group

#: What queues while the last group runs, under load.
GROUP = 32
#: Connections of one gateway that work at once.
TASKS = 3

#: All of the campaign's modules bring the same file, or there is but one.
_FILE = "SELECT body #>> '{modules,0,artifact,sha256}' FROM package LIMIT 1"

_INSTALLING = Said(execution="proceeding", finished="none")
_SUCCESS = Said(execution="closed", finished="success")
_FAILURE = Said(execution="closed", finished="failure", code=4201, details=("self test failed",))


def run(url: str, vins: Sequence[str], failing: Event, stop: Event) -> dict[str, float]:
    """Work as one gateway until told to stop.

    Returns:
        Polls, admissions, reports and seconds.
    """
    return asyncio.run(_run(url, vins, failing, stop))


async def _run(url: str, vins: Sequence[str], failing: Event, stop: Event) -> dict[str, float]:
    counts = {"polls": 0.0, "admissions": 0.0, "reports": 0.0}
    began = time.perf_counter()
    parts = [vins[place::TASKS] for place in range(TASKS)]
    await asyncio.gather(*(_work(url, part, failing, stop, counts) for part in parts))
    return counts | {"seconds": time.perf_counter() - began}


async def _work(url: str, vins: Sequence[str], failing: Event, stop: Event, counts: dict[str, float]) -> None:
    async with await connect_for_groups(url) as connection:
        found = await (await connection.execute(_FILE)).fetchone()
        assert found is not None
        while not stop.is_set():
            for at in range(0, len(vins), GROUP):
                if stop.is_set():
                    return
                await _group(connection, vins[at : at + GROUP], found[0], failing, counts)


async def _group(
    connection: psycopg.AsyncConnection,
    vins: Sequence[str],
    sha256: str,
    failing: Event,
    counts: dict[str, float],
) -> None:
    """One group polls; who is admitted downloads, installs and tells how it ended."""
    found = await standings(connection, vins)
    counts["polls"] += len(vins)
    waiting = [each.vehicle_id for each in found.values() if each.admissible]
    if not waiting:
        return
    async with group_transaction(connection):
        offered = await admit(connection, waiting)
    counts["admissions"] += len(offered)
    if not offered:
        return
    wanted = [Beginning(vehicle, action, sha256) for vehicle, action in offered.items()]
    async with connection.transaction():
        may = await begin_group(connection, wanted)
    began = [(each.vehicle_id, each.action) for each, allowed in zip(wanted, may, strict=True) if allowed]
    if began:
        await _report(connection, began, _INSTALLING, counts)
        await _report(connection, began, _FAILURE if failing.is_set() else _SUCCESS, counts)


async def _report(
    connection: psycopg.AsyncConnection,
    began: Sequence[tuple[int, int]],
    said: Said,
    counts: dict[str, float],
) -> None:
    reports = [Report(vehicle, action, "deployment", said) for vehicle, action in began]
    await record_group(connection, reports)
    counts["reports"] += len(reports)

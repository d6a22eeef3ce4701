"""A part of the fleet as one process drives it: through the code of the gateway, in groups, without HTTP."""

import asyncio
from collections.abc import Sequence

import psycopg

from benchmarks.whole_campaign.spent import Spent
from campaign.assignment import Said
from store.admission import admit
from store.beginning import Beginning, begin_group
from store.group import connect_for_groups, group_transaction
from store.polls import standings
from store.reports import Report, record_group

#: What queues at a gateway under load.
GROUP = 250

#: All of the campaign's modules bring the same file, or there is but one.
_FILE = "SELECT body #>> '{modules,0,artifact,sha256}' FROM package LIMIT 1"

#: Whoever is told that there is nothing for it comes again, in seconds.
_AGAIN = 0.05

_STORY = (
    Said(execution="proceeding", finished="none", details=("0 % written",)),
    Said(execution="closed", finished="success", details=("Update installed.",)),
)


def drive(url: str, vins: Sequence[str]) -> Spent:
    """Poll with these vehicles until every one has been offered the update, and has installed it."""
    return asyncio.run(_drive(url, vins))


async def _drive(url: str, vins: Sequence[str]) -> Spent:
    spent = Spent()
    left = list(vins)
    async with await connect_for_groups(url) as connection:
        found = await (await connection.execute(_FILE)).fetchone()
        assert found is not None
        while left:
            waiting: list[str] = []
            for at in range(0, len(left), GROUP):
                waiting += await _group(connection, left[at : at + GROUP], found[0], spent)
            if len(waiting) == len(left):
                # Its phase is not released, or the cap is full.
                with spent.on("waiting", connection.info.backend_pid):
                    await asyncio.sleep(_AGAIN)
            left = waiting
    return spent


async def _group(
    connection: psycopg.AsyncConnection, vins: Sequence[str], sha256: str, spent: Spent
) -> list[str]:
    """One group polls, and who is admitted installs; returns those who are not."""
    session = connection.info.backend_pid
    with spent.on("poll", session):
        found = await standings(connection, vins)
    admissible = {each.vehicle_id: vin for vin, each in found.items() if each.admissible}
    if not admissible:
        return list(vins)
    with spent.on("admit", session):
        async with group_transaction(connection):
            offered = await admit(connection, list(admissible))
    with spent.on("begin", session):
        wanted = [Beginning(vehicle, action, sha256) for vehicle, action in offered.items()]
        async with connection.transaction():
            may = await begin_group(connection, wanted)
    began = {each.vehicle_id: each.action for each, allowed in zip(wanted, may, strict=True) if allowed}
    spent.refused += len(offered) - len(began)
    with spent.on("report", session):
        for said in _STORY:
            told = [Report(vehicle, action, "deployment", said) for vehicle, action in began.items()]
            await record_group(connection, told)
    served = {admissible[vehicle] for vehicle in began}
    return [vin for vin in vins if vin not in served]

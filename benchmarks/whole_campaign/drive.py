"""A part of the fleet as one process drives it: through the code of the gateway, in groups, without HTTP."""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence

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

_BEGINS = Said(execution="proceeding", finished="none", details=("0 % written",))
_ENDS = Said(execution="closed", finished="success", details=("Update installed.",))


def drive(url: str, vins: Sequence[str], in_flight: int) -> Spent:
    """Poll with these vehicles until every one has been offered the update, and has installed it.

    So many of them are in flight at once, or as many as the campaign lets be.
    """
    return asyncio.run(_drive(url, vins, in_flight))


async def _drive(url: str, vins: Sequence[str], in_flight: int) -> Spent:
    spent = Spent()
    left = list(vins)
    begun: deque[dict[int, int]] = deque()
    async with await connect_for_groups(url) as connection:
        found = await (await connection.execute(_FILE)).fetchone()
        assert found is not None
        while left or begun:
            waiting: list[str] = []
            for at in range(0, len(left), GROUP):
                actions, others = await _offered(connection, left[at : at + GROUP], found[0], spent)
                waiting += others
                if actions:
                    begun.append(actions)
                elif begun:
                    await _report(connection, begun.popleft(), _ENDS, spent)
                while sum(map(len, begun)) > in_flight:
                    await _report(connection, begun.popleft(), _ENDS, spent)
            if not waiting and begun:
                await _report(connection, begun.popleft(), _ENDS, spent)
            elif len(waiting) == len(left):
                # Its phase is not released, or the cap is full.
                with spent.on("waiting", connection.info.backend_pid):
                    await asyncio.sleep(_AGAIN)
            left = waiting
    return spent


async def _offered(
    connection: psycopg.AsyncConnection, vins: Sequence[str], sha256: str, spent: Spent
) -> tuple[dict[int, int], list[str]]:
    """One group polls, and who is admitted begins to install: their actions by vehicle, and all others."""
    session = connection.info.backend_pid
    with spent.on("poll", session):
        found = await standings(connection, vins)
    admissible = {each.vehicle_id: vin for vin, each in found.items() if each.admissible}
    if not admissible:
        return {}, list(vins)
    with spent.on("admit", session):
        async with group_transaction(connection):
            offered = await admit(connection, list(admissible))
    with spent.on("begin", session):
        wanted = [Beginning(vehicle, action, sha256) for vehicle, action in offered.items()]
        async with connection.transaction():
            may = await begin_group(connection, wanted)
    began = {each.vehicle_id: each.action for each, allowed in zip(wanted, may, strict=True) if allowed}
    spent.refused += len(offered) - len(began)
    if began:
        await _report(connection, began, _BEGINS, spent)
    served = {admissible[vehicle] for vehicle in began}
    return began, [vin for vin in vins if vin not in served]


async def _report(
    connection: psycopg.AsyncConnection, actions: Mapping[int, int], said: Said, spent: Spent
) -> None:
    """One group tells how far it is."""
    with spent.on("report", connection.info.backend_pid):
        told = [Report(vehicle, action, "deployment", said) for vehicle, action in actions.items()]
        await record_group(connection, told)

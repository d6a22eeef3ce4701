"""Groups at the gateway and the supervision of a campaign read what they are about, however large the fleet
and its history are."""

from collections.abc import Callable

import pytest
from sqlalchemy import Connection

from campaign.assignment import Target
from campaign.cohorts import Cohort
from campaign.lifecycle import State
from store import gate, polls
from store.beginning import Beginning, begin_group
from store.campaigns import tell_planner
from store.exclusion import exclude
from store.reports import Report
from store.supervision import tick
from tests.store.fleet import (
    HOUR,
    NO_BRAKE,
    SHA256,
    Fleet,
    Gateway,
    cars,
    connected,
    earlier,
    report,
    vin,
    watch,
)

FLEET = 4_000
GROUP = 200

#: What has rows of every vehicle.
GROWING = ("assignment", "ecu", "report", "software_change", "vehicle")

_HISTORY = """
INSERT INTO software_change (vehicle_id, ecu, to_version, source)
SELECT id, 'Radar', '1.3.0', 'import' FROM vehicle
"""
_HISTORY_OF_OTHERS = f"""
INSERT INTO software_change (vehicle_id, ecu, to_version, source)
SELECT number, 'Radar', '1.3.0', 'campaign' FROM generate_series(100000, {100_000 + FLEET}) AS number
"""
_PROCESSES = "SELECT parallel_workers_to_launch FROM pg_stat_database WHERE datname = current_database()"
_READ = """
SELECT relname, coalesce(seq_tup_read, 0), coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables
"""


async def read(gateway: Gateway) -> dict[str, tuple[int, int]]:
    """Rows that the present transaction has read by table: all of it one after the other, and by an index."""
    found = await gateway.connection.execute(_READ)
    return {table: (through, by_index) for table, through, by_index in await found.fetchall()}


async def play(gateway: Gateway, vehicles: list[int], vins: list[str]) -> None:
    """All that vehicles do in an update, as groups."""
    await polls.standings(gateway.connection, vins)
    offered = await gateway.admit(*vehicles)
    wanted = [Beginning(vehicle, action, SHA256) for vehicle, action in offered.items()]
    for _ in range(2):  # the second time they are known to have begun
        async with gateway.connection.transaction():
            assert await begin_group(gateway.connection, wanted) == [True] * len(vehicles)
    for said in (("proceeding", "none"), ("closed", "success")):
        await gateway.record(*(report(vehicle, action, *said) for vehicle, action in offered.items()))


async def rows_played(gateway: Gateway, vehicles: list[int], vins: list[str]) -> dict[str, int]:
    """Rows of the growing tables that an update of these vehicles reads by an index."""
    async with gateway.connection.transaction(force_rollback=True):
        before = await read(gateway)
        await play(gateway, vehicles, vins)
        rows = await read(gateway)
    return {table: rows[table][1] - before[table][1] for table in GROWING}


def _tick(connection: Connection, campaign: int) -> object:
    return tick(connection, watch(campaign), HOUR)


def _late_tick(connection: Connection, campaign: int) -> object:
    found = tick(connection, watch(campaign), HOUR)
    assert found.phases[0].tally.by_state.keys() == {Target.PENDING, Target.STALLED, Target.SILENT}
    return found


def _shut(connection: Connection, campaign: int) -> object:
    return gate.shut_gate(connection, campaign, 2, State.PAUSED, cancel_started=True)


def _resume(connection: Connection, campaign: int) -> None:
    gate.open_gate(connection, campaign, 2, State.ROLLING_OUT, HOUR, new_window=True)


@pytest.mark.parametrize("analyzed", [True, False])
async def test_a_group_never_reads_through_a_table_that_has_rows_of_every_vehicle(
    analyzed: bool, fleet: Fleet, gateway: Gateway
) -> None:
    vehicles = fleet.add(cars(FLEET))[:GROUP]
    fleet.run(_HISTORY)
    fleet.launch(limits={"in_flight": FLEET, **NO_BRAKE})
    if analyzed:
        await gateway.connection.execute("ANALYZE")
    async with gateway.connection.transaction(force_rollback=True):
        await polls.standings(gateway.connection, [vin(number) for number in range(GROUP)])
        offered = await gateway.admit(*vehicles)
        wanted = [Beginning(vehicle, action, SHA256) for vehicle, action in offered.items()]
        assert await begin_group(gateway.connection, wanted) == [True] * GROUP
        for said in (("proceeding", "none"), ("closed", "success")):
            told: list[Report] = [report(vehicle, action, *said) for vehicle, action in offered.items()]
            await gateway.record(*told)
        rows = await read(gateway)
    assert {table: rows[table][0] for table in GROWING} == dict.fromkeys(GROWING, 0)
    assert rows["assignment"][1] >= GROUP


async def test_a_plan_made_while_the_tables_were_small_reads_none_of_them_through_when_they_have_grown(
    fleet: Fleet, gateway: Gateway
) -> None:
    vehicles = fleet.add(cars(80))
    fleet.launch(limits={"in_flight": FLEET, **NO_BRAKE})
    await gateway.connection.execute("VACUUM ANALYZE")
    offered = list((await gateway.admit(*vehicles)).items())
    vins = dict(fleet.rows("SELECT id, vin FROM vehicle"))

    async def play(group: list[tuple[int, int]]) -> None:
        async with gateway.connection.transaction():
            await begin_group(gateway.connection, [Beginning(*each, SHA256) for each in group])
        for said in (("proceeding", "none"), ("closed", "success")):
            await gateway.record(*(report(*each, *said) for each in group))
        found = await polls.standings(gateway.connection, [vins[vehicle] for vehicle, _ in group])
        assert [standing.waits for standing in found.values()] == [False] * len(group)

    for first in range(0, 70, 5):  # often enough that the connection keeps the plan of each statement
        await play(offered[first : first + 5])
    fleet.run(_HISTORY_OF_OTHERS)
    async with gateway.connection.transaction(force_rollback=True):
        before = await read(gateway)  # also what earlier groups have read, if not yet told
        await play(offered[70:])
        rows = await read(gateway)
    assert {table: rows[table][0] - before[table][0] for table in GROWING} == dict.fromkeys(GROWING, 0)
    assert all(rows[table][1] - before[table][1] < FLEET / 10 for table in GROWING)


@pytest.mark.parametrize("known", ["", "ANALYZE campaign", "ANALYZE"])
async def test_a_group_reads_none_of_the_others_in_flight_whatever_was_known_before_they_were(
    known: str, fleet: Fleet, gateway: Gateway
) -> None:
    few = 20
    vehicles = fleet.add(cars(FLEET))
    fleet.launch(limits={"in_flight": FLEET, **NO_BRAKE})
    if known:
        fleet.run(known)
    for first in range(0, FLEET - few, GROUP):
        await gateway.admit(*vehicles[first : min(first + GROUP, FLEET - few)])
    found = await rows_played(gateway, vehicles[-few:], [vin(number) for number in range(FLEET - few, FLEET)])
    assert max(found.values()) < 50 * few < FLEET / 2, found


@pytest.mark.parametrize("known", ["", "ANALYZE"])
@pytest.mark.parametrize("what", [_tick, _late_tick, _shut, _resume], ids=lambda what: what.__name__[1:])
async def test_a_campaign_finds_who_is_in_flight_without_those_who_wait_and_those_of_others(
    what: Callable[[Connection, int], object], known: str, fleet: Fleet, gateway: Gateway
) -> None:
    few = 30
    limits = {"in_flight": FLEET, **NO_BRAKE}
    of_another = fleet.add(cars(FLEET // 2))
    fleet.launch(name="Another", limits=limits)
    assert len(await gateway.admit(*of_another)) == FLEET // 2
    vehicles = fleet.add(cars(FLEET // 2, first=FLEET))
    campaign = fleet.launch(limits=limits)
    if known:
        fleet.run(known)
    for place, (vehicle, action) in enumerate((await gateway.admit(*vehicles[:few])).items()):
        if place % 3:
            assert await gateway.begin(vehicle, action)
        if place % 3 == 1:
            await gateway.say(vehicle, action, "proceeding")
    if what is _late_tick:
        fleet.run(
            f"UPDATE assignment SET {earlier('10 days')} WHERE campaign_id = {campaign} AND attempt = 1"
        )
    with fleet.engine.begin() as connection:
        what(connection, campaign)
        rows = {row[0]: row[1:] for row in connection.exec_driver_sql(_READ)}
    assert rows["assignment"][0] == 0
    assert rows["assignment"][1] < 30 * few < FLEET / 2


async def test_to_leave_a_cohort_out_reads_through_the_table_once_at_most(
    fleet: Fleet, gateway: Gateway
) -> None:
    few = 30
    vehicles = fleet.add(cars(few, country="NO") + cars(FLEET - few, first=few, country="DE"))
    campaign = fleet.launch(limits={"in_flight": FLEET, **NO_BRAKE})
    for place, (vehicle, action) in enumerate((await gateway.admit(*vehicles[:few])).items()):
        if place % 2:
            assert await gateway.begin(vehicle, action)
    with fleet.engine.begin() as connection:
        assert exclude(connection, campaign, Cohort.read("country=NO")) == few / 2
        rows = {row[0]: row[1:] for row in connection.exec_driver_sql(_READ)}
    assert rows["assignment"][0] <= FLEET  # for slices of time: those who have begun, also those who are done
    assert rows["assignment"][1] < 30 * few < FLEET / 2


async def test_a_plan_made_for_a_pilot_reads_none_of_those_selected_later(
    fleet: Fleet, gateway: Gateway
) -> None:
    few = 20
    limits = {"in_flight": 2 * FLEET, **NO_BRAKE}
    vehicles = fleet.add(cars(5 * few))
    fleet.launch(name="Pilot", limits=limits)
    await gateway.connection.execute("VACUUM ANALYZE")
    vins = [vin(number) for number in range(5 * few)]
    for first in range(0, 4 * few, 4):  # often enough that the connection keeps the plan of each statement
        await play(gateway, vehicles[first : first + 4], vins[first : first + 4])
    async with connected(fleet.url) as another:
        others = fleet.add(cars(FLEET, first=5 * few))
        fleet.launch(name="Another", limits=limits)
        with fleet.engine.begin() as connection:
            tell_planner(connection, FLEET)
        assert len(await another.admit(*others)) == FLEET
    found = await rows_played(gateway, vehicles[4 * few :], vins[4 * few :])
    assert max(found.values()) < 50 * few < FLEET / 2, found


async def test_no_statement_of_a_group_is_shared_among_processes(fleet: Fleet, gateway: Gateway) -> None:
    if gateway.connection.info.server_version < 180_000:
        # Only where the tests are given an older server of one's own: the embedded one counts, and so it is
        # never skipped by `make test`. tests/gateway/test_pool.py asks for the setting on every server.
        pytest.skip("PostgreSQL counts the processes of a database's statements since version 18 only")
    vehicles = fleet.add(cars(5))
    fleet.launch(limits={"in_flight": FLEET, **NO_BRAKE})
    await gateway.connection.execute("SET debug_parallel_query = on")  # wherever PostgreSQL may
    before = fleet.value(_PROCESSES)
    offered = await gateway.admit(*vehicles)
    for vehicle, action in offered.items():
        assert await gateway.begin(vehicle, action)
    for said in (("proceeding", "none"), ("closed", "success")):
        await gateway.record(*(report(vehicle, action, *said) for vehicle, action in offered.items()))
    await polls.standings(gateway.connection, [vin(number) for number in range(5)])
    await gateway.connection.execute("SELECT pg_stat_force_next_flush()")
    assert fleet.value(_PROCESSES) == before


async def test_the_room_of_a_phase_is_counted_once_for_a_group_and_not_for_each_of_its_vehicles(
    fleet: Fleet, gateway: Gateway
) -> None:
    vehicles = [
        vehicle
        for place, country in enumerate(("DE", "FR", "GB", "IT", "NO", "SE", "US"))
        for vehicle in fleet.add(cars(10, first=10 * place, country=country))
    ]
    fleet.launch(limits={"in_flight": FLEET, **NO_BRAKE})
    counts = fleet.value("SELECT count(*) FROM tally")
    assert counts == 7
    async with gateway.connection.transaction(force_rollback=True):
        assert len(await gateway.admit(*vehicles)) == len(vehicles)
        through, by_index = (await read(gateway))["tally"]
    # Its places, its slots, and the trigger's own look; before and after the offers.
    assert through + by_index < 10 * counts

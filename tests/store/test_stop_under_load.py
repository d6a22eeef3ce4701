"""A breach stops a campaign while its vehicles poll, begin and report, and another one selects a fleet."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack
from itertools import cycle

import pytest

from campaign.action import action_id
from campaign.assignment import Target
from store import polls
from store.campaigns import select_targets
from tests.store.fleet import NO_BRAKE, Fleet, Gateway, cars, connected, define, until, vin

GATEWAYS = 6
SELECTED = 50_000
BREACHES = 8
VEHICLES = 800

OFFERS = "SELECT count(*) FROM offer_committed"

#: At the commit of every admission: was the gate open still?
WATCH_COMMITS = (
    "CREATE TABLE offer_committed (vehicle_id int, gate_open bool)",
    "CREATE FUNCTION note_commit() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN "
    "INSERT INTO offer_committed SELECT NEW.vehicle_id, gate_open FROM campaign WHERE id = NEW.campaign_id; "
    "RETURN NULL; END'",
    "CREATE CONSTRAINT TRIGGER offer_committed AFTER UPDATE ON assignment DEFERRABLE INITIALLY DEFERRED "
    "FOR EACH ROW WHEN (OLD.state <> 'offered' AND NEW.state = 'offered') EXECUTE FUNCTION note_commit()",
)
FORGET_COMMITS = ("DROP FUNCTION IF EXISTS note_commit CASCADE", "DROP TABLE IF EXISTS offer_committed")

#: Vehicles by the statement: to write each one by itself would take longer than the test.
MANY = (
    "INSERT INTO vehicle (vin, model, lot, record_digest, config_wanted) "
    "SELECT 'WVWZZZ1JZ4W' || lpad(n::text, 6, '0'), 'Model_3', n, '', false "
    f"FROM generate_series(1, {SELECTED}) AS n",
    "INSERT INTO ecu (vehicle_id, name, hw_id, sw_version, built_version) "
    "SELECT id, 'Radar', 'EVO14', '1.3.0', '1.3.0' FROM vehicle WHERE model = 'Model_3'",
    "SELECT keep_candidates(ARRAY(SELECT id FROM vehicle WHERE model = 'Model_3'))",
    "ANALYZE vehicle, ecu, candidate, variant",  # as an import does
)


class Selecting:
    """A campaign of all vehicles that selects its targets, and commits when it may."""

    def __init__(self, fleet: Fleet, name: str) -> None:
        fleet.register(define(name=name))
        self._fleet = fleet
        self._campaign = fleet.value("SELECT id FROM campaign WHERE name = :n", n=name)
        self._may_commit, self.done = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        with self._fleet.engine.begin() as connection:
            select_targets(connection, self._campaign)
            self.done.set()
            self._may_commit.wait()

    def __enter__(self) -> "Selecting":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._may_commit.set()
        self._thread.join()

    @property
    def committed(self) -> bool:
        return bool(
            self._fleet.value("SELECT selected_at IS NOT NULL FROM campaign WHERE id = :c", c=self._campaign)
        )


class Traffic:
    """Gateways that poll, admit, begin and report without a break until they are told to stop."""

    def __init__(self, gateways: list[Gateway], vins: list[str]) -> None:
        self.running, self.admitted, self.rounds = True, 0, 0
        parts = (vins[place :: len(gateways)] for place in range(len(gateways)))
        self._tasks = [asyncio.create_task(self._drive(*pair)) for pair in zip(gateways, parts, strict=True)]

    async def _drive(self, gateway: Gateway, mine: list[str]) -> None:
        for turn, name in enumerate(cycle(mine)):
            if not self.running:
                return
            vehicle = (await polls.standings(gateway.connection, [name]))[name].vehicle_id
            # Whatever it stands like: somebody else's admission may be a moment late as well.
            for action in (await gateway.admit(vehicle)).values():
                self.admitted += 1
                # A third stays offered, a third installs, and a third turns it down.
                if turn % 3 and await gateway.begin(vehicle, action):
                    await gateway.say(vehicle, action, "rejected" if turn % 3 == 1 else "proceeding")
            self.rounds += 1

    async def __aenter__(self) -> "Traffic":
        return self

    async def __aexit__(self, *error: object) -> None:
        self.running = False
        await asyncio.gather(*self._tasks)


def resume(fleet: Fleet, campaign: int, seq: int) -> None:
    fleet.open(campaign, seq, new_window=True)


@pytest.fixture
def watched(fleet: Fleet) -> Iterator[Fleet]:
    """The fleet, with the gate seen at the commit of every admission."""
    for statement in (*FORGET_COMMITS, *WATCH_COMMITS):
        fleet.run(statement)
    yield fleet
    for statement in FORGET_COMMITS:
        fleet.run(statement)


async def test_no_admission_commits_after_a_breach_and_the_breach_waits_for_no_selection(
    watched: Fleet,
) -> None:
    """Again and again, while another campaign has selected 50,000 vehicles and not committed."""
    fleet = watched
    ids = fleet.add(cars(VEHICLES))
    campaign = fleet.launch(limits=NO_BRAKE)
    bad, action = ids[:BREACHES], action_id(campaign, 1)
    fleet.put(campaign, Target.INSTALLING, bad)
    for statement in MANY:
        fleet.run(statement)
    watching = Fleet.looking(fleet.url)
    async with AsyncExitStack() as stack:
        gateways = [await stack.enter_async_context(connected(fleet.url)) for _ in range(GATEWAYS + 1)]
        vins = [vin(number) for number in range(BREACHES, VEHICLES)]
        traffic = await stack.enter_async_context(Traffic(gateways[1:], vins))
        with Selecting(watching, "Everybody") as selecting:
            await until(selecting.done.is_set)
            for number, vehicle in enumerate(bad, start=1):
                busy = traffic.admitted + 10
                await until(lambda busy=busy: traffic.admitted >= busy)  # type: ignore[misc]
                async with asyncio.timeout(10):
                    await gateways[0].say(vehicle, action, "closed", "failure", "critical: no brakes")
                assert not fleet.gate_open(campaign)
                offers = fleet.value(OFFERS)
                enough = traffic.rounds + 3 * GATEWAYS  # what was under way has ended, and more was asked
                await until(lambda enough=enough: traffic.rounds >= enough)  # type: ignore[misc]
                assert fleet.value(OFFERS) == offers
                await asyncio.to_thread(fleet.shut, campaign, 2 * number)
                await asyncio.to_thread(resume, fleet, campaign, 2 * number + 1)
            assert not selecting.committed
        assert selecting.committed
    watching.close()
    assert fleet.value("SELECT count(*) FROM offer_committed WHERE NOT gate_open") == 0
    assert fleet.value(OFFERS) >= 10 * BREACHES
    fleet.assert_tally()


async def test_a_breach_is_recorded_beside_a_selection_that_writes_its_rows(fleet: Fleet) -> None:
    [bad, other] = fleet.add(cars(2))
    campaign = fleet.launch()
    fleet.put(campaign, Target.INSTALLING, [bad])
    for statement in MANY:
        fleet.run(statement)
    watching = Fleet.looking(fleet.url)
    busy = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND state = 'active' AND query LIKE '%INSERT INTO assignment%' AND pid <> pg_backend_pid()"
    )
    async with connected(fleet.url) as gateway:
        with Selecting(watching, "Everybody") as selecting:
            # On a fast machine all are written before one looks; they are not committed then either.
            await until(lambda: selecting.done.is_set() or fleet.value(busy) == 1)
            action = action_id(campaign, 1)
            await gateway.say(bad, action, "closed", "failure", "critical: no brakes")
            assert not fleet.gate_open(campaign)
            assert await gateway.admit(other) == {}
            assert not selecting.committed
    watching.close()

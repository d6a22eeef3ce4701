"""Cap, allowance and stop are strict over many gateways at once: real connections, no turns taken."""

import asyncio
from contextlib import AsyncExitStack
from itertools import cycle

import pytest

from campaign.action import action_id
from campaign.breach import Exposed
from store import admission
from tests.store.fleet import NO_BRAKE, Fleet, Gateway, cars, closing, connected, until, waiting_for_a_lock

GATEWAYS = 8


async def open_gateways(stack: AsyncExitStack, fleet: Fleet, count: int = GATEWAYS) -> list[Gateway]:
    return [await stack.enter_async_context(connected(fleet.url)) for _ in range(count)]


async def in_flight(gateway: Gateway) -> int:
    found = await gateway.connection.execute(
        "SELECT count(*) FROM assignment WHERE state IN ('offered', 'downloading', 'installing')"
    )
    row = await found.fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize(("cap", "allowance", "admitted"), [(10, 100, 10), (100, 25, 25), (7, 7, 7)])
async def test_many_gateways_together_never_exceed_cap_nor_allowance(
    cap: int, allowance: int, admitted: int, fleet: Fleet
) -> None:
    ids = fleet.add(cars(160))
    campaign = fleet.launch(limits=NO_BRAKE | {"in_flight": cap})
    fleet.run("UPDATE phase SET allowance = :a", a=allowance)
    async with AsyncExitStack() as stack:
        gateways = await open_gateways(stack, fleet)

        async def poll(gateway: Gateway, mine: list[int]) -> int:
            return sum([len(await gateway.admit(*mine[at : at + 2])) for at in range(0, len(mine), 2)])

        parts = [ids[place::GATEWAYS] for place in range(GATEWAYS)]
        counts = await asyncio.gather(*map(poll, gateways, parts))
    assert sum(counts) == admitted
    assert list(fleet.states(campaign).values()).count("offered") == admitted
    fleet.assert_tally()


async def test_one_vehicle_that_polls_everywhere_at_once_is_offered_one_campaign_once(fleet: Fleet) -> None:
    ids = fleet.add(cars(10))
    campaigns = [fleet.launch(name=name) for name in "abc"]
    async with AsyncExitStack() as stack:
        gateways = await open_gateways(stack, fleet)
        answers = await asyncio.gather(*(gateway.admit(*ids) for gateway in gateways))
    assert sorted(vehicle for answer in answers for vehicle in answer) == ids
    assert {action for answer in answers for action in answer.values()} == {action_id(campaigns[0], 1)}
    assert fleet.value("SELECT max(attempt) FROM assignment") == 1


async def test_the_cap_holds_at_every_commit_while_slots_are_given_back(fleet: Fleet) -> None:
    ids = fleet.add(cars(120))
    campaign = fleet.launch(limits={"in_flight": 5})
    highest: list[int] = []
    async with AsyncExitStack() as stack:
        gateways = await open_gateways(stack, fleet)

        async def drive(gateway: Gateway, mine: list[int]) -> None:
            left = list(mine)
            while left:
                async with gateway.connection.transaction():
                    offered = await admission.admit(gateway.connection, left)
                    highest.append(await in_flight(gateway))
                await gateway.record(*closing(campaign, offered, "success"))  # unproven: deferred
                left = [vehicle for vehicle in left if vehicle not in offered]

        await asyncio.gather(*map(drive, gateways, [ids[place::GATEWAYS] for place in range(GATEWAYS)]))
    assert max(highest) == 5
    fleet.assert_tally()


class Crowd:
    """Gateways that admit without a break until they are told to stop."""

    def __init__(self, gateways: list[Gateway], ids: list[int]) -> None:
        self.running, self.admitted, self.polled = True, 0, 0
        parts = (ids[place :: len(gateways)] for place in range(len(gateways)))
        self._polls = [asyncio.create_task(self._poll(*pair)) for pair in zip(gateways, parts, strict=True)]

    async def _poll(self, gateway: Gateway, mine: list[int]) -> None:
        for vehicle in cycle(mine):
            if not self.running:
                return
            self.admitted += len(await gateway.admit(vehicle))
            self.polled += 1

    async def stop(self) -> None:
        self.running = False
        await asyncio.gather(*self._polls)


#: Every offer ever made, also one that was withdrawn again.
COUNT_OFFERS = (
    "CREATE TABLE offer_made (vehicle_id int)",
    "CREATE FUNCTION count_offer() RETURNS trigger LANGUAGE plpgsql AS "
    "'BEGIN INSERT INTO offer_made VALUES (NEW.vehicle_id); RETURN NULL; END'",
    "CREATE TRIGGER offer_made AFTER UPDATE ON assignment FOR EACH ROW "
    "WHEN (OLD.state <> 'offered' AND NEW.state = 'offered') EXECUTE FUNCTION count_offer()",
)
FORGET_OFFERS = ("DROP TABLE IF EXISTS offer_made", "DROP FUNCTION IF EXISTS count_offer CASCADE")


async def test_after_a_pause_has_returned_no_admission_commits(fleet: Fleet) -> None:
    """The gate is shut again and again while eight gateways admit without a break."""
    ids = fleet.add(cars(600))
    campaign = fleet.launch(limits=NO_BRAKE | {"in_flight": 600})
    for statement in (*FORGET_OFFERS, *COUNT_OFFERS):
        fleet.run(statement)
    withdrawn_in_time = 0
    async with AsyncExitStack() as stack:
        gateways = await open_gateways(stack, fleet)
        for seq in range(2, 52, 2):
            crowd = Crowd(gateways, ids)
            await until(lambda crowd=crowd: crowd.admitted >= 10)  # type: ignore[misc]
            exposed = await asyncio.to_thread(fleet.shut, campaign, seq)
            offers = fleet.value("SELECT count(*) FROM offer_made")
            assert "offered" not in fleet.states(campaign).values()
            enough = crowd.polled + 3 * GATEWAYS  # what was under way has ended, and more was asked
            await until(lambda crowd=crowd, enough=enough: crowd.polled >= enough)  # type: ignore[misc]
            await crowd.stop()
            assert fleet.value("SELECT count(*) FROM offer_made") == offers
            withdrawn_in_time += exposed.offered
            fleet.open(campaign, seq + 1)
    assert withdrawn_in_time >= 250
    fleet.assert_tally()
    for statement in FORGET_OFFERS:
        fleet.run(statement)


async def test_a_pause_counts_the_offers_it_waited_for(fleet: Fleet) -> None:
    [vehicle, _] = fleet.add(cars(2))
    campaign = fleet.launch()
    watching = Fleet.looking(fleet.url)
    async with connected(fleet.url) as gateway:
        async with gateway.connection.transaction():
            await admission.admit(gateway.connection, [vehicle])
            pause = asyncio.create_task(asyncio.to_thread(fleet.shut, campaign, 2))
            await waiting_for_a_lock(watching)
        assert await pause == Exposed(offered=1)
    watching.close()
    assert fleet.state(vehicle, campaign) == "pending"


async def test_an_admission_that_waits_for_a_pause_finds_the_gate_shut(fleet: Fleet) -> None:
    """Deterministic: the admission asks while the pause holds the lock, and is answered after its commit."""
    [vehicle] = fleet.add(cars(1))
    campaign = fleet.launch()
    async with AsyncExitStack() as stack:
        pausing, polling = await open_gateways(stack, fleet, 2)
        async with pausing.connection.transaction():
            await pausing.connection.execute(
                "SELECT id FROM campaign WHERE id = %s FOR NO KEY UPDATE", [campaign]
            )
            poll = asyncio.create_task(polling.admit(vehicle))
            await waiting_for_a_lock(fleet)
            await pausing.connection.execute("UPDATE campaign SET gate_open = false")
        assert await poll == {}


async def test_an_admission_that_waited_past_the_lease_finds_it_expired(fleet: Fleet) -> None:
    """The lease is asked of the clock on the wall, not of the time at which the admission began to wait."""
    [vehicle] = fleet.add(cars(1))
    campaign = fleet.launch()
    async with AsyncExitStack() as stack:
        holding, polling = await open_gateways(stack, fleet, 2)
        async with holding.connection.transaction():
            await holding.connection.execute(
                "SELECT id FROM campaign WHERE id = %s FOR NO KEY UPDATE", [campaign]
            )
            poll = asyncio.create_task(polling.admit(vehicle))
            await waiting_for_a_lock(fleet)
            await holding.connection.execute("UPDATE campaign SET lease_until = clock_timestamp()")
        assert await poll == {}

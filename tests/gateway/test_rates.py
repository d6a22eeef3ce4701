"""How often a client may come, and who is sent away first when too many do."""

import asyncio
from collections import Counter

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign.assignment import Target
from gateway import auth
from gateway.batch import POLLS_WAITING, WAITING_ITEMS
from gateway.errors import RETRY_AFTER_SECONDS
from gateway.messages import retry_after
from gateway.pool import SINGLE_AT_ONCE
from gateway.rates import Buckets
from gateway.recent import Recent
from tests.gateway.conftest import VIN, Gateway, NewVehicle
from tests.gateway.http import Client, Vehicle
from tests.gateway.world import TOKEN, World


@given(
    st.integers(1, 50),
    st.integers(1, 100),
    st.lists(st.floats(0, 3), min_size=1, max_size=200),
)
def test_no_more_pass_than_the_burst_and_what_flows_back(rate: int, burst: int, pauses: list[float]) -> None:
    buckets: Buckets[str] = Buckets(rate, burst)
    now, passed = 1000.0, 0
    for pause in pauses:
        now += pause
        passed += buckets.take("a", now) == 0
    assert passed <= burst + rate * sum(pauses[1:]) + 0.1


@given(st.integers(1, 50), st.integers(1, 100))
def test_a_whole_burst_passes_and_the_next_one_after_the_time_it_is_told(rate: int, burst: int) -> None:
    buckets: Buckets[str] = Buckets(rate, burst)
    assert [buckets.take("a", 5.0) for _ in range(burst)] == [0] * burst
    wait = buckets.take("a", 5.0)
    assert 0 < wait <= 1 / rate + 1e-6
    assert buckets.take("b", 5.0) == 0
    assert buckets.take("a", 5.0 + wait + 1e-6) == 0


@given(st.lists(st.integers(0, 12), max_size=60), st.integers(1, 4))
def test_no_more_keys_are_remembered_than_said_and_half_as_many_for_sure(puts: list[int], half: int) -> None:
    recent: Recent[int, int] = Recent(2 * half)
    for place, key in enumerate(puts):
        recent.put(key, place)
    last = {key: place for place, key in enumerate(puts)}
    known = {key: place for key in last if (place := recent.get(key, -1)) >= 0}
    assert known.items() <= last.items()  # never an older value
    assert len(known) <= 2 * half
    latest = sorted(last, key=last.__getitem__)[-half:]
    assert known.keys() >= set(latest)


def test_who_was_quiet_for_longest_gets_a_full_bucket_when_there_are_too_many() -> None:
    buckets: Buckets[int] = Buckets(1, 1, most_clients=4)
    assert [buckets.take(client, 0.0) for client in range(6)] == [0] * 6
    assert all(buckets.wait(client, 0.0) > 0 for client in (4, 5))
    assert all(buckets.wait(client, 0.0) == 0 for client in (0, 1))


async def test_a_vehicle_that_floods_is_told_when_to_come_back_and_another_is_served(
    gateway: Gateway, world: World
) -> None:
    for vin in (VIN, "5YJYGDEE0MF000002"):
        world.vehicle(vin)
    async with gateway(requests_per_second=1) as client:
        flooding = Vehicle(client, VIN, TOKEN)
        answers = [await flooding.poll() for _ in range(auth.BURST + 3)]
        refused = [answer for answer in answers if answer.status != 200]
        assert [answer.status for answer in answers[: auth.BURST]] == [200] * auth.BURST
        assert refused
        for answer in refused:
            assert (answer.status, answer.json["errorCode"]) == (429, "ringmaster.tooOften")
            assert answer.headers["retry-after"] == "1"
        assert (await Vehicle(client, "5YJYGDEE0MF000002", TOKEN).poll()).status == 200


async def test_wrong_proofs_from_an_address_end_in_429_and_the_right_one_still_passes(
    new_vehicle: NewVehicle,
) -> None:
    vehicle, _ = new_vehicle()
    wrong = Vehicle(vehicle.client, VIN, "wrong")
    answers = [await wrong.poll() for _ in range(auth.FAILURES_BURST + 5)]
    statuses = [answer.status for answer in answers]
    assert statuses[: auth.FAILURES_BURST] == [401] * auth.FAILURES_BURST
    assert 429 in statuses
    assert answers[statuses.index(429)].headers["retry-after"].isdigit()
    assert (await vehicle.poll()).status == 200


async def test_polls_are_sent_away_before_reports_and_nothing_is_changed_by_it(
    world: World, new_vehicle: NewVehicle, monkeypatch: pytest.MonkeyPatch
) -> None:
    vehicle, number = new_vehicle()
    action = world.assign(number, world.campaign(world.file()), Target.DOWNLOADING)
    waiting, number = new_vehicle("5YJYGDEE0MF000002")
    world.assign(number, world.campaign(world.file("b.swu", b"b"), name="second"))
    monkeypatch.setattr("gateway.batch.Batch.load", lambda batch: POLLS_WAITING, raising=True)
    refused = await waiting.poll()
    assert (refused.status, refused.json["errorCode"]) == (503, "ringmaster.unavailable")
    assert refused.headers["retry-after"].isdigit()
    assert world.state(number) is Target.PENDING
    assert (await vehicle.feedback(action, "proceeding")).status == 200
    monkeypatch.setattr("gateway.batch.Batch.load", lambda batch: WAITING_ITEMS, raising=True)
    assert (await vehicle.feedback(action, "proceeding")).status == 503


async def test_reports_and_polls_find_a_connection_however_many_vehicles_read_or_report(
    gateway: Gateway, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.fleet.SINGLE_WAITING", 20)
    action = world.assign(world.vehicle(VIN), world.campaign(world.file()), Target.INSTALLING)
    async with (
        gateway(requests_per_second=1_000) as client,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
    ):
        vehicle = Vehicle(Client(session, client.url), VIN, TOKEN)
        with world.locked("artifact"):
            reading = [
                asyncio.create_task(vehicle.send("GET", f"/deploymentBase/{action}")) for _ in range(60)
            ]
            refused, _ = await asyncio.wait(reading, return_when=asyncio.FIRST_COMPLETED)
            assert {task.result().status for task in refused} == {503}
            assert (await vehicle.feedback(action, "proceeding")).status == 200
            assert (await vehicle.poll()).status == 200
            with world.locked_campaigns() as waiting:
                reporting = []
                for groups in (1, 2):
                    reporting.append(asyncio.create_task(vehicle.feedback(action, "proceeding")))
                    while waiting() < SINGLE_AT_ONCE + groups:
                        assert (await client.send("GET", "/health")).status == 200
                assert (await vehicle.poll()).status == 200
            assert [(await task).status for task in reporting] == [200, 200]
        served = Counter(answer.status for answer in await asyncio.gather(*reading))
    assert set(served) == {200, 503}
    assert served[200] == SINGLE_AT_ONCE + 20


async def test_a_busy_gateway_asks_everybody_to_come_less_often(
    new_vehicle: NewVehicle, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    vehicle, number = new_vehicle()
    world.assign(number, world.campaign(world.file()))
    calm = (await vehicle.poll()).json["config"]["polling"]["sleep"]
    with monkeypatch.context() as busy:
        busy.setattr("gateway.batch.Batch.load", lambda batch: POLLS_WAITING // 2, raising=True)
        told = (await vehicle.poll()).json["config"]["polling"]["sleep"]
    assert calm < "00:01:10" < told < "00:02:15"
    # The answer stays for a while, and with it the ETag.
    assert (await vehicle.poll()).json["config"]["polling"]["sleep"] == told


@pytest.mark.parametrize("level", range(4))
def test_those_who_are_sent_away_together_come_back_spread_the_more_the_busier_it_is(level: int) -> None:
    waits = [retry_after(f"5YJYGDEE0MF{number:06}", level) for number in range(1_000)]
    longest = RETRY_AFTER_SECONDS * (1 + (2 << level))
    assert RETRY_AFTER_SECONDS <= min(waits) <= max(waits) <= longest
    assert len(set(waits)) > (longest - RETRY_AFTER_SECONDS) * 0.9
    assert waits[0] == retry_after("5YJYGDEE0MF000000", level)

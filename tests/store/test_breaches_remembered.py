"""What a gateway remembers of a phase spares it reading, and hides no breach."""

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from campaign.assignment import Target
from campaign.metrics import NOBODY
from campaign.parts import NO_PARTS
from store import breaches, reports
from tests.store.fleet import NO_BRAKE, Fleet, Gateway, cars, closing, connected, plain

EVIDENCE = {"metric": "installation_success_rate", "limit": "0.2", "accept": "0.1", "bar": 20}
OLD = {"sw_version.Radar": "1.3.0"}


class Asked:
    """Notes what is read: only the bad vehicles, or all."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.only_bad: list[bool] = []
        real = breaches._ask

        async def ask(*args: Any, only_bad: bool) -> Any:
            self.only_bad.append(only_bad)
            return await real(*args, only_bad=only_bad)

        monkeypatch.setattr(breaches, "_ask", ask)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    breaches.memory.cache_clear()
    return Asked(monkeypatch)


def trips(fleet: Fleet, campaign: int) -> bool:
    """Whether a guard is breached by counts that nobody remembers, as a report must see it."""
    return any(
        each.guarded.trips(replace(each.evidence, stretches=NO_PARTS, overdue=NOBODY))
        for each in fleet.judged(campaign)
    )


@pytest.mark.parametrize("seed", range(8))
async def test_a_gate_is_shut_by_the_first_report_that_breaches_a_guard_and_by_none_before(
    seed: int, fleet: Fleet, gateway: Gateway, asked: Asked
) -> None:
    chance = Random(seed)
    ids = fleet.add([*cars(300), *cars(60, 400, hw_id="EVO15"), *cars(40, 500, country="FR")])
    guards = [*plain("0.08"), EVIDENCE]
    campaign = fleet.launch(guards=guards, limits=NO_BRAKE, phases=[{"rollout_percent": 100}])
    fleet.put(campaign, Target.INSTALLING, ids)
    chance.shuffle(ids)
    await gateway.record(*closing(campaign, [ids.pop() for _ in range(60)], "success"))
    while ids and fleet.gate_open(campaign):
        group = [ids.pop() for _ in range(min(len(ids), chance.randint(1, 9)))]
        outcomes = ["failure" if chance.random() < 0.12 else "success" for _ in group]
        said = zip(group, outcomes, strict=True)
        await gateway.record(*(each for v, how in said for each in closing(campaign, [v], how)))
        if chance.random() < 0.1:
            await gateway.configure(group[0], OLD)
        if "failure" in outcomes:
            assert fleet.gate_open(campaign) is not trips(fleet, campaign)
    assert True in asked.only_bad


async def test_far_from_a_breach_only_the_bad_are_read(fleet: Fleet, gateway: Gateway, asked: Asked) -> None:
    ids = fleet.add(cars(120))
    campaign = fleet.launch(guards=plain("0.1"), limits=NO_BRAKE)
    fleet.put(campaign, Target.INSTALLING)
    await gateway.record(*closing(campaign, ids[:100], "success"))
    for vehicle in ids[100:106]:
        await gateway.record(*closing(campaign, [vehicle], "failure"))
    assert asked.only_bad == [False, True, True, True, True, True]
    assert fleet.gate_open(campaign)


async def test_successes_that_are_taken_back_count_no_more(
    fleet: Fleet, gateway: Gateway, asked: Asked
) -> None:
    ids = fleet.add(cars(30))
    campaign = fleet.launch(guards=plain("0.2"), limits=NO_BRAKE)
    for vehicle in ids[:19]:
        await gateway.say(vehicle, await gateway.start(vehicle), "closed", "success")
    for vehicle in ids[19:21]:
        action = await gateway.start(vehicle)
        await gateway.say(vehicle, action, "closed", "failure")
    assert asked.only_bad == [False, True]
    for vehicle in ids[:12]:
        await gateway.configure(vehicle, OLD)
    last = await gateway.start(ids[21])
    assert fleet.gate_open(campaign)
    await gateway.say(ids[21], last, "closed", "failure")  # 3 of 10
    assert not fleet.gate_open(campaign)


async def test_reports_that_were_rolled_back_are_not_remembered(fleet: Fleet) -> None:
    ids = fleet.add(cars(30))
    campaign = fleet.launch(guards=plain("0.3"), limits=NO_BRAKE)
    fleet.put(campaign, Target.INSTALLING)
    async with connected(fleet.url) as gateway:
        async with gateway.connection.transaction(force_rollback=True):
            group = [*closing(campaign, ids[:25], "success"), *closing(campaign, ids[25:26], "failure")]
            await reports.record(gateway.connection, group)
        await gateway.record(*closing(campaign, ids[:2], "success"))
        await gateway.record(*closing(campaign, ids[2:3], "failure"))  # 1 of 3
    assert not fleet.gate_open(campaign)


async def test_a_new_window_begins_with_nothing(fleet: Fleet, gateway: Gateway) -> None:
    ids = fleet.add(cars(60))
    campaign = fleet.launch(guards=plain("0.1"), limits=NO_BRAKE)
    fleet.put(campaign, Target.INSTALLING)
    await gateway.record(*closing(campaign, ids[:40], "success"))
    await gateway.record(*closing(campaign, ids[40:41], "failure"))
    fleet.shut(campaign, 2)
    fleet.open(campaign, 3, new_window=True)
    await gateway.record(*closing(campaign, ids[41:43], "success"))
    await gateway.record(*closing(campaign, ids[43:44], "failure"))  # 1 of 3
    assert not fleet.gate_open(campaign)

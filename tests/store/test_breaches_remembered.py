"""What a gateway remembers of a phase spares it reading, and hides no breach."""

from dataclasses import replace
from functools import lru_cache
from random import Random
from typing import Any

import pytest

from campaign.action import action_id
from campaign.assignment import Target
from campaign.cohorts import Cohort
from campaign.metrics import NOBODY
from campaign.parts import NO_PARTS
from store import breaches, exclusion, reports
from store.reports import Effect
from tests.store.fleet import NO_BRAKE, Fleet, Gateway, cars, closing, connected, plain, report

EVIDENCE = {"metric": "installation_success_rate", "limit": "0.2", "accept": "0.1", "bar": 20}
DOWNLOADS = {"metric": "download_failure_rate", "mode": "threshold", "limit": "0.07", "min_sample": 30}
FAILURES = ["it failed", "rolled back", "critical", "download failed"]
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
    guards = [*plain("0.08"), EVIDENCE, DOWNLOADS]
    campaign = fleet.launch(guards=guards, limits=NO_BRAKE, phases=[{"rollout_percent": 100}])
    fleet.put(campaign, Target.INSTALLING, ids[::2])
    fleet.put(campaign, Target.DOWNLOADING, ids[1::2])
    chance.shuffle(ids)
    action = action_id(campaign, 1)
    await gateway.record(*closing(campaign, [ids.pop() for _ in range(60)], "success"))
    while ids and fleet.gate_open(campaign):
        group = [ids.pop() for _ in range(min(len(ids), chance.randint(1, 9)))]
        words = [chance.choice(FAILURES) if chance.random() < 0.12 else None for _ in group]
        await gateway.record(
            *(
                report(vehicle, action, "closed", "failure" if word else "success", word or "")
                for vehicle, word in zip(group, words, strict=True)
            )
        )
        if chance.random() < 0.2:
            fleet.put(campaign, Target.STALLED, [ids.pop()] if ids else [])
        failed = any(words)
        if chance.random() < 0.1:
            await gateway.configure(group[0], OLD)
        if failed:
            assert fleet.gate_open(campaign) is not trips(fleet, campaign)
    assert True in asked.only_bad


async def test_a_stop_by_one_phase_stands_where_another_one_of_the_group_is_read_again(
    fleet: Fleet, gateway: Gateway
) -> None:
    ids = fleet.add(cars(60))
    rings = [{"rollout_count": 30}, {"rollout_percent": 100}]
    campaign = fleet.launch(guards=plain("0.2"), limits=NO_BRAKE, phases=rings)
    fleet.put(campaign, Target.INSTALLING)
    phases = dict(fleet.rows("SELECT vehicle_id, phase FROM assignment"))
    first, second = ([each for each in ids if phases[each] == phase] for phase in (1, 2))
    await gateway.record(*closing(campaign, [*first[:10], *second[:10]], "success"))
    await gateway.record(*closing(campaign, [first[10], second[10]], "failure"))
    assert fleet.gate_open(campaign)
    fleet.run("UPDATE edition SET matured = gen_random_uuid()")
    effects = await gateway.record(*closing(campaign, [*first[11:16], *second[11:16]], "failure"))
    assert not fleet.gate_open(campaign)
    assert effects == [Effect.RECORDED] * 10
    assert fleet.value("SELECT breach ->> 'phase' FROM campaign") == "1"


async def test_a_cohort_that_is_left_out_is_not_remembered(fleet: Fleet, gateway: Gateway) -> None:
    old, new = fleet.add(cars(40)), fleet.add(cars(40, 100, hw_id="EVO15"))
    campaign = fleet.launch(guards=plain("0.2"), limits=NO_BRAKE)
    fleet.put(campaign, Target.INSTALLING)
    await gateway.record(*closing(campaign, [*old[:2], *new[:30]], "success"))
    await gateway.record(*closing(campaign, new[30:31], "failure"))
    with fleet.engine.begin() as connection:
        exclusion.exclude(connection, campaign, Cohort.read("hw_id=EVO15"))
    assert fleet.gate_open(campaign)
    await gateway.record(*closing(campaign, old[2:3], "failure"))  # 1 of 3
    assert not fleet.gate_open(campaign)


async def test_what_another_gateway_has_recorded_is_seen(
    fleet: Fleet, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = fleet.add(cars(100))
    campaign = fleet.launch(guards=plain("0.1"), limits=NO_BRAKE)
    fleet.put(campaign, Target.INSTALLING)
    one, other = (lru_cache(maxsize=None)(breaches.memory.__wrapped__) for _ in range(2))
    for memory, good, bad in ((one, 59, 1), (other, 0, 5), (one, 0, 1)):
        assert fleet.gate_open(campaign)
        monkeypatch.setattr(breaches, "memory", memory)
        group, ids = ids[: good + bad], ids[good + bad :]
        await gateway.record(*closing(campaign, group[:good], "success"))
        await gateway.record(*closing(campaign, group[good:], "failure"))
    assert not fleet.gate_open(campaign)  # 7 of 66


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


async def test_a_failure_is_recorded_though_its_configuration_is_lost_and_the_tick_says_so(
    fleet: Fleet, gateway: Gateway
) -> None:
    ids = fleet.add(cars(3))
    campaign = fleet.launch(limits=NO_BRAKE, start=False)
    fleet.open(campaign, 1)
    fleet.put(campaign, Target.INSTALLING)
    fleet.run("DELETE FROM configuration")
    assert await gateway.record(*closing(campaign, ids[:1], "failure")) == [Effect.RECORDED]
    assert fleet.state(ids[0], campaign) == Target.FAILED
    with pytest.raises(LookupError, match="does not know the configurations"):
        fleet.tick(campaign)


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

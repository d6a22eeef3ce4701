"""Evidence, not the first failure, stops a campaign: in the transaction of the report that completes it."""

import asyncio

import pytest

from campaign.action import action_id
from campaign.assignment import Target
from campaign.verdict import Status
from store import reports
from tests.store.fleet import Fleet, Gateway, cars, closing, connected, report, waiting_for_a_lock

BREACH = "SELECT breach #>> '{verdict,sentence}' FROM campaign"


async def test_one_failure_never_stops_a_campaign(fleet: Fleet, gateway: Gateway) -> None:
    ids = fleet.add(cars(2))
    campaign = fleet.launch()
    fleet.put(campaign, Target.INSTALLING, ids[:1])
    await gateway.record(*closing(campaign, ids[:1], "failure"))
    assert fleet.tick(campaign).breach is None
    assert await gateway.admit(ids[1])


async def test_the_report_that_crosses_the_limit_of_the_evidence_closes_the_gate_in_its_own_transaction(
    fleet: Fleet,
) -> None:
    """Of 100 under way the fifth failure is too many; before its commit others still see an open gate."""
    ids = fleet.add(cars(101))
    campaign = fleet.launch()
    fleet.put(campaign, Target.INSTALLING, ids[:100])
    async with connected(fleet.url) as one, connected(fleet.url) as other:
        await one.record(*closing(campaign, ids[:4], "failure"))
        assert fleet.gate_open(campaign)
        async with one.connection.transaction():
            await reports.record(one.connection, closing(campaign, ids[4:5], "failure"))
            assert fleet.gate_open(campaign)
            poll = asyncio.create_task(other.admit(ids[100]))
            await waiting_for_a_lock(fleet)
        assert not fleet.gate_open(campaign)
        assert await poll == {}
    assert fleet.value(BREACH) == (
        "installation_success_rate breach: 5 of 5 failed (100 % > 2 %); "
        "128:1 against a healthy fleet's 0.5 %, 100:1 is enough"
    )


async def test_a_success_closes_no_gate(fleet: Fleet, gateway: Gateway) -> None:
    """What was moved to failed past the reports is judged at the next failure or tick, not at a success."""
    ids = fleet.add(cars(10))
    campaign = fleet.launch()
    fleet.put(campaign, Target.INSTALLING)
    fleet.put(campaign, Target.FAILED, ids[:5])
    await gateway.record(*closing(campaign, ids[5:], "success"))
    assert fleet.gate_open(campaign)
    assert fleet.tick(campaign).breach is not None
    assert not fleet.gate_open(campaign)


#: What 100 vehicles under way say of themselves, how often it takes to stop them, and the guard that does.
CLASSES = [
    ("critical: brake warning", "critical", 1, "critical"),
    ("rolled back to slot A", "rolled_back", 3, "rollback_rate"),
    ("no space left", "failed", 5, "installation_success_rate"),
    ("download failed: timeout", "download_failed", 9, "download_failure_rate"),
]


@pytest.mark.parametrize(("words", "state", "takes", "guard"), CLASSES)
async def test_failures_are_counted_by_their_class(
    words: str, state: str, takes: int, guard: str, fleet: Fleet, gateway: Gateway
) -> None:
    ids = fleet.add(cars(100))
    campaign = fleet.launch()
    fleet.put(campaign, Target.INSTALLING if state != "download_failed" else Target.DOWNLOADING)
    action = action_id(campaign, 1)
    for vehicle in ids[: takes - 1]:
        await gateway.record(report(vehicle, action, "closed", "failure", words))
    assert fleet.gate_open(campaign)
    await gateway.record(report(ids[takes - 1], action, "closed", "failure", words))
    assert not fleet.gate_open(campaign)
    assert fleet.value("SELECT breach #>> '{verdict,guard}' FROM campaign") == guard
    assert list(fleet.states(campaign).values()).count(state) == takes
    breached = [each.guard for each in fleet.tick(campaign).verdicts if each.status is Status.BREACH]
    assert breached == [guard]


async def test_a_download_that_fails_is_no_failure_of_an_installation(fleet: Fleet, gateway: Gateway) -> None:
    """Eight would be too many installations that fail, and are not too many downloads."""
    ids = fleet.add(cars(100))
    campaign = fleet.launch()
    fleet.put(campaign, Target.DOWNLOADING)
    action = action_id(campaign, 1)
    said = [report(vehicle, action, "closed", "failure", "failed to download") for vehicle in ids[:8]]
    await gateway.record(*said)
    counted = {each.guard: (each.failed, each.finished) for each in fleet.tick(campaign).verdicts}
    assert counted["download_failure_rate"] == (8, 8)
    assert counted["installation_success_rate"] == (0, 0)
    assert fleet.gate_open(campaign)


async def test_a_vehicle_that_began_to_install_has_not_merely_failed_to_download(
    fleet: Fleet, gateway: Gateway
) -> None:
    [vehicle] = fleet.add(cars(1))
    campaign = fleet.launch()
    action = await gateway.start(vehicle)
    await gateway.say(vehicle, action, "closed", "failure", "download failed: timeout")
    assert fleet.state(vehicle, campaign) == "failed"


async def test_a_guard_that_only_tells_people_closes_no_gate_and_is_a_warning(
    fleet: Fleet, gateway: Gateway
) -> None:
    ids = fleet.add(cars(10))
    told = {"name": "any", "metric": "failure_rate", "mode": "count", "action": "notify"}
    campaign = fleet.launch(guards=[told, {"metric": "critical", "mode": "count"}])
    fleet.put(campaign, Target.INSTALLING)
    await gateway.record(*closing(campaign, ids[:2], "failure"))
    seen = fleet.tick(campaign)
    assert (seen.gate_open, seen.breach) == (True, None)
    [warning] = seen.warnings
    assert (warning.phase, warning.verdict.guard, warning.verdict.failed) == (1, "any", 2)

"""What happens to a fleet, and what becomes of its campaign: each with its transcript."""

import json

import pytest

from commands.client import Campaigns
from simulator import Kind, Rule, Script, Where
from simulator.phase import Phase
from tests.system.garage import (
    LATE_RADAR,
    Garage,
    by_state,
    definition,
    launch,
    screen,
    settled,
    stage,
    starter,
    until,
)
from tests.system.transcript import told

pytestmark = pytest.mark.timeout(180)

CANARY = {"name": "canary", "rollout_percent": 10, "wait_time": "PT1S"}
ALL = {"name": "all", "rollout_percent": 100}


def script(kind: Kind, share: float, where: Where | None = None) -> Script:
    """One fault, for a share of the vehicles."""
    return Script(rules=(Rule(where=where or Where(), share=share, kind=kind),))


async def test_a_healthy_fleet_with_an_odd_failure_is_updated_without_a_pause(
    campaigns: Campaigns, garage: Garage
) -> None:
    vehicles = garage.build(300, block=5)
    document = definition(vehicles, CANARY, ALL, name="Healthy", limits={"in_flight_floor": 100})
    async with garage.drive(vehicles, script(Kind.FAIL, 0.003)):
        launched = await launch(campaigns, document)
        done = await told("healthy", campaigns, garage, launched.workflow_id)
    assert done.stage == "Completed"
    assert done.breaches == 0
    assert by_state(done) == {"succeeded": 299, "failed": 1}


async def test_failures_all_over_the_fleet_pause_the_campaign_and_name_nobody(
    campaigns: Campaigns, garage: Garage
) -> None:
    vehicles = garage.build(160, block=3)
    document = definition(vehicles, name="Uniform", limits={"in_flight_floor": 20})
    async with garage.drive(vehicles, script(Kind.FAIL, 0.05)) as fleet:
        launched = await launch(campaigns, document)
        paused = await settled(campaigns, launched.workflow_id)
        assert paused.breach is not None
        assert paused.breach.culprit is None
        tried = paused.phases[0].succeeded + paused.phases[0].failed
        await campaigns.command(launched.workflow_id, "abort", "ann", "5 % are too many")
        ended = await told("uniform", campaigns, garage, launched.workflow_id, any_slice=True)
        touched = sum(bool(memory.flashes or memory.struck) for memory in fleet.memories.values())
    assert ended.stage == "Aborted"
    assert by_state(ended)["expired"] == 160 - tried
    assert touched == tried < 160


async def test_a_bad_hardware_revision_is_named_and_left_out_in_one_step(
    campaigns: Campaigns, garage: Garage
) -> None:
    vehicles = garage.build(200, block=16, late_radars=10)
    good, bad = vehicles.part(0, 190), vehicles.part(190)
    flaw = script(Kind.FAIL, 0.4, Where(hw_id=LATE_RADAR))
    document = definition(vehicles, name="Bad revision", limits={"in_flight_floor": 60})
    launched = await launch(campaigns, document)
    async with garage.drive(good.part(0, 150), flaw) as fleet:
        await fleet.until(lambda: fleet.totals[Phase.SUCCEEDED] == 150, timeout_seconds=90)
        async with garage.drive(bad.part(0, 8), flaw):
            paused = await settled(campaigns, launched.workflow_id)
    assert paused.breach is not None
    assert paused.breach.culprit is not None
    assert paused.breach.culprit.cohort == f"hw_id={LATE_RADAR}"
    async with garage.drive(good.part(150), flaw), garage.drive(bad.part(8), flaw) as parked:
        cohort = paused.breach.culprit.cohort
        text = await campaigns.exclude(launched.workflow_id, cohort, "ann", "flaw of the revision")
        assert text.endswith("the campaign goes on")
        done = await told("bad-revision", campaigns, garage, launched.workflow_id)
        assert not any(memory.struck or memory.flashes for memory in parked.memories.values())
    states = by_state(done)
    assert done.stage == "Completed"
    assert (done.breaches, done.excluded) == (1, (f"hw_id={LATE_RADAR}",))
    assert states["excluded"] >= 2
    assert 3 <= states["failed"] <= 4
    assert sum(states.values()) == 200


async def test_vehicles_that_go_silent_pause_the_campaign_and_the_brake_bounds_their_number(
    campaigns: Campaigns, garage: Garage, environment: dict[str, str]
) -> None:
    vehicles = garage.build(40, block=30)
    floor = 10
    limits = {"in_flight_floor": floor, "harm_budget": 5, "overdue_after": "PT2S", "silent_after": "PT8S"}
    async with garage.drive(vehicles, script(Kind.BRICK, 1)):
        launched = await launch(campaigns, definition(vehicles, name="Bricks", limits=limits))
        paused = await until(campaigns, launched.workflow_id, stage("Paused"))
        assert paused.breach is not None
        assert paused.breach.verdict.guard == "silence"
        lost = await settled(campaigns, launched.workflow_id)
        assert by_state(lost) == {"silent": floor, "pending": 30}
        symptoms = json.loads(await starter(environment, "failures", launched.workflow_id, "--json"))
        assert [(each["kind"], each["message"], each["vehicles"]) for each in symptoms] == [
            ("silent", "began to install and went quiet", floor)
        ]
        await campaigns.command(launched.workflow_id, "abort", "ann", "they do not answer")
        ended = await told("bricks", campaigns, garage, launched.workflow_id)
    assert by_state(ended) == {"silent": floor, "expired": 30}


async def test_downloads_that_fail_pause_the_campaign_and_harm_nobody(
    campaigns: Campaigns, garage: Garage
) -> None:
    vehicles = garage.build(40, block=0)
    document = definition(vehicles, name="CDN failure", limits={"in_flight_floor": 10})
    launched = await launch(campaigns, document)
    async with garage.drive(vehicles, script(Kind.DOWNLOAD_FAIL, 0.9)) as fleet:
        paused = await settled(campaigns, launched.workflow_id)
        flashed = sum(bool(memory.flashes) for memory in fleet.memories.values())
    assert paused.breach is not None
    assert paused.breach.verdict.guard == "download_failure_rate"
    assert paused.breach.exposed.harmed == 0
    assert by_state(paused).get("succeeded", 0) == flashed
    assert by_state(paused).keys() <= {"download_failed", "succeeded", "pending"}
    async with garage.drive(vehicles):
        await campaigns.command(launched.workflow_id, "resume", "ann", "the CDN is mended")
        done = await told("cdn-failure", campaigns, garage, launched.workflow_id)
    assert done.stage == "Completed"
    assert by_state(done).keys() == {"download_failed", "succeeded"}


async def test_failures_that_come_only_in_the_wait_pause_the_campaign_and_nothing_is_promoted(
    campaigns: Campaigns, garage: Garage
) -> None:
    vehicles = garage.build(40, block=31)
    # Nobody waits for those who are switched off in the middle: the phase is over at its deadline.
    first = {"name": "first", "rollout_percent": 50, "deadline": "PT5S", "wait_time": "PT2M"}
    launched = await launch(campaigns, definition(vehicles, first, ALL, name="Late failures"), approve=False)
    async with garage.drive(vehicles.part(0, 20)):
        async with garage.drive(vehicles.part(20), pace=0.1) as slow:
            await campaigns.command(launched.workflow_id, "approve", "test", "")
            await until(campaigns, launched.workflow_id, lambda s: s.state == "Active/Baking")
            stopped = slow.totals[Phase.DOWNLOADING] + slow.totals[Phase.INSTALLING]
        assert stopped > 3
        async with garage.drive(vehicles.part(20), script(Kind.FAIL, 1)):
            paused = await settled(campaigns, launched.workflow_id)
            assert paused.breach is not None
            assert paused.breach.phase == 1
            await campaigns.command(launched.workflow_id, "abort", "ann", "late, but bad")
            ended = await told("late-failures", campaigns, garage, launched.workflow_id)
    assert ended.phases[0].failed == stopped
    assert ended.phases[1].by_state == {"expired": 20}


async def test_low_batteries_are_no_failures_and_are_asked_again(
    campaigns: Campaigns, garage: Garage
) -> None:
    vehicles = garage.build(40, block=8)
    async with garage.drive(vehicles, script(Kind.DEFER, 0.3)):
        launched = await launch(campaigns, definition(vehicles, name="Low batteries"))
        waiting = await until(
            campaigns,
            launched.workflow_id,
            lambda s: s.phases[0].by_state == {"deferred": 8, "succeeded": 32},
        )
        assert (waiting.stage, waiting.phases[0].failed, waiting.phases[0].waiting) == ("Active", 0, 8)
        assert "not counted: 8 deferred" in screen(waiting)
        garage.end_back_offs(waiting.campaign_id)
        done = await told("low-batteries", campaigns, garage, launched.workflow_id)
    assert (done.stage, done.breaches, by_state(done)) == ("Completed", 0, {"succeeded": 40})


async def test_a_burst_of_repeated_and_late_reports_is_counted_once(
    campaigns: Campaigns, garage: Garage
) -> None:
    vehicles = garage.build(100, block=1)
    chaos = script(Kind.FAIL, 0.01).model_copy(update={"duplicate_reports": 1.0, "out_of_order": 1.0})
    document = definition(vehicles, name="Burst", limits={"in_flight_floor": 100})
    async with garage.drive(vehicles, chaos):
        launched = await launch(campaigns, document)
        done = await told("burst", campaigns, garage, launched.workflow_id)
    assert (done.stage, by_state(done)) == ("Completed", {"succeeded": 99, "failed": 1})
    assert garage.states(done.campaign_id) == by_state(done)
    with garage.database() as connection:
        changes = connection.execute(
            "SELECT count(*) FROM software_change WHERE campaign_id = %s", [done.campaign_id]
        ).fetchone()
    assert changes == (99,)


async def test_one_critical_report_is_enough(campaigns: Campaigns, garage: Garage) -> None:
    vehicles = garage.build(60, block=37)
    async with garage.drive(vehicles, script(Kind.CRITICAL, 1), pace=4.0):
        document = definition(vehicles, name="Critical", limits={"in_flight_floor": 2})
        launched = await launch(campaigns, document)
        paused = await settled(campaigns, launched.workflow_id)
        assert paused.breach is not None
        assert paused.breach.verdict.failed == 1
        await campaigns.command(launched.workflow_id, "abort", "ann", "a safety function is lost")
        ended = await told("critical", campaigns, garage, launched.workflow_id)
    assert by_state(ended)["critical"] <= 2

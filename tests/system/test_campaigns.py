"""Whole campaigns over real HTTP with the simulated fleet, on outcomes known by hand."""

import json
import sys

import pytest

from commands.client import Campaigns
from simulator import Kind, Rule, Script, Where
from simulator.phase import Phase
from tests.system.garage import ROOT, Garage, definition, launch, program, stage, temporal, until

pytestmark = pytest.mark.timeout(180)

CANARY = {"name": "canary", "rollout_percent": 10, "wait_time": "PT1S"}
ALL = {"name": "all", "rollout_percent": 100}
#: The plain rule by itself: failures / attempts > limit.
PLAIN = {"metric": "failure_rate", "mode": "threshold", "limit": "0.02"}


async def test_every_target_of_a_healthy_campaign_runs_the_new_software(
    campaigns: Campaigns, garage: Garage
) -> None:
    vehicles = garage.build(60)
    async with garage.drive(vehicles) as fleet:
        launched = await launch(campaigns, definition(vehicles, CANARY, ALL))
        done = await until(campaigns, launched.workflow_id, stage("Completed"))
        await fleet.until(lambda: fleet.totals[Phase.SUCCEEDED] == 60)
    assert [(phase.size, phase.succeeded, phase.failed) for phase in done.phases] == [(6, 6, 0), (54, 54, 0)]
    assert {fleet.installed[vin]["Radar"] for vin in vehicles.vins} == {"1.4.0"}
    with garage.database() as connection:
        now = connection.execute(
            "SELECT e.sw_version, e.built_version <> e.sw_version, h.to_version, count(*) "
            "FROM vehicle v JOIN ecu e ON e.vehicle_id = v.id AND e.name = 'Radar' "
            "JOIN software_change h ON h.vehicle_id = v.id WHERE v.model = %s GROUP BY 1, 2, 3",
            [vehicles.model],
        ).fetchall()
    assert now == [("1.4.0", True, "1.4.0", 60)]


async def test_a_failing_revision_pauses_its_campaign_and_an_abort_leaves_the_rest_untouched(
    campaigns: Campaigns, garage: Garage
) -> None:
    vehicles = garage.build(60)
    bad = Script(rules=[Rule(where=Where(hw_id="BOSCH-MRR-EVO15"), share=1.0, kind=Kind.FAIL, code=4201)])
    async with garage.drive(vehicles, bad) as fleet:
        document = definition(vehicles, limits={"in_flight": 20}, guards=[PLAIN])
        launched = await launch(campaigns, document)
        paused = await until(campaigns, launched.workflow_id, stage("Paused"))
        assert paused.breach is not None
        assert "failure_rate breach" in paused.why
        assert paused.next[0].startswith("resume")
        settled = await until(campaigns, launched.workflow_id, lambda s: not s.phases[0].in_flight)
        over = settled.phases[0].succeeded + settled.phases[0].failed
        ended = await campaigns.command(launched.workflow_id, "abort", "test", "the revision is bad")
        assert ended.stage == "Aborted"
        touched = sum(bool(memory.flashes) for memory in fleet.memories.values())
    assert over < 60
    states = garage.states(settled.campaign_id)
    assert states["expired"] == 60 - over
    assert states["failed"] == settled.phases[0].failed >= 1
    assert touched <= over


async def test_a_deferred_vehicle_is_no_failure(campaigns: Campaigns, garage: Garage) -> None:
    vehicles = garage.build(20)
    flat = Script(rules=[Rule(where=Where(), share=1.0, kind=Kind.DEFER)])
    async with garage.drive(vehicles, flat):
        launched = await launch(campaigns, definition(vehicles))
        seen = await until(
            campaigns, launched.workflow_id, lambda s: s.phases[0].by_state.get("deferred") == 20
        )
        assert (seen.stage, seen.phases[0].failed) == ("Active", 0)
        await campaigns.command(launched.workflow_id, "abort", "test", "")


async def test_duplicated_and_reordered_reports_change_no_outcome(
    campaigns: Campaigns, garage: Garage
) -> None:
    vehicles = garage.build(40)
    async with garage.drive(vehicles, Script(duplicate_reports=1.0, out_of_order=0.5)):
        launched = await launch(campaigns, definition(vehicles))
        done = await until(campaigns, launched.workflow_id, stage("Completed"))
    assert (done.phases[0].succeeded, done.phases[0].failed) == (40, 0)


async def test_a_campaign_is_launched_and_steered_with_the_temporal_command_line_alone(
    campaigns: Campaigns, garage: Garage, environment: dict[str, str]
) -> None:
    vehicles = garage.build(10)
    document = json.loads((ROOT / "examples" / "winter-optimization.json").read_text())
    document |= {"name": "By the CLI", "criteria": vehicles.model}
    for phase in document["phases"]:
        phase["criteria"] = vehicles.model
    start = ["workflow", "start", "--type", "CampaignWorkflow", "--task-queue", "ringmaster"]
    await temporal(environment, *start, "--workflow-id", "by-cli", "--input", json.dumps(document))
    await until(campaigns, "by-cli", lambda status: status.campaign_id > 0)
    async with garage.drive(vehicles):
        await temporal(environment, "workflow", "signal", "--workflow-id", "by-cli", "--name", "approve")
        done = await until(campaigns, "by-cli", stage("Completed"))
    assert [phase.succeeded for phase in done.phases] == [1, 9]
    shown = await temporal(environment, "workflow", "show", "--workflow-id", "by-cli", "--output", "json")
    assert not [vin for vin in vehicles.vins if vin in shown]


async def test_a_starter_script_launches_a_campaign_of_a_registered_package(
    campaigns: Campaigns, garage: Garage, environment: dict[str, str]
) -> None:
    vehicles = garage.build(5)
    script = (ROOT / "examples" / "winter_update.py").read_text()
    script = script.replace("Winter Optimization", "By a script").replace("Model_Y", vehicles.model)
    status, out, _ = await program(environment, sys.executable, "-c", script)
    assert status == 0
    assert "campaign-by-a-script: Draft, waiting for approval" in out
    assert (await campaigns.status("By a script")).phases[1].size == 4

    other = script.replace("Pkg_v2.4", "Pkg_v2.5").replace("By a", "By another")
    status, _, errors = await program(environment, sys.executable, "-c", other)
    assert status != 0
    assert "package = 'Pkg_v2.5': unknown package; did you mean 'Pkg_v2.4'?" in errors
    await campaigns.command("By a script", "abort", "test", "")

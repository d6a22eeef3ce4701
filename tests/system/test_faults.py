"""Processes killed outright: nothing is lost, nothing is done twice, and no gate stays open unsupervised."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import CancelledError

from campaign.action import split
from commands.client import Campaigns
from simulator import Fleet
from simulator.phase import Phase
from tests.system.conftest import Restartable
from tests.system.garage import Garage, Vehicles, definition, eventually, launch, stage, temporal, until
from workflows.status import Status

pytestmark = pytest.mark.timeout(180)

FIRST = {"name": "first", "rollout_percent": 20, "wait_time": "PT2S"}
ALL = {"name": "all", "rollout_percent": 100}


def substate(name: str) -> Callable[[Status], bool]:
    """Whether a status is in this state, sub-state included."""
    return lambda status: status.state == name


@pytest.mark.parametrize(
    "state", ["Draft", "Scheduling/Queued", "Active/RollingOut", "Active/Baking", "Paused"]
)
async def test_a_campaign_goes_on_where_it_was_when_its_worker_is_killed(
    state: str, campaigns: Campaigns, garage: Garage, worker: Restartable
) -> None:
    vehicles = garage.build(40)
    async with garage.drive(vehicles, pace=4.0) as fleet:
        document = definition(vehicles, FIRST, ALL, limits={"in_flight": 10})
        if state == "Scheduling/Queued":
            document["start_date"] = _soon()
        launched = await launch(campaigns, document, approve=state != "Draft")
        if state == "Paused":
            await until(campaigns, launched.workflow_id, stage("Active"))
            await campaigns.command(launched.workflow_id, "pause", "test", "to be killed")
        before = await until(campaigns, launched.workflow_id, substate(state))
        worker.kill()
        worker.start()
        after = await until(campaigns, launched.workflow_id, lambda _: True)
        if state in ("Draft", "Paused"):
            assert after.state == before.state
            order = {"Draft": "approve", "Paused": "resume"}[state]
            await campaigns.command(launched.workflow_id, order, "test", "")
        done = await until(campaigns, launched.workflow_id, stage("Completed"), seconds=90)
        await fleet.until(lambda: fleet.totals[Phase.SUCCEEDED] == 40)
    assert [phase.succeeded for phase in done.phases] == [8, 32]
    assert _flashed_once(fleet)


async def test_the_gate_shuts_by_itself_when_nobody_supervises_and_opens_when_a_worker_is_back(
    campaigns: Campaigns, garage: Garage, worker: Restartable
) -> None:
    vehicles = garage.build(40)
    launched = await launch(campaigns, definition(vehicles))
    seen = await until(campaigns, launched.workflow_id, substate("Active/RollingOut"))
    worker.kill()
    await _until_lapsed(garage, seen.campaign_id)
    async with garage.drive(vehicles) as fleet:
        await fleet.until(lambda: fleet.totals[Phase.POLLING] == 40)
        assert garage.states(seen.campaign_id) == {"pending": 40}
        worker.start()
        await until(campaigns, launched.workflow_id, stage("Completed"), seconds=90)


async def test_a_terminated_workflow_leaves_the_gate_shut(
    campaigns: Campaigns, garage: Garage, environment: dict[str, str]
) -> None:
    vehicles = garage.build(40)
    launched = await launch(campaigns, definition(vehicles))
    seen = await until(campaigns, launched.workflow_id, substate("Active/RollingOut"))
    await temporal(environment, "workflow", "terminate", "--workflow-id", launched.workflow_id)
    await _until_lapsed(garage, seen.campaign_id)
    async with garage.drive(vehicles) as fleet:
        await fleet.until(lambda: fleet.totals[Phase.POLLING] == 40)
        assert garage.states(seen.campaign_id) == {"pending": 40}


async def test_request_cancellation_shuts_the_gate_and_ends_the_campaign_as_aborted(
    campaigns: Campaigns, garage: Garage, environment: dict[str, str]
) -> None:
    vehicles = garage.build(40)
    launched = await launch(campaigns, definition(vehicles))
    seen = await until(campaigns, launched.workflow_id, substate("Active/RollingOut"))
    await temporal(environment, "workflow", "cancel", "--workflow-id", launched.workflow_id)
    handle = await campaigns.find(launched.workflow_id)
    with pytest.raises(WorkflowFailureError) as ended:
        await asyncio.wait_for(handle.result(), 30)
    assert isinstance(ended.value.cause, CancelledError)
    assert (await campaigns.status(launched.workflow_id)).stage == "Aborted"
    with garage.database() as connection:
        gate = connection.execute(
            "SELECT gate_open, state FROM campaign WHERE id = %s", [seen.campaign_id]
        ).fetchone()
    assert gate == (False, "Aborted")


async def test_no_acknowledged_report_is_lost_when_the_gateway_is_killed(
    campaigns: Campaigns, garage: Garage, gateway: Restartable
) -> None:
    vehicles = garage.build(60)
    async with garage.drive(vehicles, pace=4.0) as fleet:
        launched = await launch(campaigns, definition(vehicles))
        await fleet.until(lambda: fleet.totals[Phase.SUCCEEDED] > 5)
        gateway.kill()
        acknowledged = _acknowledged(vehicles, fleet)
        seen = await campaigns.status(launched.workflow_id)
        known = _outcomes(garage, seen.campaign_id)
        assert acknowledged
        assert acknowledged <= known
        gateway.start()
        done = await until(campaigns, launched.workflow_id, stage("Completed"), seconds=90)
    assert done.phases[0].succeeded == 60
    assert _flashed_once(fleet)


def _acknowledged(vehicles: Vehicles, fleet: Fleet) -> set[tuple[str, int]]:
    """VIN and campaign of every closing report that was answered with 200."""
    return {
        (vin, split(int(closing.action))[0])
        for vin in vehicles.vins
        if (closing := fleet.memories[vin].closing) is not None and closing.answer == 200
    }


def _outcomes(garage: Garage, campaign_id: int) -> set[tuple[str, int]]:
    with garage.database() as connection:
        rows = connection.execute(
            "SELECT v.vin, a.campaign_id FROM assignment a JOIN vehicle v ON v.id = a.vehicle_id "
            "WHERE a.campaign_id = %s AND a.state IN ('succeeded', 'failed')",
            [campaign_id],
        )
        return set(rows.fetchall())


def _flashed_once(fleet: Fleet) -> bool:
    """Whether no vehicle installed one update twice."""
    return all(times == 1 for memory in fleet.memories.values() for times in memory.flashes.values())


async def _until_lapsed(garage: Garage, campaign_id: int) -> None:
    await eventually(lambda: garage.lease_lapsed(campaign_id))


def _soon() -> str:
    return (datetime.now(UTC) + timedelta(seconds=5)).isoformat()


async def test_an_abort_that_asks_to_cancel_stops_downloads_and_no_installation(
    campaigns: Campaigns, garage: Garage
) -> None:
    vehicles = garage.build(30)
    async with garage.drive(vehicles, pace=0.2) as fleet:
        launched = await launch(campaigns, definition(vehicles, on_abort="cancel"))
        await fleet.until(lambda: fleet.totals[Phase.DOWNLOADING] > 10)
        ended = await campaigns.command(launched.workflow_id, "abort", "test", "")
        await fleet.until(lambda: not fleet.totals[Phase.DOWNLOADING], timeout_seconds=60)
        states = garage.states(ended.campaign_id)
    assert states["cancelled"] > 5
    assert states.keys() <= {"cancelled", "expired", "installing", "succeeded"}

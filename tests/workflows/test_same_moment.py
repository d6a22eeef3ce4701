"""An order and a finding that reach the workflow in one task: the order wins, and nothing is wedged."""

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.worker import Worker

from campaign.lifecycle import State
from tests.workflows.campaigns import Campaign, Stage

COMPLETED = EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED


async def finding_and_order(stage: Stage, campaign: Campaign, order: str) -> None:
    """Let the supervision find what the world holds, and send the order, before any workflow task runs."""
    client, queue = stage.environment.client, campaign.handle.id
    async with stage.without_worker(campaign):
        before = await campaign.count(COMPLETED)
        async with Worker(client, task_queue=queue, activities=campaign.world.activities):
            while await campaign.count(COMPLETED) == before:
                pass
        await campaign.signal(order)


@pytest.mark.parametrize(("order", "leads_to"), [("pause", "Paused"), ("abort", "Aborted")])
@pytest.mark.parametrize("found", ["breach", "processed"])
async def test_an_order_wins_over_a_finding_of_the_same_moment(
    found: str, order: str, leads_to: str, stage: Stage
) -> None:
    campaign = await stage.in_state(State.ROLLING_OUT)
    if found == "breach":
        campaign.world.fail(1, failed=1, of=10)
    else:
        campaign.world.report(1, succeeded=10)
    await finding_and_order(stage, campaign, order)
    shut = "shut_gate" if order == "pause" else "finish"
    await campaign.world.until_called(shut)
    assert await campaign.stage() == leads_to
    assert not campaign.world.gate_open

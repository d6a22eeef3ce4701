"""What an operator may send from the Temporal UI or CLI, however broken, to the system as it is run."""

import json

import pytest
from temporalio.api.common.v1 import Payload, Payloads, WorkflowExecution
from temporalio.api.workflowservice.v1 import SignalWorkflowExecutionRequest

from commands.client import Campaigns
from runtime.settings import load_settings
from runtime.temporal import connect
from tests.system.garage import Garage, definition, launch, stage, temporal, until

pytestmark = pytest.mark.timeout(120)

UNREADABLE = [
    Payload(metadata={"encoding": b"json/plain"}, data=b"{not json"),
    Payload(metadata={"encoding": b"json/plain"}, data=b'"\\ud800"'),
    Payload(metadata={"encoding": b"binary/encrypted"}, data=b"\x00\x01"),
    Payload(metadata={"encoding": b"json/plain"}, data=b'{"by": "ann", "reason": "a\\u0000b"}'),
]


async def test_a_pause_with_an_unreadable_reason_is_still_a_pause(
    campaigns: Campaigns, garage: Garage
) -> None:
    vehicles = garage.build(5)
    client = await connect(load_settings())
    launched = await launch(campaigns, definition(vehicles))
    for payload in UNREADABLE:
        await until(campaigns, launched.workflow_id, stage("Active"))
        await client.workflow_service.signal_workflow_execution(
            SignalWorkflowExecutionRequest(
                namespace=client.namespace,
                workflow_execution=WorkflowExecution(workflow_id=launched.workflow_id),
                signal_name="pause",
                input=Payloads(payloads=[payload]),
            )
        )
        paused = await until(
            campaigns, launched.workflow_id, lambda s: s.stage == "Paused" and s.exposure is not None
        )
        with garage.database() as connection:
            gate = connection.execute("SELECT gate_open FROM campaign WHERE id = %s", [paused.campaign_id])
            assert gate.fetchone() == (False,)
        await campaigns.command(launched.workflow_id, "resume", "test", "")
    await campaigns.command(launched.workflow_id, "abort", "test", "")


@pytest.mark.parametrize("text", [None, "5", '"text"', "[]", '{"name": "x"}', '{"name": "a\\u0000b"}'])
async def test_a_bad_definition_fails_its_workflow_at_once(
    text: str | None, campaigns: Campaigns, environment: dict[str, str]
) -> None:
    workflow_id = f"bad-{abs(hash(text))}"
    words = ["--workflow-id", workflow_id, "--type", "CampaignWorkflow", "--task-queue", "ringmaster"]
    await temporal(environment, "workflow", "start", *words, *([] if text is None else ["--input", text]))
    shown = ""
    while "EVENT_TYPE_WORKFLOW_EXECUTION_FAILED" not in shown:
        shown = await temporal(
            environment, "workflow", "show", "--workflow-id", workflow_id, "--follow", "--output", "json"
        )
    failure = json.loads(shown)["events"][-1]["workflowExecutionFailedEventAttributes"]["failure"]
    assert failure["applicationFailureInfo"]["type"] == "Refused"
    assert failure["message"].startswith("definition refused: ")

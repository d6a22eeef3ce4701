"""The workflow's own door: whatever is given as input, it starts a campaign or says clearly why not."""

from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import (
    WorkflowExecutionStatus,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateStage,
)
from temporalio.exceptions import ApplicationError

from campaign.lifecycle import State
from tests.workflows.campaigns import Stage, definition, soon
from tests.workflows.world import World

GOOD = definition()
_ACCEPTED = WorkflowUpdateStage.ACCEPTED

BAD_INPUTS: dict[str, tuple[list[Any], str]] = {
    "nothing": ([], "definition = NoneType: give one mapping"),
    "null": ([None], "definition = NoneType: give one mapping"),
    "a string": (["winter"], "definition = str: give one mapping"),
    "a list": ([[GOOD]], "definition = list: give one mapping"),
    "a number": ([5], "definition = int: give one mapping"),
    "bytes": ([b"\xff"], "definition = bytes: give one mapping"),
    "an empty mapping": ([{}], "name: is required and missing"),
    "an unknown key": ([GOOD | {"phasen": []}], "phasen = []: unknown key; did you mean 'phases'?"),
    "percent 120": (
        [GOOD | {"phases": [{"rollout_percent": 120}]}],
        "phases.0.rollout_percent = 120: Input should be less than or equal to 100",
    ),
    "a start in the past": (
        [GOOD | {"start_date": "2020-01-01T00:00Z"}],
        "start_date = 2020-01-01T00:00:00+00:00: lies in the past",
    ),
    "two arguments": ([GOOD, {"state": "RollingOut", "campaign_id": 9}], "input = 2 arguments: give one"),
    "a bogus second argument": ([GOOD, "x"], "input = 2 arguments: give one"),
    "an empty second argument": ([GOOD, {}], "input = 2 arguments: give one"),
    "three arguments": ([GOOD, None, 1], "input = 3 arguments: give one"),
    "four arguments": ([GOOD, GOOD, GOOD, GOOD], "input = 4 arguments: give one"),
}


@pytest.mark.parametrize(("given", "message"), BAD_INPUTS.values(), ids=BAD_INPUTS.keys())
async def test_a_bad_input_fails_the_workflow_once_and_clearly(
    stage: Stage, given: list[Any], message: str
) -> None:
    campaign = await stage.start(*given)
    failure = await campaign.failure()
    assert (failure.type, failure.non_retryable) == ("Refused", True)
    assert failure.message.startswith("definition refused: ")
    assert message in failure.message
    assert campaign.world.calls == []
    assert await campaign.count(EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED) == 0
    with pytest.raises(WorkflowQueryFailedError, match="the definition was refused"):
        await campaign.status()


async def test_a_definition_followed_by_null_is_a_definition(stage: Stage) -> None:
    campaign = await stage.start(definition(), None)
    await campaign.world.until(lambda: campaign.world.state is State.DRAFT)


async def test_every_problem_of_a_definition_is_named_at_once(stage: Stage) -> None:
    campaign = await stage.start({"name": "", "phases": [{"rollout_percent": 120}], "typ": "beta"})
    message = (await campaign.failure()).message
    for part in ("name", "package: is required and missing", "rollout_percent = 120", "typ = 'beta'"):
        assert part in message


async def test_a_refusal_by_fleet_or_packages_fails_the_workflow_with_the_reason(stage: Stage) -> None:
    why = "definition refused: package = 'Pkgg': unknown package; did you mean 'Pkg'?"
    campaign = await stage.start(definition(), world=World({1: 10}, refuse_registration=why))
    failure = await campaign.failure()
    assert (failure.message, failure.type, failure.non_retryable) == (why, "Refused", True)
    assert campaign.world.count("register") == 1
    assert campaign.world.count("finish") == 0
    assert (await campaign.status()).why == why


async def test_who_waits_at_the_door_is_told_of_the_refusal(stage: Stage) -> None:
    campaign = await stage.start(definition(), world=World({1: 10}, held={"register"}))
    await campaign.world.until_called("register")
    waiting = await soon(campaign.handle.start_update("registered", wait_for_stage=_ACCEPTED))
    campaign.world.refuse_registration = "definition refused: no"
    await campaign.world.release("register")
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await soon(waiting.result())
    assert isinstance(caught.value.cause, ApplicationError)
    assert (caught.value.cause.message, caught.value.cause.type) == ("definition refused: no", "Refused")
    assert (await campaign.failure()).message == "definition refused: no"


async def test_who_waits_at_the_door_is_told_of_the_passage(stage: Stage) -> None:
    campaign = await stage.start(definition(), world=World({1: 10}))
    status = dict(await soon(campaign.handle.execute_update("registered")))
    assert (status["state"], status["campaign_id"], status["package"]) == ("Draft", 7, "Pkg")


async def test_a_refusal_at_selection_ends_as_aborted_and_fails_with_the_reason(stage: Stage) -> None:
    why = "definition refused: phases.0 = ring 1: no vehicle is left for this phase"
    world = World({1: 10}, refuse_selection=why)
    campaign = await stage.start(definition(), world=world)
    await campaign.signal("approve")
    failure = await campaign.failure()
    assert (failure.message, failure.type, failure.non_retryable) == (why, "Refused", True)
    assert (world.state, world.count("select_targets"), world.count("finish")) == (State.ABORTED, 1, 1)
    status = await campaign.status()
    assert (status.state, status.why) == ("Aborted", why)
    assert why in world.texts()
    assert [notice.title for notice in world.notices] == ["Aborted: Winter"]
    assert (await soon(campaign.handle.describe())).status is WorkflowExecutionStatus.FAILED


async def test_a_database_that_is_away_delays_the_door_and_refuses_nobody(stage: Stage) -> None:
    world = World({1: 10}, broken={"register"})
    await stage.start(definition(), world=world)
    await world.until_called("register", 2)
    await world.release("register")
    await world.until(lambda: world.state is State.DRAFT)

"""Record the histories that `test_replay.py` replays: ``python -m tests.workflows.record_histories``.

Run it only when a change is *meant* to break replay, and say so in the commit: every campaign that is under
way at that moment breaks with it, unless the old way stays behind ``workflow.patched``. A change that should
leave running campaigns alone must pass with the histories as they are. New stories may be added at any time:
``python -m tests.workflows.record_histories NAME`` records only these.

The histories are those of the real workflow over the fake world, on a real server, unabridged.
"""

import asyncio
import json
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from temporalio.client import WorkflowFailureError, WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from campaign.breach import Exposed
from campaign.cohorts import Culprit
from campaign.lifecycle import State
from campaign.supervision import Mode
from runtime.embedded_temporal import temporal_program
from tests.workflows.campaigns import Campaign, Stage, definition
from tests.workflows.world import World
from workflows import search

FOLDER = Path(__file__).parent / "histories"

#: Low enough that a campaign of some phases is asked to continue as new.
LONG_HISTORY = ("--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=20")


async def healthy(stage: Stage) -> Campaign:
    """Two rings without a fault."""
    campaign = await stage.start(definition(2), world=World({1: 10, 2: 90}, checkpoints=2))
    await campaign.signal("approve", {"by": "ann", "reason": "release board"})
    return campaign


async def breach_and_resume(stage: Stage) -> Campaign:
    """A guard pauses, a person resumes."""
    campaign = await stage.in_state(
        State.ROLLING_OUT, World({1: 10}, under_way=Exposed(offered=2, installing=1))
    )
    await campaign.world.happens(campaign.world.fail, 1, failed=1, of=10)
    await campaign.world.until_watched(Mode.HOLDING)
    await campaign.signal("resume", "cause found")
    await campaign.world.until(lambda: campaign.world.gate_open)
    await campaign.world.happens(campaign.world.report, 1, succeeded=10)
    await campaign.world.until_watched(Mode.BAKING)
    await campaign.signal("promote")
    return campaign


async def breach_and_exclude(stage: Stage) -> Campaign:
    """A guard pauses, those under way tell who fails, and a person goes on without them."""
    campaign = await stage.in_state(State.ROLLING_OUT, World({1: 10}, left_out=3))
    await campaign.world.happens(campaign.world.fail, 1, failed=2, of=8)
    await campaign.world.until_watched(Mode.HOLDING)
    culprit = Culprit(cohort="hw_id=EVO15", failed=3, finished=3, of_failed=3, of_finished=8)
    before = len(campaign.world.calls)
    await campaign.world.happens(campaign.world.name, culprit)
    await campaign.world.until_watched(Mode.HOLDING, begun_after=before)
    campaign.world.culprit = None
    await campaign.update("exclude", {"cohort": "hw_id=EVO15", "by": "ann"})
    await campaign.world.until(lambda: campaign.world.gate_open)
    await campaign.world.happens(campaign.world.report, 1, succeeded=7, excluded=3)
    await campaign.world.until_watched(Mode.BAKING)
    await campaign.signal("promote")
    return campaign


async def held_and_promoted(stage: Stage) -> Campaign:
    """A ring that proves too little is followed by the next because a person says so."""
    campaign = await stage.waiting()
    await campaign.signal("promote", {"by": "ann", "reason": "all there are"})
    await campaign.world.until_awaiting_proof(2)
    await campaign.world.happens(campaign.world.prove)
    return campaign


async def warning(stage: Stage) -> Campaign:
    """A guard that only tells people does, while a phase rolls out and while it is paused."""
    campaign = await stage.in_state(State.ROLLING_OUT)
    await campaign.world.happens(campaign.world.warn, "not_ok")
    await campaign.world.until(lambda: len(campaign.world.notices) == 1)
    await campaign.command("pause")
    await campaign.world.happens(campaign.world.warn, "not_ok", "silence")
    await campaign.world.until(lambda: len(campaign.world.notices) == 2)
    await campaign.signal("resume")
    await campaign.world.until(lambda: campaign.world.gate_open)
    await campaign.world.happens(campaign.world.report, 1, succeeded=10)
    await campaign.world.until_watched(Mode.BAKING)
    await campaign.signal("promote")
    return campaign


async def withdrawn(stage: Stage) -> Campaign:
    """The package is withdrawn everywhere; a resume does not help."""
    campaign = await stage.in_state(State.BAKING)
    await campaign.world.happens(campaign.world.withdraw, "carol: boot loop")
    await campaign.world.until_watched(Mode.HOLDING)
    before = len(campaign.world.calls)
    await campaign.signal("resume")
    await campaign.world.until_watched(Mode.HOLDING, begun_after=before)
    await campaign.signal("abort")
    return campaign


async def bake_to_its_end(stage: Stage) -> Campaign:
    """Two rings whose waits end by their timers."""
    campaign = await stage.start(definition(2, "PT1S"), world=World({1: 10, 2: 10}))
    await campaign.signal("approve")
    return campaign


async def start_date(stage: Stage) -> Campaign:
    """Approved before its start date, which comes."""
    start = datetime.now(UTC) + timedelta(seconds=2)
    campaign = await stage.start(definition(start_date=start.isoformat()))
    await campaign.signal("approve")
    return campaign


async def approved_after_its_start(stage: Stage) -> Campaign:
    """Approved when its start date has passed."""
    start = datetime.now(UTC) + timedelta(seconds=1)
    campaign = await stage.start(definition(start_date=start.isoformat()))
    while datetime.now(UTC) <= start:
        await campaign.status()
    await campaign.signal("approve")
    return campaign


async def pause_in_bake_and_promote(stage: Stage) -> Campaign:
    """An operator pauses the wait, changes limits, resumes and ends it."""
    campaign = await stage.in_state(State.BAKING, phases=2)
    await campaign.command("pause", by="ann")
    await campaign.handle.execute_update("set_limits", {"in_flight": 5, "by": "ann"})
    await campaign.signal("paus")
    await campaign.world.until_called("write_journal")
    before = len(campaign.world.calls)
    await campaign.signal("resume")
    await campaign.world.until_watched(Mode.BAKING, begun_after=before)
    await campaign.signal("promote")
    await campaign.world.until_watched(Mode.BAKING, 2)
    await campaign.signal("promote")
    return campaign


async def abort(stage: Stage) -> Campaign:
    """Ended by an operator in the middle of a phase."""
    campaign = await stage.in_state(State.ROLLING_OUT)
    await campaign.signal("abort", {"by": "ann", "reason": "brakes"})
    return campaign


async def abort_while_queued(stage: Stage) -> Campaign:
    """Ended by an operator before its start date."""
    campaign = await stage.in_state(State.QUEUED)
    await campaign.command("abort", by="ann")
    return campaign


async def cancellation(stage: Stage) -> Campaign:
    """Ended by Request Cancellation in the UI."""
    campaign = await stage.in_state(State.BAKING)
    await campaign.handle.cancel()
    return campaign


async def refused_input(stage: Stage) -> Campaign:
    """Refused by the workflow's own door."""
    return await stage.start({"name": "Winter", "phases": [{"rollout_percent": 120}]})


async def refused_by_the_fleet(stage: Stage) -> Campaign:
    """Refused by the register activity."""
    return await stage.start(definition(), world=World({1: 10}, refuse_registration="definition refused"))


async def refused_selection(stage: Stage) -> Campaign:
    """Refused when the targets were to be frozen."""
    campaign = await stage.start(definition(), world=World({1: 10}, refuse_selection="definition refused"))
    await campaign.signal("approve")
    return campaign


async def continue_as_new(stage: Stage) -> Campaign:
    """Three rings, each in a run of its own."""
    campaign = await stage.start(definition(3), world=World({1: 10, 2: 10, 3: 10}))
    await campaign.signal("approve")
    return campaign


STORIES: tuple[Callable[[Stage], Awaitable[Campaign]], ...] = (
    healthy,
    breach_and_resume,
    breach_and_exclude,
    held_and_promoted,
    warning,
    withdrawn,
    bake_to_its_end,
    start_date,
    approved_after_its_start,
    pause_in_bake_and_promote,
    abort,
    abort_while_queued,
    cancellation,
    refused_input,
    refused_by_the_fleet,
    refused_selection,
    continue_as_new,
)


async def runs(campaign: Campaign) -> list[WorkflowHistory]:
    """The histories of all runs of a campaign, the first one first."""
    found = []
    run_id: str | None = campaign.handle.first_execution_run_id
    while run_id:
        handle = campaign.environment.client.get_workflow_handle(campaign.handle.id, run_id=run_id)
        found.append(await handle.fetch_history())
        last = found[-1].events[-1]
        run_id = last.workflow_execution_continued_as_new_event_attributes.new_execution_run_id
    return found


def anonymous(history: WorkflowHistory) -> str:
    """A history's JSON without this machine's name, and without where it keeps the project, which a stack
    trace holds."""
    text = json.dumps(json.loads(history.to_json()), separators=(",", ":"))
    text = text.replace(f"{os.getpid()}@{socket.gethostname()}", "recorder")
    return text.replace(f"{Path.cwd()}/", "")


async def record(names: list[str]) -> None:
    """Tell the stories and write down their histories."""
    known = [story.__name__ for story in STORIES]
    if unknown := sorted(set(names) - set(known)):
        raise SystemExit(f"no story is named {', '.join(unknown)}; known: {', '.join(known)}")
    FOLDER.mkdir(exist_ok=True)
    for story in STORIES:
        if names and story.__name__ not in names:
            continue
        long = LONG_HISTORY if story is continue_as_new else ()
        async with await WorkflowEnvironment.start_local(
            data_converter=pydantic_data_converter,
            dev_server_existing_path=str(temporal_program()),
            dev_server_log_level="error",
            dev_server_extra_args=list(long),
            search_attributes=[search.STATE, search.PHASE, search.TYPE, search.PRIORITY, search.FAILURE_RATE],
        ) as environment:
            stage = Stage(environment)
            campaign = await story(stage)
            try:
                await campaign.result()
            except WorkflowFailureError as error:
                print(f"{story.__name__}: {error.cause}")
            for number, history in enumerate(await runs(campaign), start=1):
                path = FOLDER / f"{story.__name__}.{number}.json"
                path.write_text(anonymous(history) + "\n")
                print(f"{path.name}: {len(history.events)} events")
            await stage.clear()


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1:]))
    sys.stdout.flush()
    # CPython 3.11 dies at its end with "PyGILState_Release" once Temporal's runtime has had threads.
    os._exit(0)

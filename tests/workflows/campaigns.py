"""Starting campaigns over a fake world, and asking what became of them."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from campaign.lifecycle import State
from campaign.supervision import Mode
from tests.workflows.world import World
from workflows.campaign import CampaignWorkflow
from workflows.status import Status

T = TypeVar("T")

RESULT_SECONDS = 20.0


async def soon(awaited: Awaitable[T]) -> T:
    """What is awaited, or a test that fails instead of hanging."""
    return await asyncio.wait_for(awaited, RESULT_SECONDS)


_UPDATES = (
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED,
)

#: More failures than two percent, and nothing else: a breach takes few vehicles, and so does a proof.
PLAIN = ({"metric": "failure_rate", "mode": "threshold", "limit": "0.02"},)


def definition(phases: int = 1, wait: str = "PT0S", **more: Any) -> dict[str, Any]:
    """A definition of so many rings under the plain rule, each followed by the same wait."""
    rings = [
        {"name": f"ring {number}", "rollout_percent": 100 * number // phases, "wait_time": wait}
        for number in range(1, phases + 1)
    ]
    return {"name": "Winter", "package": "Pkg", "guards": list(PLAIN), "phases": rings} | more


@dataclass
class Campaign:
    """A campaign that runs."""

    handle: WorkflowHandle[Any, Any]
    world: World
    environment: WorkflowEnvironment

    async def update(self, name: str, *args: Any) -> str:
        """Send an update; its answer."""
        return str(await soon(self.handle.execute_update(name, args=args)))

    async def refusal(self, update: str, *args: Any) -> str:
        """Why an update was refused; that it cost no event."""
        before = await self.count(*_UPDATES)
        refused = await self.denial(update, *args)
        assert await self.count(*_UPDATES) == before
        return refused

    async def denial(self, update: str, *args: Any) -> str:
        """Why an update failed, perhaps only when it was carried out."""
        with pytest.raises(WorkflowUpdateFailedError) as caught:
            await soon(self.handle.execute_update(update, args=args))
        assert isinstance(caught.value.cause, ApplicationError)
        return caught.value.cause.message

    async def signal(self, name: str, *args: Any) -> None:
        """Send a signal as the UI or the CLI does: by name, with whatever input."""
        await soon(self.handle.signal(name, args=args))

    async def status(self) -> Status:
        """Its status; with the certainty that all signals sent before were looked at."""
        return await soon(self.handle.query(CampaignWorkflow.status))

    async def stage(self) -> str:
        """Its state in words."""
        return (await self.status()).state

    async def command(self, action: str, **more: Any) -> Status:
        """Send the update ``command``."""
        request = {"action": action, **more}
        answer = self.handle.execute_update("command", request, result_type=Status)
        return cast("Status", await soon(answer))

    async def result(self) -> dict[str, int]:
        """What it ended with."""
        return dict(await soon(self.handle.result()))

    async def failure(self) -> ApplicationError:
        """Why it failed."""
        with pytest.raises(WorkflowFailureError) as caught:
            await self.result()
        cause = caught.value.cause
        assert isinstance(cause, ApplicationError), cause
        return cause

    async def skip(self, time: timedelta) -> None:
        """Let time pass, on the time-skipping server."""
        await soon(self.environment.fast_forward(self.handle, time))

    async def to_the_end(self) -> dict[str, int]:
        """Let time pass until it has ended; what it ended with."""
        await soon(self.environment.fast_forward(self.handle))
        return await self.result()

    async def now(self) -> datetime:
        """The campaign's own time."""
        return await soon(self.environment.get_current_time(self.handle))

    async def events(self) -> list[HistoryEvent]:
        """Its history so far."""
        return list((await soon(self.handle.fetch_history())).events)

    async def count(self, *kinds: "EventType.ValueType") -> int:
        """How many events of these kinds its history has."""
        return sum(event.event_type in kinds for event in await self.events())

    async def details(self) -> str:
        """The Markdown the UI shows."""
        return (await self.metadata()).current_details

    async def metadata(self) -> WorkflowMetadata:
        """What the UI knows of it: its details, and the messages it takes."""
        asked = self.handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
        return await soon(asked)

    async def attributes(self) -> dict[str, Any]:
        """Its search attributes by name."""
        description = await soon(self.handle.describe())
        return {pair.key.name: pair.value for pair in description.typed_search_attributes}


@asynccontextmanager
async def worker(client: Client, world: World, queue: str) -> AsyncIterator[None]:
    """A worker of the real workflow over a fake world."""
    async with Worker(client, task_queue=queue, workflows=[CampaignWorkflow], activities=world.activities):
        yield


class Stage:
    """Starts campaigns, each with a worker and a world of its own, and clears up after them."""

    def __init__(self, environment: WorkflowEnvironment) -> None:
        self.environment = environment
        self._workers: dict[str, AsyncExitStack] = {}
        self._started: list[Campaign] = []

    async def start(self, *given: Any, world: World | None = None, working: bool = True) -> Campaign:
        """Start a campaign; ``given`` is its input, as it comes."""
        name = f"campaign-{uuid.uuid4().hex}"
        # The virtual clock must not run away before the test has said what should happen.
        with self.environment.with_time_skipping_disabled():
            handle = await self.environment.client.start_workflow(
                "CampaignWorkflow", args=given, id=name, task_queue=name
            )
        campaign = Campaign(handle, world or World({1: 10}), self.environment)
        self._started.append(campaign)
        if working:
            await self.come_back(campaign)
        return campaign

    async def come_back(self, campaign: Campaign) -> None:
        """Start a worker for a campaign; it has forgotten everything."""
        stack = self._workers[campaign.handle.id] = AsyncExitStack()
        queue = campaign.handle.id
        await stack.enter_async_context(worker(self.environment.client, campaign.world, queue))

    async def go_away(self, campaign: Campaign) -> None:
        """Stop the worker of a campaign."""
        await self._workers.pop(campaign.handle.id).aclose()

    @asynccontextmanager
    async def without_worker(self, campaign: Campaign) -> AsyncIterator[None]:
        """What is sent meanwhile reaches the workflow at once, in one go."""
        await self.go_away(campaign)
        yield
        await self.come_back(campaign)

    async def in_state(
        self, state: State, world: World | None = None, *, phases: int = 1, **more: Any
    ) -> Campaign:
        """A campaign that stands in a state and stays there."""
        world = world or World(dict.fromkeys(range(1, phases + 1), 10))
        if state is State.SELECTING:
            world.held.add("select_targets")
        if state is State.QUEUED:
            more["start_date"] = (datetime.now(UTC) + timedelta(days=2)).isoformat()
        if state in (State.ROLLING_OUT, State.PAUSED):
            world.healthy = False
        campaign = await self.start(definition(phases, "PT24H", **more), world=world)
        await world.until(lambda: world.state is State.DRAFT)
        if state is State.DRAFT:
            return campaign
        await campaign.signal("approve")
        if state is State.SELECTING:
            await world.until_called("select_targets")
        elif state is State.QUEUED:
            await world.until(lambda: world.state is State.QUEUED)
        elif state is State.BAKING:
            await world.until_watched(Mode.BAKING)
        else:
            await world.until_watched(Mode.ROLLING_OUT)
        if state is State.PAUSED:
            await campaign.signal("pause")
            await world.until_watched(Mode.HOLDING)
        assert await campaign.stage() == str(state)
        return campaign

    async def waiting(
        self, world: World | None = None, *, phases: int = 2, wait: str = "PT0S", **more: Any
    ) -> Campaign:
        """A campaign whose first phase has proven too little to be followed by the next."""
        world = world or World(dict.fromkeys(range(1, phases + 1), 10))
        world.hold()
        campaign = await self.start(definition(phases, wait, **more), world=world)
        await campaign.signal("approve")
        await world.until_awaiting_proof()
        assert await campaign.stage() == str(State.BAKING)
        return campaign

    async def clear(self) -> None:
        """End what still runs."""
        for campaign in self._started:
            with suppress(RPCError):
                await campaign.handle.terminate()
        for stack in self._workers.values():
            await stack.aclose()


#: All states in which a campaign can stand and wait.
STANDING = tuple(state for state in State if not state.final)

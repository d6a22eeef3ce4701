"""Campaigns as an operator's program sees them: only through Temporal, never through the database."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.client import (
    Client,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateStage,
)
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, FailureError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from activities.supervision import WATCHING
from activities.targeting import WAITING
from campaign.definition import Definition
from campaign.glimpse import Glimpse
from campaign.lifecycle import State
from campaign.problems import Problem, Refused
from runtime.errors import Unreachable
from runtime.settings import Settings
from runtime.temporal import connect, ui_link
from workflows.campaign import CampaignWorkflow
from workflows.details import describe, summary
from workflows.status import Status, refreshed

#: A worker answers a query in milliseconds. One that died in the middle of a workflow task is given up by the
#: server after ten seconds, and another one after that.
PATIENCE = timedelta(seconds=15)

#: A definition is checked against the whole fleet before it is let in.
AT_THE_DOOR = timedelta(minutes=10)

#: The server's word for an update whose workflow ended before it could answer.
_ENDED_MEANWHILE = "AcceptedUpdateCompletedWorkflow"

T = TypeVar("T")


class NoAnswer(Unreachable):
    """The campaign exists, but no worker answers for it."""


@dataclass(frozen=True)
class Launched:
    """A campaign that passed the door, waiting for its approval."""

    workflow_id: str
    url: str
    status: Status


def workflow_id_of(name: str) -> str:
    """The workflow id our tools give to a campaign: ``campaign-winter-optimization``."""
    return "campaign-" + re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


class Campaigns:
    """The campaigns of one namespace."""

    def __init__(self, client: Client, settings: Settings) -> None:
        self._client = client
        self._settings = settings

    def url(self, workflow_id: str) -> str:
        """The page of a campaign in the Temporal UI."""
        return ui_link(self._settings, self._client.namespace, workflow_id)

    async def launch(self, document: dict[str, Any], definition: Definition) -> Launched:
        """Start a campaign and wait until it has passed the door.

        Raises:
            Refused: fleet or packages do not fit the definition, or its name is used.
            NoAnswer: it is started, but no worker takes it up.
        """
        workflow_id = workflow_id_of(definition.name)
        try:
            handle = await self._client.start_workflow(
                CampaignWorkflow.run,
                document,
                id=workflow_id,
                task_queue=self._settings.task_queue,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
                static_summary=summary(definition),
                static_details=describe(definition),
            )
        except WorkflowAlreadyStartedError:
            cure = "a campaign of this name exists; names are never used twice, choose another"
            raise Refused([Problem("name", repr(definition.name), cure)]) from None
        asked: Awaitable[Any] = handle.start_update(
            CampaignWorkflow.registered, wait_for_stage=WorkflowUpdateStage.ACCEPTED
        )
        accepted = await self._answer(asked, workflow_id, PATIENCE)
        status: Status = await self._answer(accepted.result(), workflow_id, AT_THE_DOOR)
        return Launched(workflow_id, self.url(workflow_id), status)

    async def find(self, name: str) -> WorkflowHandle[CampaignWorkflow, Any]:
        """The campaign with this workflow id or name.

        Raises:
            Refused: there is none.
        """
        for workflow_id in dict.fromkeys((name, workflow_id_of(name))):
            handle = self._client.get_workflow_handle_for(CampaignWorkflow.run, workflow_id)
            try:
                await handle.describe()
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise
                continue
            return handle
        raise Refused([Problem("campaign", repr(name), "there is none; `list` shows all")], "command")

    async def status(self, name: str) -> Status:
        """Where a campaign stands, with the counts of the tick under way."""
        handle = await self.find(name)
        asked = handle.query(CampaignWorkflow.status, rpc_timeout=PATIENCE)
        current = await self._answer(asked, handle.id, PATIENCE)
        description = await handle.describe()
        for pending in description.raw_description.pending_activities:
            word = await self._last_word(pending)
            if word is not None and word.type == WATCHING and word.details:
                current = refreshed(current, Glimpse.model_validate(word.details[0]))
            elif word is not None and word.type == WAITING:
                current = current.model_copy(update={"why": f"{current.why}: {word.message}"})
        if description.status is not WorkflowExecutionStatus.RUNNING and not _final(current):
            return _cut_off(current, description.status)
        return current

    async def command(self, name: str, action: str, by: str, reason: str) -> Status:
        """Approve, pause, resume, abort or promote, with an answer.

        Raises:
            Refused: it makes no sense in the present state; nothing was changed.
        """
        handle = await self.find(name)
        request = {"action": action, "by": by, "reason": reason}
        asked: Awaitable[Any] = handle.execute_update(CampaignWorkflow.command, request)
        answer: Status = await self._answer(asked, handle.id)
        return answer

    async def set_limits(self, name: str, request: dict[str, Any]) -> str:
        """Change limits while it runs; the sentence that was journaled."""
        handle = await self.find(name)
        asked: Awaitable[Any] = handle.execute_update(CampaignWorkflow.set_limits, request)
        answer: str = await self._answer(asked, handle.id)
        return answer

    async def exclude(self, name: str, cohort: str, by: str, reason: str) -> str:
        """Leave a cohort out, and go on if the campaign is paused; the sentence that was journaled.

        Raises:
            Refused: no vehicle of the campaign is in it, or it is no cohort; nothing was changed.
        """
        handle = await self.find(name)
        request = {"cohort": cohort, "by": by, "reason": reason}
        asked: Awaitable[Any] = handle.execute_update(CampaignWorkflow.exclude, request)
        answer: str = await self._answer(asked, handle.id)
        return answer

    async def listed(self) -> list[dict[str, Any]]:
        """All campaigns of the namespace, the newest first."""
        found = []
        async for item in self._client.list_workflows('WorkflowType = "CampaignWorkflow"'):
            known = {pair.key.name: pair.value for pair in item.typed_search_attributes}
            found.append(
                {
                    "campaign": item.id,
                    "state": known.get("CampaignState"),
                    "phase": known.get("CampaignPhase"),
                    "priority": known.get("CampaignPriority"),
                    "type": known.get("CampaignType"),
                    "failure_rate": known.get("CampaignFailureRate"),
                    "workflow": item.status.name if item.status else None,
                    "started": item.start_time,
                }
            )
        return found

    async def _last_word(self, pending: PendingActivityInfo) -> ApplicationError | None:
        """Why an activity is tried again; what a tick saw travels as detail of such an error."""
        if not pending.HasField("last_failure"):
            return None
        error = await self._client.data_converter.decode_failure(pending.last_failure)
        return error if isinstance(error, ApplicationError) else None

    async def _answer(
        self, asked: Awaitable[T], workflow_id: str, patience: timedelta = timedelta(seconds=30)
    ) -> T:
        try:
            async with asyncio.timeout(patience.total_seconds() + 1):
                return await asked
        except (WorkflowUpdateFailedError, WorkflowFailureError) as error:
            over = isinstance(error.cause, ApplicationError) and error.cause.type == _ENDED_MEANWHILE
            reason = await self._failure(workflow_id) if over else _reason(error)
            raise Refused([Problem(workflow_id, "", reason)], "command") from None
        except WorkflowQueryFailedError as error:
            raise Refused([Problem(workflow_id, "", str(error))], "command") from None
        except (RPCError, TimeoutError) as error:
            if isinstance(error, RPCError) and error.status is RPCStatusCode.NOT_FOUND:
                reason = await self._failure(workflow_id)
                raise Refused([Problem(workflow_id, "", reason)], "command") from None
            raise NoAnswer(
                f"{workflow_id} does not answer: no worker serves task queue "
                f"{self._settings.task_queue!r}; start one with `python worker.py`"
            ) from None

    async def _failure(self, workflow_id: str) -> str:
        """Why a closed workflow takes no more orders."""
        handle = self._client.get_workflow_handle(workflow_id)
        status = (await handle.describe()).status
        try:
            await asyncio.wait_for(handle.result(), PATIENCE.total_seconds())
        except WorkflowFailureError as error:
            return _reason(error)
        except TimeoutError:
            pass
        return f"it has ended ({status.name if status else 'unknown'})"


def _final(current: Status) -> bool:
    return current.stage in (State.COMPLETED.stage, State.ABORTED.stage)


def _cut_off(current: Status, ended: WorkflowExecutionStatus | None) -> Status:
    """The status of a campaign whose workflow was ended from outside, before its story was over."""
    word = (ended.name if ended else "unknown").capitalize()
    why = f"the workflow was ended from outside ({word}); unsupervised, the gate shuts when its lease ends"
    return current.model_copy(update={"stage": word, "state": word, "why": why, "next": ()})


def _reason(error: BaseException) -> str:
    """The innermost message of an error that came over the wire."""
    while isinstance(error, (WorkflowUpdateFailedError, WorkflowFailureError, FailureError)) and error.cause:
        error = error.cause
    return getattr(error, "message", None) or str(error)


@asynccontextmanager
async def campaigns(settings: Settings) -> AsyncIterator[Campaigns]:
    """The campaigns of the configured namespace.

    Raises:
        Unreachable: no server, no such namespace, or it refuses us.
    """
    yield Campaigns(await connect(settings), settings)

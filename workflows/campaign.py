"""A campaign as a workflow: the story of its states, told on Temporal's own means.

The rules are in campaign/; here is only who waits for what. Signals never raise and never await: they move
the state by the transition table, and the step that runs notices and ends. Each step leaves its state; the
loop enters the next one.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.delivery import Delivery
    from activities.messages import (
        Ending,
        Registration,
        Supervised,
    )
    from activities.refusing import REFUSED
    from activities.supervision import Supervision
    from activities.targeting import Targeting
    from campaign.cohorts import Culprit
    from campaign.conflicts import OnConflict
    from campaign.definition import Definition, OnAbort, parse
    from campaign.lifecycle import Event, State
    from campaign.problems import Problem, Refused
    from campaign.supervision import Finding, Mode
    from workflows import notices, options, search
    from workflows.orders import Order
    from workflows.status import WAITS
    from workflows.steps import Steps
    from workflows.story import Story


@workflow.defn(name="CampaignWorkflow")
class CampaignWorkflow(Steps):
    """One campaign. Input: the definition, word for word as in a definition file."""

    @workflow.init
    def __init__(self, definition: Any = None, carried: Any = None, *more: Any) -> None:
        # Signals may come before run begins: what they move must be the story that goes on.
        self._continued = workflow.info().continued_run_id is not None and carried is not None
        super().__init__(Story.model_validate(carried) if self._continued else Story())
        self._given = definition

    @workflow.run
    async def run(self, definition: Any = None, carried: Any = None, *more: Any) -> dict[str, int]:
        """Run the campaign to its end.

        Returns:
            How many vehicles ended in each state.
        """
        self._define([carried, *more])
        journal = asyncio.create_task(self._keep_journal())
        try:
            if not self._story.campaign_id:
                await self._register()
            await self._tell()
        except (asyncio.CancelledError, ActivityError) as error:
            if not is_cancelled_exception(error):
                raise
        cancelled = workflow.cancellation_reason() is not None
        if cancelled and not self._story.state.final:
            # "Request Cancellation" in the UI: the gate is shut before the workflow ends as Canceled.
            self._obey(Event.ABORT, Order(by="Temporal", reason="cancellation was requested"))
        ending = await _to_the_end(self._end())
        journal.cancel()
        if self._refused is not None:
            raise self._refused
        if cancelled:
            raise asyncio.CancelledError
        return ending.by_state

    def _define(self, more: list[Any]) -> None:
        try:
            if self._continued:
                self._definition = Definition.model_validate(self._given)
            elif any(argument is not None for argument in more):
                cure = "give one: the definition; it is the only input a person gives"
                raise Refused([Problem("input", f"{1 + len(more)} arguments", cure)])
            else:
                # The moment it was started, not the one in which a worker looks: replay sees another one.
                self._definition = parse(self._given, workflow.info().workflow_start_time)
        except Refused as error:
            raise ApplicationError(str(error), type=REFUSED, non_retryable=True) from None
        workflow.upsert_search_attributes(
            [
                search.TYPE.value_set(self.definition.type.value),
                search.PRIORITY.value_set(self.definition.priority.value),
            ]
        )

    async def _tell(self) -> None:
        steps = {
            State.DRAFT: self._await_approval,
            State.SELECTING: self._select,
            State.QUEUED: self._await_start,
            State.ROLLING_OUT: self._roll_out,
            State.BAKING: self._bake,
            State.PAUSED: self._hold,
        }
        while not self._ending:
            self._show()
            await steps[self._story.state]()

    async def _register(self) -> None:
        order = Registration(
            definition=self.definition.model_dump(mode="json", by_alias=True),
            workflow_id=workflow.info().workflow_id,
            first_run_id=workflow.info().first_execution_run_id,
        )
        try:
            found = await workflow.execute_activity_method(
                Targeting.register,
                order,
                summary="check the definition against fleet and packages",
                **options.TARGETING,
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            self._refused = self._refusal(error)
            self._story.why = self._refused.message
            return
        story = self._story
        story.campaign_id, story.package, story.modules = found.campaign_id, found.package, found.modules
        story.sizes = found.sizes
        total = sum(found.sizes.values())
        self._note(
            "Ringmaster", "registered", f"passed the door; {total} vehicles in {len(found.sizes)} phases"
        )

    async def _await_approval(self) -> None:
        moves = self._moves
        self._story.why = "waiting for approval"
        await self._write_state()
        await self._until_moved(moves)

    async def _select(self) -> None:
        moves = self._moves
        self._story.why = "selecting vehicles"
        if self.definition.conflicts is OnConflict.WAIT:
            self._story.why += ", as soon as no other campaign would leave them with other software"
        await self._write_state()
        selection = workflow.start_activity_method(
            Targeting.select_targets,
            self._story.campaign_id,
            summary="freeze targets and phases",
            **options.TARGETING,
        )
        await workflow.wait_condition(lambda: selection.done() or self._moves != moves)
        if self._moves != moves:
            selection.cancel()
        try:
            found = await selection
        except ActivityError as error:
            if self._moves != moves:
                return
            if is_cancelled_exception(error):
                raise
            self._refused = self._refusal(error)
            self._story.why = self._refused.message
            self._note("Ringmaster", "refused", self._refused.message)
            self._move(Event.REFUSED)
            return
        if self._moves != moves:
            return
        self._story.sizes = found.sizes
        total = sum(found.sizes.values())
        self._note("Ringmaster", "selected", f"{total} vehicles frozen: {_listed(found.sizes)}")
        self._move(Event.SELECTED)

    async def _await_start(self) -> None:
        moves, start = self._moves, self.definition.start
        if start is not None:
            # Also when it has passed: whether there is a timer must not hang on the clock.
            self._story.why = f"queued until {start:%Y-%m-%d %H:%M} UTC"
            await self._write_state()
            await self._until_moved(moves, start - workflow.now(), self._story.why)
        if self._moves == moves:
            self._move(Event.STARTED)

    async def _roll_out(self) -> None:
        story = self._story
        moves = self._moves
        await self._continue_as_new_when_long()
        if self._moves != moves:
            return
        story.why = ""
        story.breach, story.exposure, story.order = None, None, None
        if story.phase_began_at is None:
            story.phase_began_at = workflow.now()
            self._note("Ringmaster", "phase", f"phase {story.phase} ({self._phase_name}) rolls out")
        self._show()
        resumed, story.resumed = story.resumed, False
        overdue, story.overdue = story.overdue, False
        what = f"open the gate for {self._phase_name}"
        await self._write(Delivery.open_gate, what, new_window=resumed, new_deadline=overdue)
        found = await self._supervise(Mode.ROLLING_OUT, moves)
        if found is not None:
            self._judge(found)

    async def _bake(self) -> None:
        story, moves = self._story, self._moves
        wait = self.definition.phases[story.phase - 1].wait
        if wait:
            began = workflow.now()
            left = max(wait - story.baked, timedelta(seconds=1))
            story.why = f"baking {self._phase_name}: watched until {began + left:%Y-%m-%d %H:%M:%S} UTC"
            self._show()
            # It ends by its timer, not by the clock: what follows must be the same at every replay.
            found = await self._supervise(Mode.BAKING, moves, left)
            story.baked += workflow.now() - began
            if found is not None:
                return self._judge(found)
        if self._moves == moves:
            await self._prove(moves)
        return None

    async def _prove(self, moves: int) -> None:
        """End the phase when it is proven fit to be followed, or when a person says so."""
        story = self._story
        # The last tick may be an interval old, and a bake of no length had none.
        found = await self._supervise(Mode.PROVING, moves, at_once=True)
        if found is None and self._moves == moves and story.promote is None:
            self._wait_for_a_person()
            found = await self._supervise(Mode.PROVING, moves)
            if found is None and story.promote is not None:
                found = await self._supervise(Mode.PROVING, moves, at_once=True)
        if found is not None and found.finding is not Finding.PROVEN:
            self._judge(found)
        elif self._moves == moves:
            self._promote()

    def _wait_for_a_person(self) -> None:
        story = self._story
        known = story.seen.promotion if story.seen is not None else None
        sentence = known.sentence if known is not None else "nothing is known of its proof"
        story.why = f"{self._phase_name} {WAITS}: {sentence}"
        self._note("Ringmaster", "waiting", story.why)
        self._urgent_lines = True
        self._show()
        notice = notices.waiting(story, workflow.info().workflow_id)
        self._tell_people(f"Waiting for a person: {self.definition.name}", notice, urgent=True)

    async def _hold(self) -> None:
        story, moves = self._story, self._moves
        self._show()
        story.exposure = await self._write(Delivery.shut_gate, "shut the gate: paused")
        self._show()
        # Who has paused it knows, and who has answered it meanwhile does too.
        if self._moves == moves and (story.breach is not None or story.order is None):
            self._tell_people(f"Paused: {self.definition.name}", self._paused_notice(), urgent=True)
        while self._moves == moves:
            found = await self._supervise(Mode.HOLDING, moves)
            if found is None:
                return
            if found.finding is Finding.BREACH and found.seen.breach is not None:
                story.stop(found.seen.breach)
                story.why += f"; since then {found.seen.breach.sentence}"
                self._note("Ringmaster", "breach", f"while paused: {found.seen.breach.sentence}")
                self._urgent_lines = True
                title = f"Breach while paused: {self.definition.name}"
                self._tell_people(title, self._paused_notice(), urgent=True)
            elif found.finding is Finding.CULPRIT and found.seen.culprit is not None:
                self._name_culprit(found.seen.culprit)
            elif found.finding is Finding.SUPERSEDED:
                # Somebody else wrote the gate while it must be shut: take over and shut it again.
                story.seq = found.seen.gate_seq
                await self._write(Delivery.shut_gate, "shut the gate again: paused")

    def _name_culprit(self, culprit: Culprit) -> None:
        """Those who were under way at the stop have reported: now it can be said who fails."""
        story = self._story
        if story.breach is None:
            return
        if story.breach.culprit is not None:
            story.why = story.why.removesuffix(f"; {story.breach.culprit.sentence}")
        story.breach = story.breach.model_copy(update={"culprit": culprit})
        story.culprits += (culprit.cohort,)
        story.why += f"; {culprit.sentence}"
        self._note("Ringmaster", "culprit", culprit.sentence)
        self._urgent_lines = True
        title = f"Culprit found: {self.definition.name}"
        body = "\n".join([culprit.sentence, *notices.answers(story, workflow.info().workflow_id)])
        self._tell_people(title, body, urgent=True)

    def _paused_notice(self) -> str:
        return notices.paused(self._story, workflow.info().workflow_id)

    async def _end(self) -> Ending:
        story = self._story
        if story.state is State.COMPLETED:
            story.why = "all phases are done"
        self._show()
        if story.campaign_id and story.ending is None:
            cancel = story.state is State.ABORTED and self.definition.on_abort is OnAbort.CANCEL
            order = self._gate_order(cancel_started=cancel)
            story.ending = await workflow.execute_activity_method(
                Delivery.finish, order, summary=f"{story.state}: shut the gate for good", **options.ENDING
            )
            watch = self._watch(Mode.HOLDING, at_once=True)
            final = await workflow.execute_activity_method(
                Supervision.supervise, watch, summary="the final counts", **options.SUPERVISION
            )
            story.seen = final.seen
            self._show()
            counts = ", ".join(f"{count} {state}" for state, count in story.ending.by_state.items() if count)
            self._tell_people(f"{story.state}: {self.definition.name}", f"{story.why}\n{counts}")
        for notice in self._notices:
            try:
                await notice
            except ActivityError:
                workflow.logger.warning("notice was not sent")
        self._over = True
        await workflow.wait_condition(self._nothing_runs)
        return story.ending or Ending(by_state={})

    def _judge(self, found: Supervised) -> None:
        """Move by what the supervision found."""
        story, seen = self._story, found.seen
        if found.finding is Finding.PROCESSED:
            verdict = seen.phase(story.phase).verdict
            self._note("Ringmaster", "processed", f"phase {story.phase}: {verdict.sentence}")
            self._move(Event.PROCESSED)
            return
        if found.finding is Finding.BREACH and seen.breach is not None:
            story.stop(seen.breach)
            story.why = f"paused by a guard{self._again()}: {seen.breach.sentence}"
        elif found.finding is Finding.WITHDRAWN:
            story.why = f"paused: the package was withdrawn everywhere by {seen.withdrawn}"
        elif found.finding is Finding.NOTHING_KNOWN:
            story.overdue = True
            story.why = f"paused: no vehicle of {self._phase_name} has reported an outcome by its deadline"
        elif found.finding is Finding.SUPERSEDED:
            story.seq = seen.gate_seq
            story.why = "paused: another run of this campaign has written the gate; resume to take over"
        else:
            story.why = "paused: the gate was shut from outside this workflow"
        story.promote = None
        self._note("Ringmaster", "breach", story.why)
        self._move(Event.BREACH)

    def _again(self) -> str:
        """Says so when it is not the first stop of this campaign."""
        story = self._story
        if story.breaches < 2:
            return ""
        after = f", after the resume by {story.last_resume}" if story.last_resume else ""
        window = story.seen.window if story.seen else 1
        return f" (stop number {story.breaches}, in evidence window {window}{after})"

    def _promote(self) -> None:
        story = self._story
        if story.promote is None:
            why = story.seen.promotion.sentence if story.seen and story.seen.promotion else ""
            self._note("Ringmaster", "promote", f"phase {story.phase} has ended: {why}")
        story.promote, story.baked, story.phase_began_at = None, timedelta(0), None
        if story.phase == len(self.definition.phases):
            self._move(Event.FINISHED)
        else:
            story.phase += 1
            self._move(Event.PROMOTE)

    async def _continue_as_new_when_long(self) -> None:
        """Start a fresh history at the beginning of a phase, when Temporal suggests it and nothing runs.

        An order that comes while handlers finish goes first; the next phase brings the next occasion.
        """
        if not workflow.info().is_continue_as_new_suggested() or self._story.phase_began_at is not None:
            return
        if not all(notice.done() for notice in self._notices):
            return
        moves = self._moves
        await workflow.wait_condition(lambda: self._nothing_runs() or self._moves != moves)
        if self._moves != moves:
            return
        definition = self.definition.model_dump(mode="json", by_alias=True)
        workflow.continue_as_new(args=[definition, self._story.model_dump(mode="json")])

    def _refusal(self, error: ActivityError) -> ApplicationError:
        cause = error.cause
        if isinstance(cause, ApplicationError) and cause.type == REFUSED:
            return ApplicationError(cause.message, type=REFUSED, non_retryable=True)
        return ApplicationError(f"scheduling failed: {cause}", type="SchedulingFailed", non_retryable=True)

    @property
    def _ending(self) -> bool:
        """Whether there is nothing left to wait for but the end."""
        refused = self._refused is not None
        return refused or self._story.state.final or workflow.cancellation_reason() is not None


async def _to_the_end(ending: Coroutine[Any, Any, Ending]) -> Ending:
    """Await an ending that a cancellation, coming at last, does not interrupt: it shuts the gate."""
    task = asyncio.create_task(ending)
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.shield(task)
    return task.result()


def _listed(sizes: dict[int, int]) -> str:
    return ", ".join(f"phase {number}: {size}" for number, size in sorted(sizes.items()))

"""A campaign as a workflow: the story of its states, told on Temporal's own means.

The rules are in campaign/; here is only who waits for what. Signals never raise and never await: they move
the state by the transition table, and the step that runs notices and ends. Each step leaves its state; the
loop enters the next one.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception
from temporalio.workflow import ActivityHandle

with workflow.unsafe.imports_passed_through():
    from activities.delivery import Delivery
    from activities.messages import (
        Ending,
        GateOrder,
        JournalEntry,
        LimitsChange,
        Notice,
        Registration,
        Supervised,
    )
    from activities.notification import Notification
    from activities.supervision import Supervision
    from activities.targeting import REFUSED, Targeting
    from campaign.definition import Definition, parse
    from campaign.lifecycle import Event, State, after, possible, why_not
    from campaign.pace import checkpoint_after
    from campaign.problems import Problem, Refused
    from campaign.supervision import Finding, Mode, Watch
    from workflows import options, search
    from workflows.changes import read_limits_order
    from workflows.orders import Order, read_order
    from workflows.status import Status, details, status
    from workflows.story import Story


@workflow.defn(name="CampaignWorkflow")
class CampaignWorkflow:
    """One campaign. Input: the definition, word for word as in a definition file."""

    @workflow.init
    def __init__(self, definition: Any = None, carried: Any = None, *more: Any) -> None:
        # Signals may come before run begins: what they move must be the story that goes on.
        self._continued = workflow.info().continued_run_id is not None and carried is not None
        self._story = Story.model_validate(carried) if self._continued else Story()
        self._given = definition
        self._definition: Definition | None = None
        self._refused: ApplicationError | None = None
        self._over = False
        self._moves = 0
        self._notices: list[ActivityHandle[None]] = []
        self._urgent_lines = False
        self._writing_lines = False

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

    # --- the story ------------------------------------------------------------

    def _define(self, more: list[Any]) -> None:
        try:
            if self._continued:
                self._definition = Definition.model_validate(self._given)
            elif any(argument is not None for argument in more):
                cure = "give one: the definition; it is the only input a person gives"
                raise Refused([Problem("input", f"{1 + len(more)} arguments", cure)])
            else:
                self._definition = parse(self._given, workflow.now())
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
        self._story.why = "selecting vehicles"
        await self._write_state()
        try:
            found = await workflow.execute_activity_method(
                Targeting.select_targets,
                self._story.campaign_id,
                summary="freeze targets and phases",
                **options.TARGETING,
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            if self._story.state is State.SELECTING:
                self._refused = self._refusal(error)
                self._story.why = self._refused.message
                self._note("Ringmaster", "refused", self._refused.message)
                self._move(Event.REFUSED)
            return
        if self._story.state is not State.SELECTING:
            return
        self._story.sizes = found.sizes
        total = sum(found.sizes.values())
        self._note("Ringmaster", "selected", f"{total} vehicles frozen: {_listed(found.sizes)}")
        self._move(Event.SELECTED)

    async def _await_start(self) -> None:
        moves, start = self._moves, self.definition.start
        wait = start - workflow.now() if start else timedelta(0)
        if start and wait > timedelta(0):
            self._story.why = f"queued until {start:%Y-%m-%d %H:%M} UTC"
            await self._write_state()
            await self._until_moved(moves, start - workflow.now(), self._story.why)
        if self._moves == moves:
            self._move(Event.STARTED)

    async def _roll_out(self) -> None:
        story = self._story
        await self._continue_as_new_when_long()
        moves = self._moves
        story.why = ""
        story.breach, story.exposure, story.order = None, None, None
        if story.phase_began_at is None:
            story.phase_began_at = workflow.now()
            self._note("Ringmaster", "phase", f"phase {story.phase} ({self._phase_name}) rolls out")
        self._show()
        resumed, story.resumed = story.resumed, False
        await self._write(Delivery.open_gate, f"open the gate for {self._phase_name}", new_window=resumed)
        found = await self._supervise(Mode.ROLLING_OUT, moves)
        if found is not None:
            self._judge(found)

    async def _bake(self) -> None:
        story, moves = self._story, self._moves
        wait = self.definition.phases[story.phase - 1].wait
        while self._moves == moves and story.promote is None and story.baked < wait:
            began = workflow.now()
            left = wait - story.baked
            story.why = f"baking {self._phase_name}: watched until {began + left:%Y-%m-%d %H:%M:%S} UTC"
            self._show()
            found = await self._supervise(Mode.BAKING, moves, left)
            story.baked += workflow.now() - began
            if found is not None:
                return self._judge(found)
        if self._moves != moves:
            return None
        # The last tick may be an interval old, and a bake of no length had none.
        found = await self._supervise(Mode.BAKING, moves, at_once=True)
        if found is not None:
            return self._judge(found)
        if self._moves == moves:
            self._promote()
        return None

    async def _hold(self) -> None:
        story, moves = self._story, self._moves
        self._show()
        story.exposure = await self._write(Delivery.shut_gate, "shut the gate: paused")
        self._show()
        if story.breach is not None or story.order is None:
            self._tell_people(f"Paused: {self.definition.name}", self._pause_notice(), urgent=True)
        while self._moves == moves:
            found = await self._supervise(Mode.HOLDING, moves)
            if found is None:
                return
            if found.finding is Finding.BREACH and found.seen.breach is not None:
                story.breach = found.seen.breach
                story.breaches += 1
                story.why += f"; since then {story.breach.sentence}"
                self._note("Ringmaster", "breach", f"while paused: {story.breach.sentence}")
                self._urgent_lines = True
                self._tell_people(f"Breach while paused: {self.definition.name}", self._pause_notice())
            elif found.finding is Finding.SUPERSEDED:
                story.seq = found.seen.gate_seq

    async def _end(self) -> Ending:
        story = self._story
        if story.state is State.COMPLETED:
            story.why = "all phases are done"
        self._show()
        if story.campaign_id and story.ending is None:
            order = self._gate_order(cancel_started=False)
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

    # --- what a step is made of -----------------------------------------------

    async def _supervise(
        self, mode: Mode, moves: int, longest: timedelta | None = None, *, at_once: bool = False
    ) -> Supervised | None:
        """Watch until something is found that ends the step.

        Returns:
            The finding; None when the state moved, ``longest`` has passed or the bake was promoted.
        """
        ends = workflow.now() + longest if longest is not None else None
        while self._moves == moves and workflow.cancellation_reason() is None:
            watch = self._watch(mode, at_once=at_once)
            handle = workflow.start_activity_method(
                Supervision.supervise, watch, summary=f"{mode}: {self._phase_name}", **options.SUPERVISION
            )
            try:
                await workflow.wait_condition(
                    lambda handle=handle: (  # type: ignore[misc]
                        handle.done()
                        or self._moves != moves
                        or (mode is Mode.BAKING and self._promoted(at_once))
                    ),
                    timeout=ends - workflow.now() if ends else None,
                    timeout_summary=f"wait after {self._phase_name}",
                )
            except TimeoutError:
                pass
            except asyncio.CancelledError:
                handle.cancel()
                raise
            found = await _result(handle)
            if found is None:
                return None
            self._story.seen = found.seen
            self._show()
            if found.finding is not Finding.CHECKPOINT:
                return found
            if at_once:
                return None
        return None

    def _promoted(self, at_once: bool) -> bool:
        return self._story.promote is not None and not at_once

    def _watch(self, mode: Mode, *, at_once: bool = False) -> Watch:
        story = self._story
        phase = self.definition.phases[story.phase - 1]
        now = workflow.now()
        age = now - (story.phase_began_at or now)
        return Watch(
            campaign_id=story.campaign_id,
            seq=story.seq,
            phase=story.phase,
            mode=mode,
            checkpoint_at=_LONG_AGO if at_once else now + checkpoint_after(age),
            quorum_percent=phase.quorum_percent,
            deadline=phase.deadline,
            breach_known=story.breach is not None or story.state.final,
        )

    def _judge(self, found: Supervised) -> None:
        """Move by what the supervision found."""
        story, seen = self._story, found.seen
        if found.finding is Finding.PROCESSED:
            verdict = seen.phase(story.phase).verdict
            self._note("Ringmaster", "processed", f"phase {story.phase}: {verdict.sentence}")
            self._move(Event.PROCESSED)
            return
        if found.finding is Finding.BREACH and seen.breach is not None:
            story.breach = seen.breach
            story.breaches += 1
            again = f" (breach number {story.breaches})" if story.breaches > 1 else ""
            story.why = f"paused by a guard{again}: {seen.breach.sentence}"
        elif found.finding is Finding.NOTHING_KNOWN:
            story.why = f"paused: no vehicle of {self._phase_name} has reported an outcome by its deadline"
        elif found.finding is Finding.SUPERSEDED:
            story.seq = seen.gate_seq
            story.why = "paused: another run of this campaign has written the gate; resume to take over"
        else:
            story.why = "paused: the gate was shut from outside this workflow"
        self._note("Ringmaster", "breach", story.why)
        self._move(Event.BREACH)

    def _promote(self) -> None:
        story = self._story
        if story.promote is None:
            self._note("Ringmaster", "promote", f"phase {story.phase} has been watched for its full wait")
        story.promote, story.baked, story.phase_began_at = None, timedelta(0), None
        if story.phase == len(self.definition.phases):
            self._move(Event.FINISHED)
        else:
            story.phase += 1
            self._move(Event.PROMOTE)

    def _move(self, event: Event) -> None:
        self._story.state = after(self._story.state, event)
        self._moves += 1

    async def _until_moved(
        self, moves: int, timeout: timedelta | None = None, summary: str | None = None
    ) -> None:
        """Wait until an order has moved the state since ``moves``, or the time is over."""
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._moves != moves, timeout=timeout, timeout_summary=summary
            )

    def _gate_order(self, **more: Any) -> GateOrder:
        story = self._story
        story.seq += 1
        return GateOrder(
            campaign_id=story.campaign_id, seq=story.seq, state=story.state, lines=story.take_lines(), **more
        )

    async def _write(self, write: Any, what: str, **more: Any) -> Any:
        order = self._gate_order(**more)
        try:
            return await workflow.execute_activity_method(write, order, summary=what, **options.GATE)
        except (asyncio.CancelledError, ActivityError):
            # Nobody knows whether they were written; a second time does no harm.
            self._story.unwritten = [*order.lines, *self._story.unwritten]
            raise

    async def _write_state(self) -> None:
        self._show()
        await self._write(Delivery.show_state, f"record {self._story.state}")

    async def _keep_journal(self) -> None:
        """Write lines that no gate write will carry soon, such as why a signal changed nothing."""
        while True:
            await workflow.wait_condition(lambda: self._lines_wait)
            self._urgent_lines, self._writing_lines = False, True
            self._show()
            entry = JournalEntry(campaign_id=self._story.campaign_id, lines=self._story.take_lines())
            await workflow.execute_activity_method(
                Delivery.write_journal, entry, summary="write the journal", **options.GATE
            )
            self._writing_lines = False

    @property
    def _lines_wait(self) -> bool:
        return self._urgent_lines and self._story.campaign_id != 0

    def _nothing_runs(self) -> bool:
        return workflow.all_handlers_finished() and not self._writing_lines and not self._lines_wait

    def _tell_people(self, title: str, body: str, *, urgent: bool = False) -> None:
        """Start a notice; nothing waits for it."""
        notice = Notice(title=title, body=body, urgent=urgent)
        self._notices.append(
            workflow.start_activity_method(
                Notification.notify, notice, summary=f"notify: {title}", **options.NOTIFICATION
            )
        )

    def _pause_notice(self) -> str:
        story = self._story
        exposure = story.exposure
        exposed = f"{exposure.withdrawn} offers withdrawn, {exposure.started} had started" if exposure else ""
        command = f"temporal workflow signal --workflow-id {workflow.info().workflow_id} --name"
        return "\n".join(
            [story.why, exposed, f"go on: {command} resume", f"end it: {command} abort"],
        )

    async def _continue_as_new_when_long(self) -> None:
        """Start a fresh history at the beginning of a phase, when Temporal suggests it and nothing runs."""
        if not workflow.info().is_continue_as_new_suggested() or self._story.phase_began_at is not None:
            return
        if not all(notice.done() for notice in self._notices):
            return
        await workflow.wait_condition(self._nothing_runs)
        definition = self.definition.model_dump(mode="json", by_alias=True)
        workflow.continue_as_new(args=[definition, self._story.model_dump(mode="json")])

    def _note(self, actor: str, event: str, text: str) -> None:
        self._story.note(workflow.now(), actor, event, text)
        workflow.logger.info("campaign", extra={"campaign_event": event, "actor": actor, "text": text})

    def _refusal(self, error: ActivityError) -> ApplicationError:
        cause = error.cause
        if isinstance(cause, ApplicationError) and cause.type == REFUSED:
            return ApplicationError(cause.message, type=REFUSED, non_retryable=True)
        return ApplicationError(f"scheduling failed: {cause}", type="SchedulingFailed", non_retryable=True)

    def _show(self) -> None:
        """Bring the console up to date; the attributes cost an event, so only when one changed."""
        current = status(self.definition, self._story)
        workflow.set_current_details(details(current))
        attempts = sum(phase.succeeded + phase.failed for phase in current.phases)
        failed = sum(phase.failed for phase in current.phases)
        wanted = {search.STATE: current.stage, search.PHASE: self._phase_name}
        if attempts:
            wanted[search.FAILURE_RATE] = round(failed / attempts, 4)  # type: ignore[index,assignment]
        known = workflow.info().typed_search_attributes
        changed = [key.value_set(value) for key, value in wanted.items() if known.get(key) != value]
        if changed:
            workflow.upsert_search_attributes(changed)

    @property
    def _ending(self) -> bool:
        """Whether there is nothing left to wait for but the end."""
        refused = self._refused is not None
        return refused or self._story.state.final or workflow.cancellation_reason() is not None

    @property
    def definition(self) -> Definition:
        """The definition; only a run that has passed ``_define`` has one."""
        if self._definition is None:
            raise ApplicationError("the definition was refused", type=REFUSED, non_retryable=True)
        return self._definition

    @property
    def _phase_name(self) -> str:
        return str(self.definition.phases[self._story.phase - 1].name)

    # --- what operators say ---------------------------------------------------

    def _obey(self, event: Event, order: Order) -> None:
        """Move by an order, or note why it changes nothing."""
        story = self._story
        if not possible(story.state, event):
            self._note(order.by, "ignored", why_not(story.state, event))
            self._urgent_lines = True
            return
        self._note(order.by, event.value, f"{event} by {order}")
        if event is Event.PROMOTE:
            story.promote = order
            return
        if event in (Event.PAUSE, Event.ABORT):
            story.why = f"{'paused' if event is Event.PAUSE else 'aborted'} by {order}"
            story.order, story.exposure = order, None
        if event is Event.RESUME:
            story.resumed = True
        self._move(event)

    @workflow.signal(description="Approve the draft. Input: nothing, a reason, or {by, reason}")
    def approve(self, *given: Any) -> None:
        self._obey(Event.APPROVE, read_order(*given))

    @workflow.signal(description="Stop admitting vehicles. Input: nothing, a reason, or {by, reason}")
    def pause(self, *given: Any) -> None:
        self._obey(Event.PAUSE, read_order(*given))

    @workflow.signal(description="Go on, in a new evidence window. Input: nothing, a reason, or {by, reason}")
    def resume(self, *given: Any) -> None:
        self._obey(Event.RESUME, read_order(*given))

    @workflow.signal(description="End the campaign for good. Input: nothing, a reason, or {by, reason}")
    def abort(self, *given: Any) -> None:
        self._obey(Event.ABORT, read_order(*given))

    @workflow.signal(description="End the wait of this phase now. Input: nothing, a reason, or {by, reason}")
    def promote(self, *given: Any) -> None:
        self._obey(Event.PROMOTE, read_order(*given))

    @workflow.signal(dynamic=True)
    def other(self, name: str, args: Sequence[RawValue]) -> None:
        known = "approve, pause, resume, abort, promote"
        self._note("operator", "ignored", f"unknown signal {name!r} ignored; known: {known}")
        self._urgent_lines = True

    @workflow.query(name="status", description="Where it stands, why it stands still, and what to do")
    def status(self) -> Status:
        if self._definition is None:
            raise ApplicationError("the definition was refused; see the failure of the workflow")
        return status(self._definition, self._story)

    @workflow.update(description="Like the signals, with an answer. Input: {action, by, reason}")
    async def command(self, request: Any = None) -> Status:
        event, order = _read_command(request)
        self._obey(event, order)
        moves, story = self._moves, self._story
        # "Paused" and "aborted" are said when the gate is shut, not before.
        if event is Event.PAUSE:
            await workflow.wait_condition(
                lambda: self._moves != moves or story.exposure is not None or self._over
            )
        if event is Event.ABORT:
            await workflow.wait_condition(lambda: story.ending is not None or self._over)
        return status(self.definition, story)

    @command.validator
    def _check_command(self, request: Any = None) -> None:
        event, _ = _read_command(request)
        if not possible(self._story.state, event):
            raise ValueError(why_not(self._story.state, event))

    @workflow.update(description="New limits from this phase on. Input: {in_flight, failure_limit, by, …}")
    async def set_limits(self, request: Any = None) -> str:
        order = read_limits_order(request)
        self._note(order.by, "limits", order.sentence())
        change = LimitsChange(
            campaign_id=self._story.campaign_id,
            from_phase=self._story.phase,
            in_flight=order.in_flight,
            per_minute=order.per_minute,
            failure_limit=order.failure_limit,
            lines=self._story.take_lines(),
        )
        await workflow.execute_activity_method(
            Delivery.change_limits, change, summary="change the limits", **options.GATE
        )
        return order.sentence()

    @set_limits.validator
    def _check_limits(self, request: Any = None) -> None:
        read_limits_order(request)
        if not self._story.campaign_id or self._story.state.final:
            raise ValueError(f"limits cannot change: the campaign is {self._story.state}")

    @workflow.update(description="Wait until the definition has passed the door, or is refused")
    async def registered(self) -> Status:
        await workflow.wait_condition(lambda: self._story.campaign_id != 0 or self._over)
        if self._refused is not None:
            raise self._refused
        return status(self.definition, self._story)


_LONG_AGO = datetime.fromisoformat("2000-01-01T00:00:00+00:00")

_COMMANDS = (Event.APPROVE, Event.PAUSE, Event.RESUME, Event.ABORT, Event.PROMOTE)


def _read_command(request: Any) -> tuple[Event, Order]:
    """The event and order in a command.

    Raises:
        ValueError: no known action is named.
    """
    action = request.get("action") if isinstance(request, dict) else request
    for event in _COMMANDS:
        if action == event.value:
            return event, read_order(request if isinstance(request, dict) else None)
    raise ValueError(f"action = {action!r}: give one of {', '.join(_COMMANDS)}")


async def _to_the_end(ending: Coroutine[Any, Any, Ending]) -> Ending:
    """Await an ending that a cancellation, coming at last, does not interrupt: it shuts the gate."""
    task = asyncio.create_task(ending)
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.shield(task)
    return task.result()


async def _result(handle: ActivityHandle[Supervised]) -> Supervised | None:
    """The supervision's result; None when it was still watching and has been cancelled."""
    if not handle.done():
        handle.cancel()
    try:
        return await handle
    except ActivityError as error:
        if is_cancelled_exception(error):
            return None
        raise


def _listed(sizes: dict[int, int]) -> str:
    return ", ".join(f"phase {number}: {size}" for number, size in sorted(sizes.items()))

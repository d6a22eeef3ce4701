"""What a campaign shows and what it is told: details and search attributes, signals, queries and updates.

Signals never raise and never await. They move the state by the transition table and count the move; the step
of the story that runs notices and ends.
"""

from collections.abc import Sequence
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.delivery import Delivery
    from activities.messages import Exclusion, LimitsChange
    from activities.refusing import REFUSED
    from campaign.definition import Definition
    from campaign.lifecycle import Event, State, after, possible, why_not
    from workflows import options, search
    from workflows.changes import read_exclusion, read_limits_order
    from workflows.details import details
    from workflows.orders import Order, read_order
    from workflows.status import Status, status
    from workflows.story import Story


class Console:
    """The operator's side of a campaign's workflow."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self._definition: Definition | None = None
        self._refused: ApplicationError | None = None
        self._over = False
        self._moves = 0
        self._looks = 0
        self._urgent_lines = False

    @property
    def definition(self) -> Definition:
        """The definition; only a run that has passed ``_define`` has one."""
        if self._definition is None:
            raise ApplicationError("the definition was refused", type=REFUSED, non_retryable=True)
        return self._definition

    @property
    def _phase_name(self) -> str:
        return str(self.definition.phases[self._story.phase - 1].name)

    def _move(self, event: Event) -> None:
        self._story.state = after(self._story.state, event)
        self._moves += 1

    def _note(self, actor: str, event: str, text: str) -> None:
        self._story.note(workflow.info().run_id, workflow.now(), actor, event, text)
        workflow.logger.info("campaign", extra={"campaign_event": event, "actor": actor, "text": text})

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
            story.order, story.exposure, story.promote = order, None, None
        else:
            story.why = ""
        if event is Event.RESUME:
            story.resumed, story.last_resume, story.warned = True, order, ()
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

    @workflow.signal(description="Tick now; a worker sends it when a gate was shut. Input: nothing")
    def look(self, *given: Any) -> None:
        self._looks += 1

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

    @workflow.update(description="New limits from this phase on. Input: {in_flight, guards, by, reason, …}")
    async def set_limits(self, request: Any = None) -> str:
        order = read_limits_order(request)
        phase = self._story.phase
        change = LimitsChange(
            campaign_id=self._story.campaign_id,
            from_phase=phase,
            limits=order.limits(),
            guards=order.guard_limits(self.definition.guards_of(phase)),
        )
        await self._carry_out(Delivery.change_limits, change, "change the limits")
        self._note(order.by, "limits", order.sentence())
        self._urgent_lines = True
        return order.sentence()

    @set_limits.validator
    def _check_limits(self, request: Any = None) -> None:
        read_limits_order(request)
        if not self._story.campaign_id or self._story.state.final:
            raise ValueError(f"limits cannot change: the campaign is {self._story.state}")

    @workflow.update(description="Leave a cohort out; go on, if paused. Input: {cohort, by, reason}")
    async def exclude(self, request: Any = None) -> str:
        cohort, order = read_exclusion(request)
        moves = self._moves
        exclusion = Exclusion(campaign_id=self._story.campaign_id, cohort=str(cohort))
        found = await self._carry_out(Delivery.exclude_cohort, exclusion, f"leave {cohort} out")
        text = f"{cohort} is left out by {order}: {found.vehicles} vehicles that had not begun"
        self._note(order.by, "exclude", text)
        self._urgent_lines = True
        # A pause that came meanwhile is another one: this order did not know of it.
        if self._story.state is State.PAUSED and self._moves == moves:
            self._obey(Event.RESUME, order)
            text += "; the campaign goes on"
        return text

    @exclude.validator
    def _check_exclusion(self, request: Any = None) -> None:
        read_exclusion(request)
        state = self._story.state
        if state.final or state in (State.DRAFT, State.SELECTING):
            raise ValueError(
                f"nothing can be left out: the campaign is {state}; that makes sense once its vehicles are "
                "selected and until it ends"
            )

    async def _carry_out(self, activity: Any, order: Any, what: str) -> Any:
        """Run an activity for an update; what it refuses is the update's answer.

        Raises:
            ApplicationError: it was refused; nothing was changed.
        """
        try:
            return await workflow.execute_activity_method(activity, order, summary=what, **options.GATE)
        except ActivityError as error:
            if isinstance(error.cause, ApplicationError) and error.cause.type == REFUSED:
                message = error.cause.message.removeprefix("command refused: ")
                raise ApplicationError(message, type=REFUSED, non_retryable=True) from None
            raise

    @workflow.update(description="Wait until the definition has passed the door, or is refused")
    async def registered(self) -> Status:
        await workflow.wait_condition(lambda: self._story.campaign_id != 0 or self._over)
        if self._refused is not None:
            raise self._refused
        return status(self.definition, self._story)


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

"""What the steps of a campaign are made of: supervising, writing, journaling, telling people."""

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception
from temporalio.workflow import ActivityHandle

with workflow.unsafe.imports_passed_through():
    from activities.delivery import Delivery
    from activities.messages import GateOrder, JournalEntry, Notice, Supervised
    from activities.notification import Notification
    from activities.supervision import Supervision
    from campaign.pace import checkpoint_after
    from campaign.supervision import Finding, Mode, Observation, Watch
    from workflows import options
    from workflows.console import Console
    from workflows.story import Story


#: A timer of no length would be none; whether there is one must not hang on the clock, which replay may see
#: otherwise.
_SHORTEST = timedelta(milliseconds=1)

_LONG_AGO = datetime.fromisoformat("2000-01-01T00:00:00+00:00")


class Steps(Console):
    """The hands of a campaign's workflow."""

    def __init__(self, story: Story) -> None:
        super().__init__(story)
        self._notices: list[ActivityHandle[None]] = []
        self._writing_lines = False

    async def _supervise(
        self, mode: Mode, moves: int, longest: timedelta | None = None, *, at_once: bool = False
    ) -> Supervised | None:
        """Watch until something is found that ends the step.

        Returns:
            The finding; None when the state moved, ``longest`` has passed or the bake was promoted.
        """
        ends = workflow.now() + longest if longest is not None else None
        while self._moves == moves and workflow.cancellation_reason() is None:
            looks, over = self._looks, False
            watch = self._watch(mode, at_once=at_once)
            handle = workflow.start_activity_method(
                Supervision.supervise, watch, summary=f"{mode}: {self._phase_name}", **options.SUPERVISION
            )
            try:
                await workflow.wait_condition(
                    lambda handle=handle, looks=looks: (  # type: ignore[misc]
                        handle.done()
                        or self._moves != moves
                        or self._looks != looks
                        or (mode in (Mode.BAKING, Mode.PROVING) and self._promoted(at_once))
                    ),
                    timeout=max(ends - workflow.now(), _SHORTEST) if ends else None,
                    timeout_summary=f"wait after {self._phase_name}",
                )
            except TimeoutError:
                over = True
            except asyncio.CancelledError:
                handle.cancel()
                raise
            found = await _result(handle)
            if found is None:
                if self._looks != looks and self._moves == moves and not over:
                    continue
                return None
            self._see(found.seen)
            if self._moves != moves:
                # An order came in the same moment and has moved the state: it goes first.
                if found.finding is Finding.BREACH and found.seen.breach is not None:
                    self._note("Ringmaster", "breach", f"seen beside an order: {found.seen.breach.sentence}")
                return None
            if found.finding is Finding.WARNING:
                self._warn(found)
                continue
            if found.finding is not Finding.CHECKPOINT:
                return found
            if at_once:
                return None
        return None

    def _see(self, seen: Observation) -> None:
        """Take in what a supervision saw."""
        before, self._story.seen = self._story.seen, seen
        if before is not None and before.window != seen.window:
            # An exclusion has begun a window: what people were told of belongs to the one before.
            self._story.warned = ()
        self._show()

    def _warn(self, found: Supervised) -> None:
        """Tell people of guards that stop nothing, once a phase in an evidence window."""
        story = self._story
        new = [caution for caution in found.seen.warnings if caution.key not in story.warned]
        story.warned += tuple(caution.key for caution in new)
        text = "; ".join(f"phase {caution.phase}: {caution.verdict.sentence}" for caution in new)
        self._note("Ringmaster", "warning", text)
        self._urgent_lines = True
        self._tell_people(f"Warning: {self.definition.name}", f"{text}\nnothing was stopped")

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
            culprits=story.culprits,
            warned=story.warned,
            promotion=self.definition.promotion_of(story.phase),
        )

    async def _until_moved(
        self, moves: int, timeout: timedelta | None = None, summary: str | None = None
    ) -> None:
        """Wait until an order has moved the state since ``moves``, or the time is over."""
        left = max(timeout, _SHORTEST) if timeout is not None else None
        with suppress(TimeoutError):
            await workflow.wait_condition(lambda: self._moves != moves, timeout=left, timeout_summary=summary)

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

"""One vehicle: polls on schedule, says who it is, and does what the links ask for."""

from collections.abc import Awaitable, Callable
from functools import partial

import structlog
from yarl import URL

from simulator import protocol
from simulator.behaviour import Behaviour
from simulator.clock import Clock
from simulator.errors import Cancelled, LinkDown, Refused
from simulator.faults import Kind
from simulator.ledger import Ledger
from simulator.link import Link
from simulator.memory import Closing, Memory
from simulator.phase import Phase
from simulator.protocol import Deployment, Poll
from simulator.update import OK, Update, label, settle

log = structlog.get_logger(__name__)


class Vehicle:
    """Run by one task, which mostly sleeps. `address` is its DDI base, .../{tenant}/controller/v1/{vin}."""

    def __init__(
        self, behaviour: Behaviour, address: URL, link: Link, memory: Memory, clock: Clock, ledger: Ledger
    ) -> None:
        self.record = behaviour.record
        self.memory = memory
        self.phase = Phase.OFFLINE
        self._behaviour = behaviour
        self._address = address
        self._link = link
        self._clock = clock
        self._ledger = ledger
        # What it shows between two updates.
        self._idle_phase = memory.closing.outcome if memory.closing else Phase.POLLING
        self._next_poll = 0.0
        self._update: Update | None = None
        self._relapse: Callable[[], Awaitable[Phase]] | None = None
        ledger.enrol(self.phase)

    @property
    def installed(self) -> dict[str, str]:
        """ECU to the version that really runs on it."""
        return {ecu.name: self.memory.installed.get(ecu.name, ecu.sw_version) for ecu in self.record.ecus}

    async def run(self) -> None:
        """Lives until cancelled, or until a fault bricks it."""
        waits = self._link.waits()
        self._next_poll = self._clock.seconds() + self._behaviour.first_poll_seconds()
        while not self.memory.bricked:
            await self._clock.sleep(self._next_poll - self._clock.seconds())
            try:
                await self._turn()
                waits = self._link.waits()
            except LinkDown as down:
                self._offline_for(max(next(waits), down.retry_after or 0))
            except Refused:  # the gateway does not know this vehicle; it may learn of it later
                self._offline_for(protocol.FALLBACK_SLEEP_SECONDS)
        self._enter(Phase.SILENT)

    def _offline_for(self, seconds: float) -> None:
        self._enter(Phase.OFFLINE)
        self._next_poll = self._clock.seconds() + seconds

    async def _finish_sending(self) -> None:
        """A closing report that a stop of the simulator cut short is still owed."""
        closing = self.memory.closing
        if closing and closing.answer is None:
            await settle(self._link, self._address / "deploymentBase" / closing.action / "feedback", closing)

    async def _turn(self) -> None:
        await self._finish_sending()
        poll = await self._poll()
        self._enter(self._idle_phase)
        if self._relapse:
            relapse, self._relapse = self._relapse, None
            self._idle_phase = await relapse()
            await self._identify(self._address / "configData")
            self._enter(self._idle_phase)
        elif poll.cancel:
            await self._answer_cancel(poll.cancel)
        elif poll.deployment:
            await self._follow(poll.deployment)
        elif poll.confirmation:
            await self._ask_the_owner(poll.confirmation)

    async def _ask_the_owner(self, url: URL) -> None:
        try:
            protocol.read_question(await self._link.get(url))
        except Refused:
            return  # no longer a question
        answer = protocol.confirmation(self._behaviour.owner())
        await self._link.deliver(url.with_query(None) / "feedback", answer)

    async def _poll(self) -> Poll:
        poll = protocol.read_poll(await self._link.get(self._address))
        self._next_poll = self._clock.seconds() + self._behaviour.poll_seconds(poll.sleep_seconds)
        if poll.config_data:
            await self._identify(poll.config_data)
        return poll

    async def _identify(self, url: URL) -> None:
        data = {"vin": self.record.vin, "model": self.record.model}
        installed = self.installed
        for ecu in self.record.ecus:
            data[f"{ecu.name}.hw_id"] = ecu.hw_id
            data[f"{ecu.name}.sw_version"] = installed[ecu.name]
        try:
            await self._link.put(url, protocol.config_data(data))
        except Refused as refusal:  # counted by the link; the update does not depend on it
            log.debug("attributes_refused", vin=self.record.vin, status=refusal.status)

    async def _follow(self, url: URL) -> None:
        """Takes the offer, unless it was withdrawn meanwhile or the server says that it must wait."""
        action, feedback = url.name, url.with_query(None) / "feedback"
        try:
            deployment = protocol.read_deployment(await self._link.get(url))
        except Refused:
            return
        if deployment.held:
            return
        if closing := self._succeeded(action, deployment):
            await settle(self._link, feedback, closing)
            return
        struck = self.memory.struck.get(label(deployment.update), 0)
        self._update = Update(
            action=action,
            feedback=feedback,
            deployment=deployment,
            plan=self._behaviour.plan(deployment.update, struck),
            known=self.installed,
            memory=self.memory,
            link=self._link,
            clock=self._clock,
            pass_time=self._pass_time,
            enter=self._enter,
        )
        await self._carry_out(self._update)

    def _succeeded(self, action: str, deployment: Deployment) -> Closing | None:
        """What was installed for an action is never installed again for it; its report is repeated."""
        closing, installed = self.memory.closing, self.installed
        if closing is None or (closing.action, closing.outcome) != (action, Phase.SUCCEEDED):
            return None
        done = all(installed.get(ecu) == version for ecu, version in deployment.update.items())
        return closing if done else None

    async def _carry_out(self, update: Update) -> None:
        fault = update.plan.fault
        log.debug("update_began", vin=self.record.vin, action=update.action)
        try:
            self._idle_phase = await update.run()
        except Cancelled:
            self._idle_phase = Phase.POLLING
        finally:
            self._update = None
        succeeded = self._idle_phase is Phase.SUCCEEDED
        if fault and fault.kind is Kind.FAIL_AFTER_SUCCESS_POLL and succeeded:
            self._relapse = partial(update.relapse, fault)
        log.debug("update_ended", vin=self.record.vin, action=update.action, outcome=self._idle_phase)
        self._enter(self._idle_phase)

    async def _pass_time(self, seconds: float) -> None:
        """Lets time go by during an update and still polls on schedule, or no cancellation would be heard."""
        end = self._clock.seconds() + seconds
        while (now := self._clock.seconds()) < end:
            if now < self._next_poll:
                await self._clock.sleep(min(end, self._next_poll) - now)
                continue
            self._next_poll = now + self._behaviour.poll_seconds(protocol.FALLBACK_SLEEP_SECONDS)
            try:
                poll = await self._poll()
            except (LinkDown, Refused):
                continue  # the update does not depend on it; the next poll is due after the fallback
            if poll.cancel:
                await self._answer_cancel(poll.cancel)

    async def _answer_cancel(self, url: URL) -> None:
        """Agrees, unless the vehicle is writing already. Raises Cancelled if an update ends by it."""
        try:
            stop = protocol.read_stop_id(await self._link.get(url))
        except (LinkDown, Refused):
            return  # withdrawn or unreadable: the next poll brings it again if it is still meant
        running = self._update if self._update and self._update.action == stop else None
        agrees = not (running and running.installing)
        execution, finished, detail = (
            ("closed", "success", "cancelled") if agrees else ("rejected", "none", "already installing")
        )
        body = protocol.status(execution, finished, OK, [detail], self._clock.timestamp_ms())
        await self._link.deliver(url / "feedback", body)
        if running and agrees:
            raise Cancelled

    def _enter(self, phase: Phase) -> None:
        if phase is not self.phase:
            self._ledger.move(self.phase, phase)
            self.phase = phase

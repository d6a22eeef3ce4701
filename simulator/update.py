"""One update on one vehicle: download, install, report. The fault, if any, is in the plan."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from yarl import URL

from simulator import protocol
from simulator.behaviour import Fault, Plan
from simulator.clock import Clock
from simulator.errors import CorruptArtifact, LinkDown, Refused
from simulator.faults import Kind
from simulator.link import Link
from simulator.memory import Closing, Memory
from simulator.phase import Phase
from simulator.protocol import Artifact, Deployment
from simulator.transfer import Transfer

OK = 200
NO_SUCH_ECU = 4001
CORRUPT_ARTIFACT = 4102
TRIES_IF_CORRUPT = 3  # a proxy may mangle a download once; the third time it is the artifact

# Faults that strike at the end of the installation, and how it ends then.
FAILS: Mapping[Kind, Phase] = {
    Kind.FAIL: Phase.FAILED,
    Kind.ROLLBACK: Phase.ROLLED_BACK,
    Kind.CRITICAL: Phase.CRITICAL,
}


@dataclass(slots=True)
class Update:
    """Carries a deployment out, step by step.

    `pass_time` lets seconds go by while the vehicle keeps listening, and raises Cancelled when the server
    takes the update back; `enter` tells the world what the vehicle is doing; `known` are its ECUs.
    """

    action: str
    feedback: URL
    deployment: Deployment
    plan: Plan
    known: dict[str, str]
    memory: Memory
    link: Link
    clock: Clock
    pass_time: Callable[[float], Awaitable[None]]
    enter: Callable[[Phase], None]
    installing: bool = False
    _replaced: dict[str, str] = field(default_factory=dict)
    _last_report: bytes = b""

    async def run(self) -> Phase:
        """Does it all and returns the outcome; POLLING if the offer went away before anything was written.

        Raises Cancelled.
        """
        if missing := sorted(self.deployment.update.keys() - self.known.keys()):
            message = f"no ECU named {', '.join(missing)}"
            return await self._close(Phase.FAILED, NO_SUCH_ECU, message)
        fault = self.plan.fault
        if fault and fault.kind is Kind.DEFER:
            return await self._defer(fault)
        if fault and fault.kind is Kind.FALSE_SUCCESS:
            self._strike()
            return await self._close(Phase.SUCCEEDED, fault.code, fault.message)
        try:
            await self._download()
        except Refused:
            return Phase.POLLING
        except CorruptArtifact as corrupt:
            message = f"download failed: {corrupt}"
            return await self._close(Phase.FAILED, CORRUPT_ARTIFACT, message)
        if fault and fault.kind is Kind.DOWNLOAD_FAIL:
            return await self._fail(Phase.FAILED, fault)
        if await self._report("proceeding", "none", OK, "Download complete") != OK:
            return Phase.POLLING
        return await self._install(fault)

    async def relapse(self, fault: Fault) -> Phase:
        """Takes a reported success back: the old software returns, and a second closing report says so."""
        self.memory.installed.update(self._replaced)
        return await self._fail(Phase.FAILED, fault)

    async def _download(self) -> None:
        self.enter(Phase.DOWNLOADING)
        started = self.clock.seconds()
        for number, artifact in enumerate(self.deployment.artifacts):
            await self._fetch(artifact, breaks=self.plan.drops_connection and number == 0)
        await self.pass_time(self.plan.download_seconds - (self.clock.seconds() - started))

    async def _fetch(self, artifact: Artifact, *, breaks: bool) -> None:
        transfer, waits, tries = Transfer(artifact), self.link.waits(), 1
        break_at = artifact.size // 2 if breaks else None
        while not transfer.complete:
            try:
                await transfer.attempt(self.link, break_at=break_at)
            except LinkDown as down:
                await self.pass_time(max(next(waits), down.retry_after or 0))
            except CorruptArtifact:
                if tries == TRIES_IF_CORRUPT:
                    raise
                transfer, tries = Transfer(artifact), tries + 1
                await self.pass_time(next(waits))
            break_at = None

    async def _install(self, fault: Fault | None) -> Phase:
        self.installing = True
        self.enter(Phase.INSTALLING)
        await self._report("proceeding", "none", OK, "installing")
        if fault and fault.kind is Kind.BRICK:
            self.memory.bricked = True
            return Phase.SILENT
        await self.pass_time(self.plan.install_seconds)
        fails = fault is not None and fault.kind in FAILS
        if len(self.deployment.update) > 1:
            await self._report("proceeding", "none", OK, *self._results(fault if fails else None))
        if fault and fails:
            return await self._fail(FAILS[fault.kind], fault)
        self._flash()
        return await self._close(Phase.SUCCEEDED, OK, "installed")

    def _results(self, fault: Fault | None) -> list[str]:
        """What became of each ECU; a fault strikes the last one."""
        lines = [f"ecu={ecu} result=success version={new}" for ecu, new in self.deployment.update.items()]
        if fault is not None:
            last = list(self.deployment.update)[-1]
            lines[-1] = f"ecu={last} result=failure code={fault.code} {fault.message}"
        return lines

    def _flash(self) -> None:
        update = self.deployment.update
        self._replaced = {ecu: self.known[ecu] for ecu in update}
        self.memory.installed.update(update)
        self.memory.flashes[label(update)] = self.memory.flashes.get(label(update), 0) + 1

    async def _defer(self, fault: Fault) -> Phase:
        self._strike()
        answer = await self._report("rejected", "none", fault.code, fault.message)
        return Phase.DEFERRED if answer == OK else Phase.POLLING

    async def _fail(self, phase: Phase, fault: Fault) -> Phase:
        self._strike()
        return await self._close(phase, fault.code, fault.message)

    async def _close(self, outcome: Phase, code: int, message: str) -> Phase:
        """No await before the closing report is in memory: what was done and what is said about it agree."""
        self.memory.closing = Closing(self.action, outcome, code, message, self.clock.timestamp_ms())
        await settle(self.link, self.feedback, self.memory.closing, twice=self.plan.sends_twice)
        if self.plan.repeats_late and self._last_report:
            await self.link.deliver(self.feedback, self._last_report)
        return outcome

    async def _report(self, execution: str, finished: str, code: int, *messages: str) -> int:
        body = protocol.status(execution, finished, code, list(messages), self.clock.timestamp_ms())
        self._last_report = body
        answer = await self.link.deliver(self.feedback, body)
        if self.plan.sends_twice:
            await self.link.deliver(self.feedback, body)
        return answer

    def _strike(self) -> None:
        key = label(self.deployment.update)
        self.memory.struck[key] = self.memory.struck.get(key, 0) + 1


async def settle(link: Link, feedback: URL, closing: Closing, *, twice: bool = False) -> None:
    """Sends the closing report until the server has answered it for good, and notes the answer."""
    finished = "success" if closing.outcome is Phase.SUCCEEDED else "failure"
    body = protocol.status("closed", finished, closing.code, [closing.message], closing.timestamp)
    closing.answer = await link.deliver(feedback, body)
    if twice:
        await link.deliver(feedback, body)


def label(update: dict[str, str]) -> str:
    """The update's name in the vehicle's memory: "Gateway 2.2.0, Radar 1.4.0"."""
    return ", ".join(f"{ecu} {version}" for ecu, version in sorted(update.items()))

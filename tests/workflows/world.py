"""A world without a database: the activities of a campaign by their real names, over plain objects.

What ends a supervision is decided by the real rule (`campaign.supervision.find`); the world only says what
there is to see. Everything runs in the loop of the test, so no state is ever looked at half written.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.messages import (
    Ending,
    Excluded,
    Exclusion,
    GateOrder,
    JournalEntry,
    LimitsChange,
    Notice,
    Registered,
    Registration,
    Selection,
    Supervised,
)
from campaign.assignment import Tally, Target
from campaign.breach import Breach, Exposed
from campaign.cohorts import Culprit
from campaign.definition import Definition
from campaign.glimpse import Glimpse
from campaign.guards import PLAIN_GUARD
from campaign.journal import Line
from campaign.lifecycle import State
from campaign.metrics import Overdue, count
from campaign.promotion import Decision
from campaign.supervision import Caution, Mode, Observation, PhaseView, Watch, Window, find
from campaign.verdict import Verdict, evaluate
from campaign.waiting import Waits

CAMPAIGN = 7

#: A test that waits longer than this for something has found a campaign that hangs.
PATIENCE_SECONDS = 15.0


#: What is said of a phase that may be followed by the next, and of one that may not.
PROVEN = Decision(advance=True, sentence="enough is proven")
UNPROVEN = Decision(advance=False, sentence="too few to prove anything")


@dataclass
class Call:
    """One attempt of an activity."""

    name: str
    order: Any
    at: datetime


@dataclass
class World:
    """What the database would hold, and what a test wants to happen."""

    #: Targets by phase.
    sizes: dict[int, int]
    #: Whether a phase that rolls out is processed at once, all of it successfully.
    healthy: bool = True
    #: Between two ticks; None: whatever becomes true is seen at once (for tests in real time).
    tick: timedelta | None = None
    #: So many health checks of each phase are due at once, whatever the time.
    checkpoints: int = 0
    refuse_registration: str | None = None
    refuse_selection: str | None = None
    #: Why a change while the campaign runs is refused.
    refuse_change: str | None = None
    #: Activities that fail, retryably, for as long as their name stands here.
    broken: set[str] = field(default_factory=set)
    #: Activities that fail for good.
    lost: set[str] = field(default_factory=set)
    #: Activities that do not return before their name is taken out again.
    held: set[str] = field(default_factory=set)

    state: State | None = None
    gate_open: bool = False
    gate_seq: int = 0
    window: int = 1
    windows: list[Window] = field(default_factory=list)
    breach: Breach | None = None
    #: What a watched phase has proven.
    promotion: Decision | None = PROVEN
    #: What guards say that stop nothing.
    warnings: tuple[Caution, ...] = ()
    #: Who fails, as far as those say who were under way at a stop.
    culprit: Culprit | None = None
    #: Who is under way when the gate is shut.
    under_way: Exposed = field(default_factory=Exposed)
    cap: int | None = None
    #: Who withdrew the package everywhere, and why.
    withdrawn: str = ""
    excluded: list[str] = field(default_factory=list)
    #: Why vehicles wait.
    waits: Waits | None = None
    #: How many vehicles of a cohort have not begun.
    left_out: int = 0
    tallies: dict[int, Tally] = field(default_factory=dict)
    released: dict[int, datetime] = field(default_factory=dict)
    definition: Definition | None = None
    journal: list[Line] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    changes: list[LimitsChange] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    gate_log: list[tuple[str, int]] = field(default_factory=list)
    _checked: dict[int, int] = field(default_factory=dict)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    def __post_init__(self) -> None:
        for phase, size in self.sizes.items():
            self.tallies[phase] = Tally(by_state={Target.PENDING: size})

    # --- what a test says and asks ---------------------------------------------

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until an activity has made a condition true."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._news:
            await self._news.wait_for(condition)

    async def until_called(self, name: str, times: int = 1) -> None:
        """Wait until an activity was begun so often."""
        await self.until(lambda: self.count(name) >= times)

    async def until_watched(self, mode: Mode, phase: int = 1, *, begun_after: int = 0) -> None:
        """Wait until a phase is supervised in a mode; counts from the call number ``begun_after``."""

        def watched() -> bool:
            return any(
                call.name == "supervise" and call.order.mode is mode and call.order.phase == phase
                for call in self.calls[begun_after:]
            )

        await self.until(watched)

    async def until_awaiting_proof(self, phase: int = 1, *, begun_after: int = 0) -> None:
        """Wait until a phase is watched for as long as its proof takes, not only looked at once."""

        def awaiting() -> bool:
            return any(
                call.name == "supervise"
                and (call.order.mode, call.order.phase) == (Mode.PROVING, phase)
                and call.order.checkpoint_at > call.at
                for call in self.calls[begun_after:]
            )

        await self.until(awaiting)

    async def release(self, name: str) -> None:
        """Let an activity that is held or broken go on."""
        self.held.discard(name)
        self.broken.discard(name)
        await self._tell()

    def count(self, name: str) -> int:
        """How many attempts of an activity there were."""
        return sum(call.name == name for call in self.calls)

    def orders(self, name: str) -> list[Any]:
        """The inputs of an activity, attempts included."""
        return [call.order for call in self.calls if call.name == name]

    async def happens(self, what: Callable[..., Any], *given: Any, **more: Any) -> None:
        """Change the world as a vehicle or a person outside does, and let supervision see it."""
        what(*given, **more)
        await self._tell()

    def report(self, phase: int, **states: int) -> None:
        """Vehicles of a phase in each state; the rest stays pending."""
        by_state = {Target(state): count for state, count in states.items() if count}
        rest = self.sizes[phase] - sum(by_state.values())
        if rest:
            by_state[Target.PENDING] = by_state.get(Target.PENDING, 0) + rest
        self.tallies[phase] = Tally(by_state=by_state)

    def fail(self, phase: int, failed: int, of: int, culprit: Culprit | None = None) -> Breach:
        """A breach as the database records it: gate closed in the same moment."""
        self.report(phase, failed=failed, succeeded=of - failed)
        self.breach = Breach(
            phase=phase,
            phase_name=f"ring {phase}",
            window=self.window,
            verdict=verdict_on(self.tallies[phase]),
            culprit=culprit,
            exposed=self.under_way,
        )
        self.gate_open = False
        return self.breach

    def hold(self) -> None:
        """What is known does not suffice to end a phase."""
        self.promotion = UNPROVEN

    def prove(self) -> None:
        """What is known suffices."""
        self.promotion = PROVEN

    def name(self, culprit: Culprit | None) -> None:
        """Those who were under way at a stop have reported."""
        self.culprit = culprit

    def withdraw(self, why: str) -> None:
        """The package is withdrawn everywhere; an empty reason takes that back."""
        self.withdrawn = why

    def warn(self, *names: str, phase: int = 1) -> tuple[Caution, ...]:
        """Guards of these names, which only tell people, are breached from now on."""
        verdict = verdict_on(Tally(by_state={Target.FAILED: 1, Target.SUCCEEDED: 9}))
        self.warnings = tuple(
            Caution(
                phase=phase,
                verdict=verdict.model_copy(
                    update={"guard": name, "sentence": f"{name} breach: 1 of 10 failed"}
                ),
            )
            for name in names
        )
        return self.warnings

    def texts(self) -> list[str]:
        """What the journal says."""
        return [line.text for line in self.journal]

    # --- the activities -----------------------------------------------------------

    @activity.defn
    async def register(self, order: Registration) -> Registered:
        async with self._attempt("register", order):
            if self.refuse_registration is not None:
                raise ApplicationError(self.refuse_registration, type="Refused", non_retryable=True)
            self.definition = Definition.model_validate(order.definition)
            return Registered(
                campaign_id=CAMPAIGN, package="Pkg", modules=("Radar 1.4.0",), sizes=dict(self.sizes)
            )

    @activity.defn
    async def select_targets(self, campaign_id: int) -> Selection:
        async with self._attempt("select_targets", campaign_id):
            if self.refuse_selection is not None:
                raise ApplicationError(self.refuse_selection, type="Refused", non_retryable=True)
            return Selection(sizes=dict(self.sizes))

    @activity.defn
    async def open_gate(self, order: GateOrder) -> None:
        async with self._attempt("open_gate", order):
            self._write(order)
            stopped = self.breach is not None and not order.new_window
            if self.gate_seq < order.seq and not stopped and not self.withdrawn:
                self.gate_open, self.gate_seq, self.state = True, order.seq, order.state
                self.gate_log.append(("open", order.seq))
                if order.new_window:
                    self._begin_window()

    @activity.defn
    async def shut_gate(self, order: GateOrder) -> Exposed:
        async with self._attempt("shut_gate", order):
            self._shut(order)
            return self.under_way

    @activity.defn
    async def show_state(self, order: GateOrder) -> None:
        async with self._attempt("show_state", order):
            self._write(order)
            if self.gate_seq < order.seq:
                self.gate_seq, self.state = order.seq, order.state

    @activity.defn
    async def finish(self, order: GateOrder) -> Ending:
        async with self._attempt("finish", order):
            self._shut(order)
            for phase, tally in self.tallies.items():
                waiting = tally.by_state.get(Target.PENDING, 0)
                states = {state: count for state, count in tally.by_state.items() if state != Target.PENDING}
                if waiting:
                    states[Target.EXPIRED] = states.get(Target.EXPIRED, 0) + waiting
                self.tallies[phase] = Tally(by_state=states)
            total = sum(self.tallies.values(), Tally())
            return Ending(by_state={state.value: count for state, count in sorted(total.by_state.items())})

    @activity.defn
    async def change_limits(self, change: LimitsChange) -> None:
        async with self._attempt("change_limits", change):
            self._refuse_change()
            self.changes.append(change)

    @activity.defn
    async def exclude_cohort(self, order: Exclusion) -> Excluded:
        async with self._attempt("exclude_cohort", order):
            self._refuse_change()
            if order.cohort not in self.excluded:
                self.excluded.append(order.cohort)
                if self.gate_open:
                    self._begin_window()
            return Excluded(vehicles=self.left_out)

    @activity.defn
    async def write_journal(self, entry: JournalEntry) -> None:
        async with self._attempt("write_journal", entry):
            self._write(entry)

    @activity.defn
    async def supervise(self, watch: Watch) -> Supervised:
        async with self._attempt("supervise", watch):
            mine = self.calls[-1]
            while True:
                seen = self._look(watch, mine.at if self.tick else datetime.now(UTC))
                finding = find(self._hurried(watch), seen)
                if finding is not None:
                    return Supervised(finding=finding, seen=seen)
                if self.tick is not None or not self._latest(mine):
                    break
                async with self._news:
                    await self._news.wait()
            raise ApplicationError(
                "watching",
                Glimpse.of(seen, watch.phase),
                type="Watching",
                category=ApplicationErrorCategory.BENIGN,
                next_retry_delay=self.tick,
            )

    @activity.defn
    async def notify(self, notice: Notice) -> None:
        async with self._attempt("notify", notice):
            self.notices.append(notice)

    @property
    def activities(self) -> list[Callable[..., Any]]:
        """All of them, for a worker."""
        return [
            self.register,
            self.select_targets,
            self.open_gate,
            self.shut_gate,
            self.show_state,
            self.finish,
            self.change_limits,
            self.exclude_cohort,
            self.write_journal,
            self.supervise,
            self.notify,
        ]

    # --- how they do it -------------------------------------------------------------

    @asynccontextmanager
    async def _attempt(self, name: str, order: Any) -> AsyncIterator[None]:
        # On the time-skipping server this is the workflow's own time; the clock on the wall is not.
        self.calls.append(Call(name, order, activity.info().current_attempt_scheduled_time))
        await self._tell()
        async with self._news:
            await self._news.wait_for(lambda: name not in self.held)
        if name in self.lost:
            raise ApplicationError(f"{name} is lost", non_retryable=True)
        if name in self.broken:
            raise ApplicationError(
                f"{name} is out of order",
                category=ApplicationErrorCategory.BENIGN,
                next_retry_delay=timedelta(milliseconds=100),
            )
        try:
            yield
        finally:
            await self._tell()

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    def _refuse_change(self) -> None:
        if self.refuse_change is not None:
            raise ApplicationError(self.refuse_change, type="Refused", non_retryable=True)

    def _begin_window(self) -> None:
        """What has failed so far is known to whoever resumed or left somebody out."""
        sentence = self.breach.sentence if self.breach else "nobody had failed"
        self.windows.append(Window(number=self.window, ended_at=datetime.now(UTC), sentences=(sentence,)))
        self.window, self.breach, self.warnings = self.window + 1, None, ()

    def _write(self, order: GateOrder | JournalEntry) -> None:
        known = {line.key for line in self.journal}
        self.journal += [line for line in order.lines if line.key not in known]

    def _shut(self, order: GateOrder) -> None:
        self._write(order)
        self.gate_open, self.gate_seq, self.state = False, max(self.gate_seq, order.seq), order.state
        self.gate_log.append(("shut", order.seq))

    def _latest(self, mine: Call) -> bool:
        """Whether nobody else supervises by now: a watcher that was cancelled must not act for the next."""
        return [call for call in self.calls if call.name == "supervise"][-1] is mine

    def _hurried(self, watch: Watch) -> Watch:
        """The watch with a health check that is due at once, as long as there are any."""
        done = self._checked.get(watch.phase, 0)
        if watch.mode is not Mode.ROLLING_OUT or done >= self.checkpoints:
            return watch
        self._checked[watch.phase] = done + 1
        return watch.model_copy(update={"checkpoint_at": datetime.fromtimestamp(0, UTC)})

    def _look(self, watch: Watch, now: datetime) -> Observation:
        if watch.mode is Mode.ROLLING_OUT and self.gate_open:
            self.released.setdefault(watch.phase, now)
            checked = self._checked.get(watch.phase, 0) >= self.checkpoints
            if self.healthy and checked and self.breach is None:
                self.report(watch.phase, succeeded=self.sizes[watch.phase])
        here = verdict_on(self.tallies[watch.phase])
        return Observation(
            at=now,
            gate_open=self.gate_open,
            gate_seq=self.gate_seq,
            window=self.window,
            windows=tuple(self.windows),
            breach=self.breach,
            verdicts=(here, *(caution.verdict for caution in self.warnings)),
            warnings=self.warnings,
            promotion=self.promotion if watch.mode in (Mode.BAKING, Mode.PROVING) else None,
            culprit=self.culprit,
            cap=self.cap,
            excluded=tuple(self.excluded),
            withdrawn=self.withdrawn,
            waits=self.waits,
            phases=tuple(
                PhaseView(
                    number=phase,
                    name=f"ring {phase}",
                    tally=tally,
                    verdict=verdict_on(tally),
                    released_at=self.released.get(phase),
                )
                for phase, tally in sorted(self.tallies.items())
            ),
        )


def verdict_on(tally: Tally) -> Verdict:
    """What the plain rule says."""
    return evaluate(PLAIN_GUARD, count(PLAIN_GUARD.metric, tally, Overdue()))

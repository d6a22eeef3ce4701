"""What the gateway asks of the database: each question one transaction, many vehicles in one where it pays.

Nothing is answered before its transaction is committed. The server's ``synchronous_commit`` stays as it is
(on), so an acknowledged report is on its disk.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TypeVar

import psycopg
import structlog
from psycopg import AsyncConnection

from campaign.permission import Consent
from campaign.polling import Pressure
from gateway.batch import POLLS_WAITING, Batch, going_on
from gateway.errors import Contended, Unavailable
from gateway.pool import SINGLE_AT_ONCE, Pool
from gateway.question import Question
from gateway.quota import ENTRIES_MAX
from store import admission, auto_confirm, claims, configuration, consent, history, offers, polls, reports
from store.auto_confirm import AutoConfirm
from store.beginning import begin
from store.configuration import Mode
from store.consent import Heard
from store.epoch import epoch
from store.group import group_transaction
from store.offers import Deployment, StoredArtifact
from store.polls import Standing
from store.reports import Effect, Report

Result = TypeVar("Result")

#: Longer than any healthy transaction. A dead one is cancelled, and its callers are then told to come back.
PATIENCE_SECONDS = 10

#: Questions of single vehicles that may wait for their turn; others than these have connections left.
SINGLE_WAITING = 500

#: While two groups of reports are recorded the vehicles of a third are answered and heard. Were all that wait
#: one group, then either the database would work or we, in turns.
REPORTS_AT_ONCE = 96

#: So long without a failure counts as back.
STEADY_SECONDS = 5

#: Between two questions for the epoch. No vehicle minds a millisecond; asked for as fast as it goes, the
#: epoch costs the database more than all else that an idle poll does.
EPOCHS_APART_SECONDS = 0.001

#: Signs that the database is away, busy or failing over, not that a request is at fault. psycopg counts
#: lock and statement time-outs, deadlocks and the pool's own errors among the operational ones.
AWAY = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.ReadOnlySqlTransaction, TimeoutError)

log = structlog.get_logger(__name__)


class Away:
    """Tells the log when the database goes and when it is back: two lines, not one per vehicle."""

    def __init__(self) -> None:
        self._last_failure: float | None = None

    def failed(self, error: BaseException) -> None:
        """A transaction failed because the database was away."""
        if self._last_failure is None:
            log.warning("database_away", error=type(error).__name__)
        self._last_failure = time.monotonic()

    def worked(self) -> None:
        """A transaction was committed; while others still fail, the database is not back."""
        if self._last_failure is not None and time.monotonic() - self._last_failure >= STEADY_SECONDS:
            self._last_failure = None
            log.info("database_back")


class Fleet:
    """The fleet as the gateway sees it. Every method raises Unavailable when the database is away."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._away = Away()
        self._standings = Batch(self._find_standings)
        self._admissions = Batch(self._admit, waiting_items=POLLS_WAITING)
        self._reports = Batch(self._record, group_items=REPORTS_AT_ONCE)
        self._epochs = Question(self._read_epoch, apart_seconds=EPOCHS_APART_SECONDS)
        self._pings = Question(self._ping)
        self._pressure = Pressure()
        self._single = asyncio.Semaphore(SINGLE_AT_ONCE)
        self._waiting = 0

    @property
    def pressure(self) -> int:
        """How busy this gateway is (campaign/polling.py)."""
        return self._pressure.level

    def look(self) -> None:
        """See how many polls wait."""
        fill = max(self._standings.load(), self._admissions.load(), self._epochs.load()) / POLLS_WAITING
        self._pressure = self._pressure.after(min(fill, 1.0), timedelta(seconds=time.monotonic()))

    def epoch(self, waiting_items: int) -> asyncio.Future[int]:
        """The epoch as it is after this was called; callers that come together share one question, and one
        future: shield it to await it. Unavailable where as many wait already.
        """
        return self._epochs.put(waiting_items)

    def standing(self, vin: str, waiting_items: int) -> asyncio.Future[Standing | None]:
        """Where a vehicle stands; None: not in the fleet. Unavailable where more wait already."""
        self.look()
        return self._standings.submit(vin, waiting_items)

    def admit(self, vehicle_id: int) -> asyncio.Future[int | None]:
        """The action now offered to this vehicle, if there is one for it."""
        return self._admissions.submit(vehicle_id)

    def record(self, report: Report) -> asyncio.Future[Effect]:
        """Record a report; when the future is done it is durable."""
        return self._reports.submit(report)

    async def ping(self) -> None:
        """Returns when the database has answered; several callers share one question."""
        await asyncio.shield(self._pings.put())

    async def begin(self, vehicle_id: int, action: int, sha256: str) -> bool:
        """Whether the vehicle may fetch this artifact of this action now; if so, it has begun."""
        return await self._transaction(lambda connection: begin(connection, vehicle_id, action, sha256))

    async def deployment(self, vehicle_id: int, action: int) -> Deployment | None:
        """What an action installs; None: nothing this vehicle may see."""
        return await self._read(lambda connection: offers.deployment(connection, vehicle_id, action))

    async def artifact(
        self, vehicle_id: int, artifact_id: int, filename: str
    ) -> tuple[StoredArtifact, int] | None:
        """A file and the live action it belongs to; None: not for this vehicle now."""
        return await self._read(
            lambda connection: offers.artifact(connection, vehicle_id, artifact_id, filename)
        )

    async def cancelling(self, vehicle_id: int, action: int) -> bool:
        """Whether the vehicle is asked to cancel this action."""
        return await self._read(lambda connection: offers.cancelling(connection, vehicle_id, action))

    async def question(self, vehicle_id: int, action: int) -> Deployment | None:
        """What the owner is asked to confirm; None: nothing now."""
        return await self._transaction(lambda connection: consent.question(connection, vehicle_id, action))

    async def hear(self, vehicle_id: int, action: int, word: Consent, details: Sequence[str]) -> Heard:
        """Record what the owner said; on return it is durable."""
        return await self._transaction(
            lambda connection: consent.hear(connection, vehicle_id, action, word, details)
        )

    async def put_config(self, vehicle_id: int, mode: Mode, data: dict[str, str | None]) -> None:
        """Store what a vehicle says of itself."""
        await self._transaction(
            lambda connection: configuration.put_config(connection, vehicle_id, mode, data)
        )

    async def installed(self, vehicle_id: int, action: int) -> Deployment | None:
        """What an action has installed; None: nothing on this vehicle."""
        return await self._read(lambda connection: offers.installed(connection, vehicle_id, action))

    async def file_names(self, vehicle_id: int, artifact_id: int) -> tuple[StoredArtifact, list[str]] | None:
        """A file and its names in what the vehicle is offered or has installed last."""
        return await self._read(lambda connection: offers.names(connection, vehicle_id, artifact_id))

    async def messages(self, vehicle_id: int, action: int, most: int) -> list[str]:
        """What a vehicle said of an action, the newest first."""
        return await self._read(lambda connection: history.messages(connection, vehicle_id, action, most))

    async def entries(self, vehicle_id: int, action: int) -> int:
        """How many reports there are of an action, up to the quota."""
        return await self._read(
            lambda connection: history.entries(connection, vehicle_id, action, ENTRIES_MAX)
        )

    async def claim_installed(self, vehicle_id: int, name: str, version: str) -> bool | None:
        """Keep that a vehicle runs a package; None: there is none such for it."""
        return await self._transaction(
            lambda connection: claims.claim_installed(connection, vehicle_id, name, version)
        )

    async def auto_confirm(self, vehicle_id: int) -> AutoConfirm | None:
        """Who has spared this vehicle its confirmations; None: nobody."""
        return await self._read(lambda connection: auto_confirm.auto_confirm(connection, vehicle_id))

    async def activate_auto_confirm(self, vehicle_id: int, initiator: str | None, remark: str | None) -> bool:
        """Spare a vehicle its confirmations; False: it was spared them already."""
        return await self._transaction(
            lambda connection: auto_confirm.activate(connection, vehicle_id, initiator, remark)
        )

    async def deactivate_auto_confirm(self, vehicle_id: int) -> None:
        """Ask this vehicle again."""
        await self._transaction(lambda connection: auto_confirm.deactivate(connection, vehicle_id))

    async def drained(self) -> None:
        """Returns when no group is queued or under way; the pool may then be closed."""
        # A poll asks for the first three one after the other.
        for asked in (self._epochs, self._standings, self._admissions, self._reports, self._pings):
            await asked.drained()

    async def _find_standings(self, vins: Sequence[str]) -> Sequence[Standing | None]:
        distinct = list(dict.fromkeys(vins))
        found = await self._work(lambda connection: polls.standings(connection, distinct))
        return [found.get(vin) for vin in vins]

    async def _admit(self, vehicle_ids: Sequence[int]) -> Sequence[int | None]:
        distinct = list(dict.fromkeys(vehicle_ids))

        async def admitted(connection: AsyncConnection) -> dict[int, int]:
            async with group_transaction(connection):
                return await admission.admit(connection, distinct)

        offered = await self._work(admitted)
        return [offered.get(vehicle_id) for vehicle_id in vehicle_ids]

    async def _record(self, group: Sequence[Report]) -> Sequence[Effect]:
        async def recorded(connection: AsyncConnection) -> Sequence[Effect]:
            try:
                # The next one begins beside it while this one waits for the campaign's lock and commits.
                return await reports.record_group(connection, group, going_on())
            except reports.Overtaken:  # the database is not away
                raise Contended("others change the same; come back later") from None

        return await self._work(recorded)

    def _read_epoch(self) -> Awaitable[int]:
        self.look()  # now: those who wait for the answer are not counted any more when it is awaited
        return self._work(epoch)

    async def _ping(self) -> None:
        await self._work(lambda connection: connection.execute("SELECT 1"))

    async def _read(self, work: Callable[[AsyncConnection], Awaitable[Result]]) -> Result:
        """A question of a single vehicle."""
        async with self._turn():
            return await self._work(work)

    async def _transaction(self, work: Callable[[AsyncConnection], Awaitable[Result]]) -> Result:
        """The same, of several statements that belong together."""

        async def committed(connection: AsyncConnection) -> Result:
            async with connection.transaction():
                return await work(connection)

        return await self._read(committed)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """A single vehicle waits for others of its kind, and no group waits for it."""
        if self._waiting >= SINGLE_WAITING:
            raise Unavailable("too much is waiting; come back later")
        self._waiting += 1
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._single.acquire()
        except TimeoutError:
            raise Unavailable("too much is waiting; come back later") from None
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._single.release()

    async def _work(self, work: Callable[[AsyncConnection], Awaitable[Result]]) -> Result:
        """Each statement a transaction of its own: of reading, that saves two round trips of three."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS), self._pool.connection() as connection:
                result = await work(connection)
        except AWAY as error:
            self._away.failed(error)
            raise Unavailable("the database does not answer; come back later") from None
        self._away.worked()
        return result

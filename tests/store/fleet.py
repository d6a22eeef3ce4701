"""A fleet to run campaigns on: vehicles written quickly, campaigns registered and started, rows read back."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Self

from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus
from psycopg.types.json import Jsonb
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from campaign.action import action_id
from campaign.assignment import FAILURES, HARMED, Said, Tally, Target
from campaign.brake import Matured
from campaign.breach import Exposed
from campaign.definition import Definition
from campaign.judgement import SLICES_JUDGED_TOGETHER
from campaign.lifecycle import State
from campaign.order import lot
from campaign.package import Package
from campaign.parts import NO_PARTS
from campaign.permission import Consent
from campaign.supervision import Mode, Observation, Watch
from campaign.vehicle import Vehicle
from store import admission, configuration, consent, gate, polls, reports, supervision
from store.beginning import begin
from store.campaigns import register, select_targets
from store.connect import connect
from store.consent import Heard
from store.evidence import (
    BEGUN,
    BEGUN_IN_SLICE_SQL,
    BY_COHORT_SQL,
    COUNTED,
    SLICE_SQL,
    by_cohort,
)
from store.group import connect_for_groups
from store.installed import lock_software
from store.judged import Judged, judged, memory
from store.packages import package as registered_package
from store.polls import Standing
from store.reports import Channel, Effect, Report
from store.sums import Sums
from store.tables import ArtifactRow, PackageRow
from store.tallies import TALLIES_SQL, by_phase
from store.words import sql_list
from tests.store.candidates import WRONG

SHA256 = "a" * 64
ARTIFACT = {"filename": "radar.swu", "size_bytes": 7, "sha256": SHA256}
MODULE: dict[str, Any] = {
    "ecu": "Radar", "hw_ids": ["EVO14", "EVO15"], "version": "1.4.0", "from_versions": "<1.4.0",
    "artifact": ARTIFACT,
}  # fmt: skip
PACKAGE = Package.model_validate({"name": "Pkg", "modules": [MODULE]})
HOUR = timedelta(hours=1)
ALL: list[dict[str, Any]] = [{"rollout_percent": 100}]
#: As many under way as the ceiling says.
NO_BRAKE: dict[str, Any] = {"harm_budget": None}

_VEHICLES = """
WITH record AS (
    SELECT * FROM jsonb_to_recordset(%s) AS r (
        vin text, model text, build_date date, country text, region text, groups text[], lot bigint,
        timezone text, install_window jsonb, ecus jsonb)
), added AS (
    INSERT INTO vehicle (vin, model, build_date, country, region, groups, lot, timezone, install_window,
        record_digest, config_wanted)
    SELECT vin, model, build_date, country, region, groups, lot, timezone, install_window, '', false
    FROM record
    RETURNING id, vin
), fitted AS (
    INSERT INTO ecu (vehicle_id, name, hw_id, sw_version, built_version)
    SELECT added.id, e.name, e.hw_id, e.sw_version, e.sw_version
    FROM added JOIN record USING (vin),
         jsonb_to_recordset(record.ecus) AS e (name text, hw_id text, sw_version text)
)
SELECT id, vin FROM added
"""


#: Vehicles of a phase by state, as guards count them.
_COUNTED = f"""
SELECT t.phase, t.state, sum(t.vehicles - t.acknowledged)::int
FROM tally AS t JOIN configuration AS f ON f.id = t.configuration_id AND NOT f.excluded
WHERE t.campaign_id = %(id)s AND t.vehicles > t.acknowledged AND t.state IN ({sql_list(COUNTED)})
GROUP BY t.phase, t.state
"""

#: What is counted by time, from the vehicles themselves: the stretches of each phase in their order, whether
#: the slices in them have matured, and how many vehicles are in which state.
_STRETCHES = f"""
SELECT p.number, date_bin({SLICE_SQL} * {SLICES_JUDGED_TOGETHER}, a.slice, c.window_began_at),
       a.slice <= (SELECT max(began) FROM matured WHERE campaign_id = c.id AND phase = p.number), a.state,
       count(*)
FROM campaign AS c JOIN phase AS p ON p.campaign_id = c.id
JOIN assignment AS a ON a.campaign_id = c.id AND a.phase = p.number
WHERE c.id = %(id)s AND a.slice >= c.window_began_at AND a.state IN ({sql_list(BEGUN)})
GROUP BY 1, 2, 3, 4 ORDER BY 1, 2
"""
_MATURED = """
SELECT m.phase, sum(vehicles)::int, sum(quiet)::int, sum(failed)::int
FROM matured AS m JOIN campaign AS c ON c.id = m.campaign_id
WHERE c.id = %(id)s AND m.began >= c.window_began_at GROUP BY 1
"""

_FACTS = {"vin", "model", "build_date", "country", "region", "timezone", "install_window"}


def plain(limit: str = "0.02") -> list[dict[str, Any]]:
    """The plain rule by itself: failures / attempts > limit, from the first outcome on."""
    return [{"metric": "failure_rate", "mode": "threshold", "limit": limit}]


def vin(number: int) -> str:
    return f"WVWZZZ1JZ3W{number:06}"


def earlier(time: str, times: str = "1") -> str:
    """For ``SET``: what vehicles were offered, and the last they were heard, is so long ago by now."""
    ago = f"interval '{time}' * {times}"
    return f"offered_at = offered_at - {ago}, heard_at = heard_at - {ago}"


def car(number: int, *, hw_id: str = "EVO14", sw_version: str = "1.3.0", **facts: Any) -> Vehicle:
    """A vehicle that the package fits, unless its facts say otherwise."""
    radar = {"name": "Radar", "hw_id": hw_id, "sw_version": sw_version}
    return Vehicle.model_validate({"vin": vin(number), "model": "Model_Y", "ecus": [radar]} | facts)


def cars(count: int, first: int = 0, **facts: Any) -> list[Vehicle]:
    return [car(number, **facts) for number in range(first, first + count)]


def define(**changes: Any) -> Definition:
    return Definition.model_validate({"name": "Winter", "package": "Pkg", "phases": ALL, "seed": 7} | changes)


def watch(campaign_id: int, **changes: Any) -> Watch:
    order = {
        "campaign_id": campaign_id,
        "seq": 1,
        "phase": 1,
        "mode": Mode.ROLLING_OUT,
        "checkpoint_at": datetime(2100, 1, 1, tzinfo=UTC),
        "quorum_percent": Decimal(100),
        "deadline": timedelta(days=14),
    }
    return Watch.model_validate(order | changes)


class Fleet:
    """The worker's side: vehicles, campaigns, the gate, and every row to look at."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = create_engine(url, poolclass=NullPool)
        self._open = self.engine.connect()
        self.insert(ArtifactRow, sha256=SHA256, sha1="b", md5="c", size_bytes=7)
        self.insert(PackageRow, name="Pkg", digest=PACKAGE.digest, body=PACKAGE.model_dump(mode="json"))

    @classmethod
    def looking(cls, url: str) -> Self:
        """A second connection to a fleet that exists."""
        fleet = cls.__new__(cls)
        fleet.url, fleet.engine = url, create_engine(url, poolclass=NullPool)
        fleet._open = fleet.engine.connect()
        return fleet

    def close(self) -> None:
        self._open.close()
        self.engine.dispose()

    def add(self, vehicles: Iterable[Vehicle]) -> list[int]:
        """Write vehicles; their ids in the same order."""
        vehicles = list(vehicles)
        with self._open.begin():
            ids = add_vehicles(self._open, vehicles)
            keep_candidates(self._open, ids)
        return ids

    def change(self, facts: str) -> None:
        """Change what is known of all vehicles, as an import of changed records does."""
        self.run(f"UPDATE vehicle SET {facts}")
        self.run("DO $$ BEGIN PERFORM keep_candidates(ARRAY(SELECT id FROM vehicle)); END $$")

    def launch(self, definition: Definition | None = None, *, start: bool = True, **changes: Any) -> int:
        """A campaign with its targets frozen; with ``start`` its gate is open and phase 1 released."""
        definition = definition or define(**changes)
        with self._open.begin():
            campaign = register(self._open, definition, definition.name, "run").campaign_id
            select_targets(self._open, campaign)
        if start:
            self.open(campaign, 1)
            self.tick(campaign)
        return campaign

    def register(self, definition: Definition, run: str = "run") -> dict[int, int]:
        with self._open.begin():
            return register(self._open, definition, definition.name, run).sizes

    def select(self, campaign: int) -> dict[int, int]:
        with self._open.begin():
            return select_targets(self._open, campaign)

    def open(self, campaign: int, seq: int, *, new_window: bool = False, lease: timedelta = HOUR) -> None:
        with self._open.begin():
            gate.open_gate(self._open, campaign, seq, State.ROLLING_OUT, lease, new_window=new_window)

    def shut(self, campaign: int, seq: int, *, cancel_started: bool = False) -> Exposed:
        with self._open.begin():
            return gate.shut_gate(self._open, campaign, seq, State.PAUSED, cancel_started=cancel_started)

    def finish(self, campaign: int, seq: int) -> dict[Target, int]:
        with self._open.begin():
            return gate.finish(self._open, campaign, seq, State.COMPLETED, cancel_started=False).by_state

    def tick(self, campaign: int, *, lease: timedelta = HOUR, **changes: Any) -> Observation:
        with self._open.begin():
            seen = supervision.tick(self._open, watch(campaign, **changes), lease)
        self.assert_remembered(campaign)
        return seen

    def assert_remembered(self, campaign: int) -> None:
        """What was counted and judged, and is remembered, is what is found by counting anew."""
        remembered = self.judged(campaign)
        memory.cache_clear()
        assert remembered == self.judged(campaign)
        self.assert_as_grouped(campaign, remembered)

    def assert_as_grouped(self, campaign: int, found: list[Judged]) -> None:
        """What was added up here is what the database groups."""
        key = {"id": campaign, "phases": [each.guarded.phase for each in found]}
        with connect(self.url) as connection:
            telling = connection.execute("SELECT cohorts FROM campaign WHERE id = %(id)s", key).fetchone()
            asked = {**key, "cohorts": telling[0] if telling else []}
            counts: dict[int, dict[Target, int]] = defaultdict(dict)
            for phase, state, vehicles in connection.execute(_COUNTED, key).fetchall():
                counts[phase][Target(state)] = vehicles
            cohorts = by_cohort(connection.execute(BY_COHORT_SQL, asked).fetchall())
            tallies = by_phase(connection.execute(TALLIES_SQL, [[campaign]]).fetchall())
            stretches = connection.execute(_STRETCHES, key).fetchall()
            matured = {row[0]: row[1:] for row in connection.execute(_MATURED, key).fetchall()}
        for each in found:
            phase, sums = each.guarded.phase, each.sums.counted
            _assert_by_time(each.sums, [row[1:] for row in stretches if row[0] == phase])
            late = each.sums.overdue
            assert (late.vehicles, late.quiet, late.failed) == matured.get(phase, (0, 0, 0))
            assert sums.everybody == tallies.get((campaign, phase), Tally())
            assert sums.window.by_state == counts[phase]
            bad = FAILURES | {Target.STALLED}
            grouped = [(name, mine) for name, mine in cohorts.get(phase, NO_PARTS).tallies() if mine.of(bad)]
            assert list(sums.cohorts.tallies()) == grouped

    def judged(self, campaign: int) -> list[Judged]:
        with self._open.begin():
            return judged(self._open, campaign)

    def insert(self, table: Any, **values: Any) -> None:
        with self._open.begin():
            self._open.execute(table.__table__.insert().values(**values))

    def run(self, statement: str, **values: Any) -> int:
        with self._open.begin():
            return self._open.execute(text(statement), values).rowcount

    def rows(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        with self._open.begin():
            return [tuple(row) for row in self._open.execute(text(statement), values)]

    def value(self, statement: str, **values: Any) -> Any:
        [[value]] = self.rows(statement, **values)
        return value

    def states(self, campaign: int) -> dict[int, str]:
        """The state of each target by vehicle id."""
        found = self.rows("SELECT vehicle_id, state FROM assignment WHERE campaign_id = :c", c=campaign)
        return {row[0]: row[1] for row in found}

    def state(self, vehicle: int, campaign: int) -> str:
        return self.states(campaign)[vehicle]

    def targets(self, campaign: int) -> dict[str, int]:
        """The phase of each target by VIN."""
        found = self.rows(
            "SELECT vin, phase FROM assignment JOIN vehicle ON id = vehicle_id WHERE campaign_id = :c",
            c=campaign,
        )
        return {row[0]: row[1] for row in found}

    def gate_open(self, campaign: int) -> bool:
        return bool(self.value("SELECT gate_open FROM campaign WHERE id = :c", c=campaign))

    def put(self, campaign: int, state: Target, vehicles: Sequence[int] | None = None) -> None:
        """Move targets to a state past all rules, as if their first offer had led there."""
        self.run(
            "UPDATE assignment SET state = :state, attempt = 1, offered_at = now(), heard_at = now(), "
            "files = -1, fetched_at = CASE WHEN :state = 'offered' THEN NULL ELSE now() END "
            "WHERE campaign_id = :c AND (CAST(:v AS int[]) IS NULL OR vehicle_id = ANY(:v))",
            state=state.value,
            c=campaign,
            v=None if vehicles is None else list(vehicles),
        )

    def install(self, campaign: int, vehicles: Sequence[int], hours: float) -> None:
        """As if vehicles had begun to install so many hours ago, together, and said nothing since."""
        self.run("UPDATE campaign SET window_began_at = least(window_began_at, now() - interval '2 days')")
        self.put(campaign, Target.INSTALLING, vehicles)
        self.run(
            "UPDATE assignment SET slice = now() - make_interval(mins => CAST(:hours * 60 AS int)), "
            "offered_at = now() - make_interval(mins => CAST(:hours * 60 AS int)), "
            "heard_at = now() - make_interval(mins => CAST(:hours * 60 AS int)) "
            "WHERE campaign_id = :c AND vehicle_id = ANY(:v)",
            hours=hours,
            c=campaign,
            v=list(vehicles),
        )

    def everything(self) -> dict[str, list[tuple[Any, ...]]]:
        """All rows a campaign is made of."""
        tables = (
            "campaign", "phase", "configuration", "assignment", "tally", "slice", "matured",
            "evidence_window", "withdrawal", "consent", "report", "journal", "ecu",
        )  # fmt: skip
        return {name: self.rows(f"SELECT * FROM {name} ORDER BY 1, 2, 3, 4") for name in tables}

    def assert_tally(self) -> None:
        """Tally and slices are what they count, and no more is acknowledged than there is."""
        counted = self.rows(
            "SELECT campaign_id, phase, configuration_id, state, count(*)::int FROM assignment "
            "GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"
        )
        kept = self.rows(
            "SELECT campaign_id, phase, configuration_id, state, vehicles FROM tally WHERE vehicles <> 0 "
            "ORDER BY 1, 2, 3, 4"
        )
        assert kept == counted
        each = ", ".join(f"count(*) FILTER (WHERE state = '{state}')::int" for state in BEGUN)
        counted = self.rows(
            f"SELECT campaign_id, phase, slice, {each} FROM assignment "
            f"WHERE slice IS NOT NULL AND state IN ({sql_list(BEGUN)}) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
        )
        kept = self.rows(
            f"SELECT campaign_id, phase, began, {', '.join(BEGUN)} FROM slice AS s "
            f"WHERE {BEGUN_IN_SLICE_SQL} > 0 ORDER BY 1, 2, 3"
        )
        assert kept == counted
        wrong = "SELECT * FROM tally WHERE acknowledged > vehicles OR acknowledged < 0"
        assert self.rows(wrong) == []

    def assert_candidates(self) -> None:
        """Selections see every vehicle, as it is now."""
        assert self.rows(WRONG) == []

    def package(self, name: str) -> Package:
        with connect(self.url) as connection:
            return registered_package(connection, name)


def _assert_by_time(sums: Sums, rows: Sequence[tuple[Any, ...]]) -> None:
    by_stretch: dict[Any, Counter[Target]] = {}
    braking: Counter[bool] = Counter()
    for stretch, matured, word, vehicles in rows:
        state = Target(word)
        by_stretch.setdefault(stretch, Counter())[state] += vehicles
        if matured or state in HARMED:
            braking[state is not Target.SUCCEEDED] += vehicles
    assert [tally.by_state for _, tally in sums.stretches.tallies()] == list(by_stretch.values())
    assert sums.braking == Matured(vehicles=braking.total(), bad=braking[True])


def add_vehicles(connection: Connection, vehicles: Sequence[Vehicle]) -> list[int]:
    records = [
        {
            **vehicle.model_dump(mode="json", by_alias=True, exclude_none=True, include=_FACTS),
            "groups": list(vehicle.groups),
            "lot": lot(vehicle.vin),
            "ecus": [ecu.model_dump() for ecu in vehicle.ecus],
        }
        for vehicle in vehicles
    ]
    for vehicle in vehicles:
        for name in vehicle.vin_lists:
            connection.exec_driver_sql(
                "INSERT INTO vin_list (name, vin) VALUES (%s, %s)", (name, vehicle.vin)
            )
    added = connection.exec_driver_sql(_VEHICLES, (Jsonb(records),)).fetchall()
    ids = {row[1]: row[0] for row in added}
    for vehicle in vehicles:
        if vehicle.update_preference is not None:
            said = (vehicle.update_preference.value, ids[vehicle.vin])
            connection.exec_driver_sql("UPDATE vehicle SET update_preference = %s WHERE id = %s", said)
    return [ids[vehicle.vin] for vehicle in vehicles]


def keep_candidates(connection: Connection, ids: Sequence[int]) -> None:
    """What an import writes for the selections of vehicles."""
    connection.exec_driver_sql("SELECT keep_candidates(%s::int[])", (list(ids),))


class Gateway:
    """The vehicles' side: one connection, one transaction a call, as the gateway does it."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection

    async def admit(self, *vehicles: int) -> dict[int, int]:
        async with self.connection.transaction():
            return await admission.admit(self.connection, vehicles)

    async def admissible(self, vehicle: int) -> bool:
        """Whether its poll would ask for an offer."""
        found = await self.connection.execute("SELECT vin FROM vehicle WHERE id = %s", [vehicle])
        standing = await polls.standings(self.connection, [row[0] for row in await found.fetchall()])
        return next(iter(standing.values())).admissible

    async def begin(self, vehicle: int, action: int, sha256: str = SHA256) -> bool:
        async with self.connection.transaction():
            return await begin(self.connection, vehicle, action, sha256)

    async def record(self, *group: Report) -> list[Effect]:
        if self.connection.info.transaction_status is TransactionStatus.IDLE:
            return await reports.record_group(self.connection, group)
        return await reports.record(self.connection, group)

    async def say(
        self, vehicle: int, action: int, execution: str, finished: str = "none", *details: str
    ) -> Effect:
        [effect] = await self.record(report(vehicle, action, execution, finished, *details))
        return effect

    async def configure(
        self, vehicle: int, says: Mapping[str, str], mode: configuration.Mode = "merge"
    ) -> None:
        """The vehicle tells its configuration."""
        async with self.connection.transaction():
            await configuration.put_config(self.connection, vehicle, mode, dict(says))

    async def standing(self, number: int) -> Standing:
        """Where the vehicle of `car(number)` stands, as its poll sees it."""
        return (await polls.standings(self.connection, [vin(number)]))[vin(number)]

    async def ask(self, vehicle: int, action: int) -> bool:
        """Whether there is something to confirm; if so, the owner was asked."""
        async with self.connection.transaction():
            return await consent.question(self.connection, vehicle, action) is not None

    async def answer(self, vehicle: int, action: int, word: Consent) -> Heard:
        async with self.connection.transaction():
            return await consent.hear(self.connection, vehicle, action, word, ())

    async def wishes(self) -> dict[int, bool]:
        """Of which vehicles the gateway wants to know their configuration, by vehicle id."""
        found = await self.connection.execute("SELECT vin FROM vehicle")
        standing = await polls.standings(self.connection, [row[0] for row in await found.fetchall()])
        return {each.vehicle_id: each.config_wanted for each in standing.values()}

    async def start(self, vehicle: int) -> int:
        """Admitted, fetched, installing: the action."""
        action = (await self.admit(vehicle))[vehicle]
        assert await self.begin(vehicle, action)
        assert await self.say(vehicle, action, "proceeding") is Effect.RECORDED
        return action


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Gateway]:
    async with await connect_for_groups(url) as connection:
        yield Gateway(connection)


@asynccontextmanager
async def another_makes_it(fleet: Fleet, vehicle: int, ecu: str, version: str) -> AsyncIterator[None]:
    """While the block runs another transaction gives an ECU of this vehicle a version. Its variant is not
    there for others before the block ends, and they wait for it."""
    async with connected(fleet.url) as other, other.connection.transaction():
        changed = "UPDATE ecu SET sw_version = %s WHERE vehicle_id = %s AND name = %s"
        await other.connection.execute(changed, [version, vehicle, ecu])
        yield


@asynccontextmanager
async def software_locked(fleet: Fleet, vehicle: int) -> AsyncIterator[AsyncConnection]:
    """The connection of somebody who is about to change the software of a vehicle, until the block ends."""
    async with connected(fleet.url) as other, other.connection.transaction(), asyncio.timeout(20):
        await lock_software(other.connection, [vehicle])
        yield other.connection


def report(
    vehicle: int,
    action: int,
    execution: str = "closed",
    finished: str = "none",
    *details: str,
    channel: Channel = "deployment",
    code: int | None = None,
) -> Report:
    return Report(
        vehicle, action, channel, Said(execution=execution, finished=finished, details=details, code=code)
    )


def closing(campaign: int, vehicles: Iterable[int], finished: str, attempt: int = 1) -> list[Report]:
    """Closing reports of several vehicles on the same attempt."""
    return [report(vehicle, action_id(campaign, attempt), "closed", finished) for vehicle in vehicles]


async def until(condition: Callable[[], bool]) -> None:
    """Returns when the condition holds; everything else runs meanwhile."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  what is waited for is rows of a database
            await asyncio.sleep(0)


async def waiting_for_a_lock(fleet: Fleet, sessions: int = 1) -> None:
    """Returns when so many sessions of this database wait for rows that others hold."""
    waiting = "datname = current_database() AND wait_event_type = 'Lock'"
    query = f"SELECT count(*) FROM pg_stat_activity WHERE {waiting}"
    await until(lambda: fleet.value(query) >= sessions)

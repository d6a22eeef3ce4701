"""Fleets of models of their own, so that tests share one system and never each other's vehicles."""

import asyncio
import itertools
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import yaml
from rich.console import Console

from campaign.definition import parse
from campaign.journal import Line
from commands.client import Campaigns, Launched, NoAnswer
from commands.local import System
from commands.view import view
from runtime.embedded_temporal import temporal_program
from runtime.settings import Settings
from simulator import Fleet, Script, as_built
from store import journal
from store.connect import connect, engine
from store.fleet import issue_tokens
from store.fleet_import import Imported, import_fleet
from store.packages import read_package, register
from workflows.status import Status

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = ROOT / "examples" / "winter-package.yaml"
RADAR, LATE_RADAR = "BOSCH-MRR-EVO14", "BOSCH-MRR-EVO15"
#: No test builds more vehicles at once.
BLOCK = 1000

#: A test that needs the same vehicles in every run takes one of the first blocks, which no other test has.
_blocks = itertools.count(100)


@dataclass(frozen=True)
class Vehicles:
    """Some vehicles of one model, known to the system, with their tokens."""

    model: str
    records: list[dict[str, Any]]
    tokens: dict[str, str]

    @property
    def vins(self) -> list[str]:
        return [record["vin"] for record in self.records]

    def __add__(self, other: "Vehicles") -> "Vehicles":
        """Both, to be driven together."""
        return Vehicles(self.model, self.records + other.records, self.tokens | other.tokens)

    def part(self, begin: int, end: int | None = None) -> "Vehicles":
        """Some of them, by their place."""
        return replace(self, records=self.records[begin:end])


class Garage:
    """Builds vehicles, drives them and looks into the database."""

    def __init__(self, running: System, settings: Settings) -> None:
        self._running = running
        self._settings = settings

    @property
    def artifacts(self) -> Path:
        """Where the files of packages are kept."""
        return self._settings.artifacts

    def build(
        self,
        count: int,
        block: int | None = None,
        late_radars: int | None = None,
        wishes: Sequence[Mapping[str, Any]] = (),
    ) -> Vehicles:
        """Vehicles of a model nobody else has, imported from an as-built file, with the demo's package.

        Args:
            block: which of the simulator's vehicles, so that chance falls alike in every run; None: any.
            late_radars: how many, the last ones, have the newer radar; None: as they were built, a tenth.
            wishes: what the as-built file says besides of so many vehicles, the last ones.
        """
        block = next(_blocks) if block is None else block
        model = f"Model_{block}"
        records = [{**record, "model": model} for record in as_built(count, seed=7, first=block * BLOCK)]
        if late_radars is not None:
            for number, record in enumerate(records):
                record["ecus"][0]["hw_id"] = LATE_RADAR if number >= count - late_radars else RADAR
        tokens = self._settings.data_dir / f"{model}.tokens"
        source = ROOT / "examples" / "artifacts"
        with connect(self._running.database_url) as connection:
            assert self._import(connection, model, records, wishes).inserted == count
            issue_tokens(connection, tokens, [record["vin"] for record in records])
            package = read_package(PACKAGE, source)
            register(connection, package, source, self._settings.artifacts)
        lines = [json.loads(line) for line in tokens.read_text().splitlines()]
        return Vehicles(model, records, {line["vin"]: line["token"] for line in lines})

    def rewrite(self, vehicles: Vehicles, wishes: Sequence[Mapping[str, Any]]) -> None:
        """Import the vehicles once more, with other wishes of the owners of the last ones."""
        with connect(self._running.database_url) as connection:
            imported = self._import(connection, vehicles.model, vehicles.records, wishes)
        assert imported.updated == len(wishes)

    def _import(
        self,
        connection: psycopg.Connection[Any],
        model: str,
        records: Sequence[dict[str, Any]],
        wishes: Sequence[Mapping[str, Any]],
    ) -> Imported:
        for record, wish in zip(records[len(records) - len(wishes) :], wishes, strict=True):
            record.update(wish)
        file = self._settings.data_dir / f"{model}.jsonl"
        file.write_text("\n".join(map(json.dumps, records)))
        return import_fleet(connection, file)

    def package(self, name: str, content: bytes | None = None) -> str:
        """The demo's package under another name and with a file of its own."""
        folder = self._settings.data_dir / name
        folder.mkdir()
        document = yaml.safe_load(PACKAGE.read_text())
        document["name"] = name
        document["modules"][0]["artifact"] = {"filename": f"{name}.swu"}
        (folder / f"{name}.swu").write_bytes(content or name.encode() * 1000)
        (folder / "package.json").write_text(json.dumps(document))
        with connect(self._running.database_url) as connection:
            package = read_package(folder / "package.json", folder)
            register(connection, package, folder, self._settings.artifacts)
        return name

    def drive(self, vehicles: Vehicles, script: Script | None = None, **more: Any) -> Fleet:
        """The vehicles on the road: they poll, download, install and report."""
        return Fleet(
            self._running.gateway_url,
            self._settings.tenant,
            vehicles.records,
            vehicles.tokens,
            seed=7,
            script=script,
            pace=more.pop("pace", 20.0),
            spread_seconds=0.5,
            **more,
        )

    @contextmanager
    def database(self) -> Iterator[psycopg.Connection[Any]]:
        """The database of the running system."""
        with connect(self._running.database_url) as connection:
            yield connection

    def states(self, campaign_id: int) -> dict[str, int]:
        """How many assignments of a campaign are in each state."""
        with self.database() as connection:
            rows = connection.execute(
                "SELECT state, count(*) FROM assignment WHERE campaign_id = %s GROUP BY 1", [campaign_id]
            )
            return dict(rows.fetchall())

    def attempts(self, campaign_id: int, state: str) -> dict[int, int]:
        """How often the vehicles in a state have been offered the update."""
        with self.database() as connection:
            rows = connection.execute(
                "SELECT attempt, count(*) FROM assignment WHERE campaign_id = %s AND state = %s GROUP BY 1",
                [campaign_id, state],
            )
            return dict(rows.fetchall())

    def consents(self, campaign_id: int) -> Counter[str]:
        """What the owners who were asked said last."""
        with self.database() as connection:
            rows = connection.execute(
                "SELECT DISTINCT ON (vehicle_id) state FROM consent WHERE campaign_id = %s"
                " ORDER BY vehicle_id, id DESC",
                [campaign_id],
            ).fetchall()
        return Counter(state for (state,) in rows if state != "asked")

    def journal(self, campaign_id: int) -> list[Line]:
        """All that was written down about a campaign."""
        source = engine(self._running.database_url)
        with source.connect() as connection:
            lines = journal.read(connection, campaign_id)
        source.dispose()
        return lines

    def end_back_offs(self, campaign_id: int) -> None:
        """As if the minutes were over for which deferred vehicles are left in peace."""
        with self.database() as connection:
            connection.execute(
                "UPDATE assignment SET not_before = clock_timestamp() WHERE campaign_id = %s", [campaign_id]
            )

    def lease_lapsed(self, campaign_id: int) -> bool:
        """Whether the delivery lease of a campaign has run out."""
        with self.database() as connection:
            row = connection.execute(
                "SELECT lease_until < clock_timestamp() FROM campaign WHERE id = %s", [campaign_id]
            ).fetchone()
        return row == (True,)


def definition(vehicles: Vehicles, *phases: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A definition for these vehicles; one phase for all of them when none is given.

    So few vehicles prove no rate: nobody is asked about that unless the test says otherwise.
    """
    return {
        "name": f"Campaign {vehicles.model}",
        "package": "Pkg_v2.4",
        "criteria": vehicles.model,
        "promotion": {"on_inconclusive": "advance_within_budget"},
        "phases": list(phases) or [{"name": "all", "rollout_percent": 100}],
        **more,
    }


async def launch(campaigns: Campaigns, document: dict[str, Any], *, approve: bool = True) -> Launched:
    """Launch, and approve unless told otherwise."""
    launched = await campaigns.launch(document, parse(document, datetime.now(UTC)))
    if approve:
        await campaigns.command(launched.workflow_id, "approve", "test", "")
    return launched


async def until(
    campaigns: Campaigns, name: str, condition: Callable[[Status], bool], seconds: float = 60
) -> Status:
    """The first status that meets the condition; fails with the last one seen when none does in time."""
    last: Status | None = None
    try:
        async with asyncio.timeout(seconds):
            while True:
                # While a worker that was killed is given up, nobody answers; that is no failure of the test.
                with suppress(NoAnswer):
                    last = await campaigns.status(name)
                    if condition(last):
                        return last
                await asyncio.sleep(0.1)  # the poll interval of a condition, not a wait for time to pass
    except TimeoutError:
        raise AssertionError(f"not within {seconds} s; the last status: {last}") from None


async def eventually(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Returns once the condition holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  (the condition is another process's)
            await asyncio.sleep(0.1)


async def settled(campaigns: Campaigns, name: str) -> Status:
    """The campaign, paused, when nobody is under way any more."""
    return await until(campaigns, name, lambda status: status.stage == "Paused" and not under_way(status))


def under_way(status: Status) -> int:
    """How many vehicles are offered, downloading or installing."""
    return sum(phase.in_flight for phase in status.phases)


def by_state(status: Status) -> dict[str, int]:
    """How many vehicles of all phases are in each state."""
    return dict(sum((Counter(phase.by_state) for phase in status.phases), Counter()))


def screen(status: Status) -> str:
    """What a terminal shows of it."""
    console = Console(width=120)
    with console.capture() as captured:
        console.print(view(status))
    return captured.get()


def stage(*stages: str) -> Callable[[Status], bool]:
    """Whether a status is in one of the stages."""
    return lambda status: status.stage in stages


async def program(environment: dict[str, str], *words: str) -> tuple[int, str, str]:
    """Run a program in the project's folder: exit status, standard output, standard error."""
    process = await asyncio.create_subprocess_exec(
        *words,
        cwd=ROOT,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, out.decode(), errors.decode()


async def starter(environment: dict[str, str], *words: str) -> str:
    """Run ``starter.py``; its standard output."""
    status, out, errors = await program(environment, sys.executable, "starter.py", *words)
    assert status == 0, errors
    return out


async def temporal(environment: dict[str, str], *words: str) -> str:
    """Run the ``temporal`` command line; its standard output."""
    status, out, errors = await program(environment, str(temporal_program()), *words)
    assert status == 0, errors
    return out

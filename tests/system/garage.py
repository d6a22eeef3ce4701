"""Fleets of models of their own, so that tests share one system and never each other's vehicles."""

import asyncio
import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from campaign.definition import parse
from commands.client import Campaigns, Launched, NoAnswer
from commands.local import System
from runtime.embedded_temporal import temporal_program
from runtime.settings import Settings
from simulator import Fleet, Script, as_built
from store.connect import connect
from store.fleet import issue_tokens
from store.fleet_import import import_fleet
from store.packages import read_package, register
from workflows.status import Status

ROOT = Path(__file__).resolve().parent.parent.parent
#: No test builds more vehicles at once.
BLOCK = 200

_numbers = itertools.count()


@dataclass(frozen=True)
class Vehicles:
    """Some vehicles of one model, known to the system, with their tokens."""

    model: str
    records: list[dict[str, Any]]
    tokens: dict[str, str]

    @property
    def vins(self) -> list[str]:
        return [record["vin"] for record in self.records]


class Garage:
    """Builds vehicles, drives them and looks into the database."""

    def __init__(self, running: System, settings: Settings) -> None:
        self._running = running
        self._settings = settings

    def build(self, count: int) -> Vehicles:
        """Vehicles of a model nobody else has, imported from an as-built file, with the demo's package."""
        number = next(_numbers)
        model = f"Model_{number}"
        # A larger fleet begins with the vehicles of a smaller one: each model takes the next block.
        built = as_built((number + 1) * BLOCK, seed=7)
        mine = itertools.islice(built, number * BLOCK, number * BLOCK + count)
        records = [{**record, "model": model} for record in mine]
        file = self._settings.data_dir / f"{model}.jsonl"
        file.write_text("\n".join(map(json.dumps, records)))
        tokens = self._settings.data_dir / f"{model}.tokens"
        source = ROOT / "examples" / "artifacts"
        with connect(self._running.database_url) as connection:
            imported = import_fleet(connection, file)
            assert imported.inserted == count
            issue_tokens(connection, tokens, [record["vin"] for record in records])
            package = read_package(ROOT / "examples" / "winter-package.yaml", source)
            register(connection, package, source, self._settings.artifacts)
        lines = [json.loads(line) for line in tokens.read_text().splitlines()]
        return Vehicles(model, records, {line["vin"]: line["token"] for line in lines})

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

    def lease_lapsed(self, campaign_id: int) -> bool:
        """Whether the delivery lease of a campaign has run out."""
        with self.database() as connection:
            row = connection.execute(
                "SELECT lease_until < clock_timestamp() FROM campaign WHERE id = %s", [campaign_id]
            ).fetchone()
        return row == (True,)


def definition(vehicles: Vehicles, *phases: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A definition for these vehicles; one phase for all of them when none is given."""
    return {
        "name": f"Campaign {vehicles.model}",
        "package": "Pkg_v2.4",
        "criteria": vehicles.model,
        "phases": list(phases) or [{"rollout_percent": 100}],
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


async def temporal(environment: dict[str, str], *words: str) -> str:
    """Run the ``temporal`` command line; its standard output."""
    status, out, errors = await program(environment, str(temporal_program()), *words)
    assert status == 0, errors
    return out

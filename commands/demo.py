"""A whole campaign on this machine, shown live: real servers, real HTTP, a simulated fleet."""

import asyncio
import os
import shutil
import subprocess
import sys
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from commands.client import Campaigns, campaigns
from commands.documents import read_definition
from commands.local import ROOT, System, system
from commands.output import AsJson, one_line_errors, print_json
from commands.view import view
from runtime.errors import EmbeddedServerFault
from runtime.logging import configure_logging
from runtime.processes import free_port, port_is_free
from runtime.settings import Settings, load_settings
from store.connect import connect
from store.fleet import issue_tokens
from store.fleet_import import import_fleet
from store.packages import read_package, register
from workflows.status import Status

EXIT_CODES = "Exit codes: 0 the campaign ended, 2 wrong usage, 3 a server did not start or died."

DEFINITION = ROOT / "examples" / "winter-optimization.yaml"
PACKAGE = ROOT / "examples" / "winter-package.yaml"

#: Simulated vehicles work four times as fast as real ones would in this little play.
PACE = "4"
SEED = "7"

#: The show goes to standard error, so that --json has standard output for itself.
console = Console(stderr=True)


class Scenario(StrEnum):
    """What happens to the vehicles."""

    HEALTHY = "healthy"
    FAULTY = "faulty"


class Unattended(StrEnum):
    """Who decides when nobody is there to ask."""

    EXCLUDE = "exclude"
    RESUME = "resume"
    ABORT = "abort"


def demo(
    scenario: Annotated[Scenario, typer.Option(help="What happens to the vehicles.")] = Scenario.HEALTHY,
    unattended: Annotated[
        Unattended | None, typer.Option(help="What to do at a pause; without it, it waits for you.")
    ] = None,
    vehicles: Annotated[int, typer.Option(min=20, max=20_000, help="The size of the fleet.")] = 2_000,
    as_json: AsJson = False,
) -> None:
    """Run a whole campaign on embedded servers with a simulated fleet, shown live.

    Example: starter.py demo --scenario faulty --unattended abort
    """
    with one_line_errors():
        settings = _settings()
        configure_logging(settings)
        console.print("starting Temporal, PostgreSQL, a worker and the gateway …")
        with system(settings, port=_port(7233), ui_port=_port(8233)) as running:
            running.start_worker()
            running.start_gateway()
            # From here on our own client reaches the system as any other process would.
            os.environ.update(running.environment)
            _fill(running, settings, vehicles)
            _start_fleet(running, settings, scenario)
            status = asyncio.run(_campaign(running, load_settings(), unattended))
            if as_json:
                print_json(status.model_dump(mode="json"))


def _settings() -> Settings:
    """Everything of an earlier demo is removed; waits are short, so that there is something to see."""
    folder = load_settings().data_dir / "demo"
    if _in_use(folder):
        raise EmbeddedServerFault(f"another demo runs in {folder}; stop it, or set RINGMASTER_DATA_DIR")
    shutil.rmtree(folder, ignore_errors=True)
    return load_settings(
        data_dir=folder,
        database_url=None,
        gateway_port=_port(8484),
        tick=timedelta(seconds=1),
        lease=timedelta(seconds=10),
        poll_interval=timedelta(seconds=3),
        poll_interval_idle=timedelta(seconds=3),
        log_level="WARNING",
    )


def _fill(running: System, settings: Settings, vehicles: int) -> None:
    """Import a fleet from an as-built file, issue tokens, register the package."""
    file = settings.data_dir / "fleet.jsonl"
    _simulator("fleet", "--vehicles", str(vehicles), "--seed", SEED, "--out", str(file))
    with connect(running.database_url) as connection:
        imported = import_fleet(connection, file)
        issue_tokens(connection, settings.data_dir / "tokens.jsonl")
        source = PACKAGE.parent / "artifacts"
        register(connection, read_package(PACKAGE, source), source, settings.artifacts)
    console.print(f"{imported.inserted} vehicles imported from {_short(file)}, package registered")


def _start_fleet(running: System, settings: Settings, scenario: Scenario) -> None:
    words = ["run", "--gateway", running.gateway_url, "--fleet", str(settings.data_dir / "fleet.jsonl")]
    words += ["--tokens", str(settings.data_dir / "tokens.jsonl"), "--seed", SEED, "--pace", PACE]
    words += ["--scenario", scenario.value]
    running.processes.start(
        "fleet", [sys.executable, "-m", "simulator", *words], env={"PYTHONPATH": str(ROOT)}
    )


def _simulator(*words: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "simulator", *words],
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
    )


async def _campaign(running: System, settings: Settings, unattended: Unattended | None) -> Status:
    document, definition = read_definition(DEFINITION)
    async with campaigns(settings) as found:
        launched = await found.launch(document, definition)
        console.print(f"Temporal UI: {launched.url}")
        status = await found.command(launched.workflow_id, "approve", "demo", "approved by the demo")
        asked: tuple[int, str] = (0, "")
        with Live(view(status), console=console, refresh_per_second=4) as live:
            while status.stage not in ("Completed", "Aborted"):
                running.processes.check()
                culprit = status.breach.culprit if status.breach is not None else None
                question = (status.breaches, culprit.cohort if culprit is not None else "")
                if status.stage == "Paused" and status.breaches and question != asked:
                    asked = question
                    live.console.print(_what_to_do(launched.workflow_id, running, status, unattended))
                if unattended and _waits(status):
                    await found.command(launched.workflow_id, "promote", "demo", "unattended")
                if status.stage == "Paused" and unattended and _settled(status):
                    await _decide(found, launched.workflow_id, unattended, status)
                await asyncio.sleep(0.5)
                status = await found.status(launched.workflow_id)
                live.update(view(status))
        _summary(status)
        return status


async def _decide(found: Campaigns, workflow_id: str, unattended: Unattended, status: Status) -> None:
    """Do what was said beforehand; where no cohort stands out, there is none to leave out."""
    culprit = status.breach.culprit if status.breach is not None else None
    if unattended is Unattended.EXCLUDE and culprit is not None:
        console.print(await found.exclude(workflow_id, culprit.cohort, "demo", "unattended"))
        return
    action = "resume" if unattended is Unattended.EXCLUDE else unattended.value
    await found.command(workflow_id, action, "demo", "unattended")


def _waits(status: Status) -> bool:
    """Whether a phase has ended without proof and a person must say whether the next one begins."""
    return status.stage == "Active" and status.asks


def _settled(status: Status) -> bool:
    """A person would look at the failures before going on: nobody is in flight any more."""
    return status.as_of is not None and not any(phase.in_flight for phase in status.phases)


def _what_to_do(workflow_id: str, running: System, status: Status, unattended: Unattended | None) -> str:
    if unattended:
        return f"[yellow]{escape(status.why)}[/]\nunattended: will {unattended} when nobody is in flight"
    program = f"TEMPORAL_ADDRESS={running.environment['TEMPORAL_ADDRESS']} .venv/bin/python starter.py"
    culprit = status.breach.culprit if status.breach is not None else None
    exclude = f"  {program} exclude {workflow_id} {quote(culprit.cohort)} --reason '…'\n" if culprit else ""
    return (
        f"[yellow]{escape(status.why)}[/]\n"
        "Decide in the Temporal UI (Send a Signal: resume or abort), or in another terminal:\n"
        f"{exclude}"
        f"  {program} resume {workflow_id} --reason '…'\n"
        f"  {program} abort {workflow_id} --reason '…'"
    )


def _summary(status: Status) -> None:
    table = Table(title=f"{status.name}: {status.state}", title_justify="left", box=None)
    states = sorted({state for phase in status.phases for state in phase.by_state})
    table.add_column("phase")
    for state in states:
        table.add_column(state.replace("_", " "), justify="right")
    for phase in status.phases:
        table.add_row(phase.name, *(str(phase.by_state.get(state, 0)) for state in states))
    console.print(table)
    if status.breaches:
        console.print(
            "paused by its guards " + ("once" if status.breaches == 1 else f"{status.breaches} times")
        )
    console.print(status.why)


def _in_use(folder: Path) -> bool:
    """Whether a PostgreSQL works in the folder; its first line there is its process."""
    try:
        process = int((folder / "postgres" / "postmaster.pid").read_text().splitlines()[0])
        os.kill(process, 0)
    except (OSError, ValueError, IndexError):
        return False
    return True


def _port(usual: int) -> int:
    """The usual port, or another one where that is taken."""
    return usual if port_is_free("127.0.0.1", usual) else free_port()


def _short(path: Path) -> Path:
    """The path as seen from here, where that is shorter."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def add_to(app: typer.Typer) -> None:
    """Give an application this command."""
    app.command(epilog=EXIT_CODES)(demo)

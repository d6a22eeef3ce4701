"""The whole system on this machine, without Docker: servers, worker and gateway as child processes."""

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import typer

from commands.output import AsJson, one_line_errors, print_json
from runtime.database import database_url, migrate
from runtime.embedded_temporal import embedded_temporal
from runtime.processes import Child, Processes, answering
from runtime.settings import Settings, load_settings
from workflows import search

EXIT_CODES = "Exit codes: 0 stopped, 2 wrong usage, 3 a server did not start or died."

ROOT = Path(__file__).resolve().parent.parent

#: How often the children are looked at, in seconds.
LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class System:
    """A running system; ``environment`` is what a child process needs to reach it."""

    database_url: str
    ui_url: str
    gateway_url: str
    processes: Processes
    environment: Mapping[str, str]

    def start_worker(self) -> Child:
        """Start a worker; one more is no harm."""
        command = [sys.executable, str(ROOT / "worker.py")]
        return self.processes.start("worker", command, env=self.environment)

    def start_gateway(self) -> Child:
        """Start the gateway and wait until it answers."""
        ready = answering(f"{self.gateway_url}/health")
        command = [sys.executable, "-m", "gateway"]
        return self.processes.start("gateway", command, env=self.environment, ready=ready)


@contextmanager
def system(settings: Settings, *, port: int = 7233, ui_port: int = 8233) -> Iterator[System]:
    """PostgreSQL and Temporal with its UI, until the block ends; the caller starts worker and gateway.

    Raises:
        RuntimeFault: a port is taken, or a server did not start.
    """
    with ExitStack() as stack:
        url = stack.enter_context(database_url(settings))
        migrate(url)
        temporal = stack.enter_context(
            embedded_temporal(settings, search.REGISTERED, port=port, ui_port=ui_port)
        )
        environment = {
            **_as_environment(settings),
            "RINGMASTER_DATABASE_URL": url,
            "RINGMASTER_UI_URL": temporal.ui_url,
            "TEMPORAL_ADDRESS": temporal.address,
            "TEMPORAL_NAMESPACE": "default",
            "PYTHONPATH": str(ROOT),
        }
        processes = stack.enter_context(Processes(settings.data_dir / "logs"))
        yield System(url, temporal.ui_url, settings.gateway_url, processes, environment)


def _as_environment(settings: Settings) -> dict[str, str]:
    """The settings as a child process reads them."""
    return {
        "RINGMASTER_DATA_DIR": str(settings.data_dir.resolve()),
        "RINGMASTER_GATEWAY_HOST": settings.gateway_host,
        "RINGMASTER_GATEWAY_PORT": str(settings.gateway_port),
        "RINGMASTER_TICK": str(settings.tick.total_seconds()),
        "RINGMASTER_LEASE": str(settings.lease.total_seconds()),
        "RINGMASTER_POLL_INTERVAL": str(settings.poll_interval.total_seconds()),
        "RINGMASTER_POLL_INTERVAL_IDLE": str(settings.poll_interval_seldom.total_seconds()),
    }


def dev(
    temporal_port: int = typer.Option(7233, help="Where the embedded Temporal listens."),
    ui_port: int = typer.Option(8233, help="Where its UI listens."),
    as_json: AsJson = False,
) -> None:
    """Run Temporal, PostgreSQL, a worker and the gateway on this machine until Ctrl-C.

    Example: starter.py dev
    """
    with one_line_errors():
        settings = load_settings()
        with system(settings, port=temporal_port, ui_port=ui_port) as running:
            running.start_worker()
            running.start_gateway()
            _say_where(running, settings, as_json)
            try:
                while True:
                    running.processes.check()
                    time.sleep(LOOK_SECONDS)
            except (KeyboardInterrupt, SystemExit):
                typer.echo("stopping")


def _say_where(running: System, settings: Settings, as_json: bool) -> None:
    where = {
        "temporal_ui": running.ui_url,
        "temporal": running.environment["TEMPORAL_ADDRESS"],
        "gateway": running.gateway_url,
        "data_dir": str(settings.data_dir),
    }
    if as_json:
        print_json(where)
        return
    typer.echo(f"Temporal UI      {where['temporal_ui']}")
    typer.echo(f"Temporal         {where['temporal']}")
    typer.echo(f"vehicle gateway  {where['gateway']}")
    typer.echo(f"state and logs   {where['data_dir']}")
    typer.echo("Ctrl-C stops all; nothing is lost.")


def migrate_database(as_json: AsJson = False) -> None:
    """Bring the database to the schema of this version; may be repeated.

    Example: starter.py migrate
    """
    with one_line_errors(), database_url(load_settings()) as url:
        migrate(url)
        if as_json:
            print_json({"migrated": True})
        else:
            typer.echo("the database has the schema of this version")


def add_to(app: typer.Typer) -> None:
    """Give an application these commands."""
    app.command(epilog=EXIT_CODES)(dev)
    app.command("migrate", epilog=EXIT_CODES)(migrate_database)

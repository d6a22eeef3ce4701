"""`python -m simulator`: make a fleet, run a fleet."""

import asyncio
import logging
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import structlog
import typer

from simulator.asbuilt import as_built
from simulator.errors import InputError
from simulator.faults import scenario
from simulator.files import read_memories, read_records, read_tokens, write_memories, write_records
from simulator.fleet import Fleet

if sys.platform != "win32":  # uvloop is not made for Windows
    import uvloop

LOG_SECONDS = 5.0  # between two lines of totals

log = structlog.get_logger(__name__)
app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="A simulated vehicle fleet that speaks DDI."
)


@app.command()
def fleet(
    out: Annotated[Path, typer.Option(help="JSON Lines file to write.")],
    vehicles: Annotated[int, typer.Option(min=0, help="How many vehicles.")] = 2000,
    seed: Annotated[int, typer.Option(help="The same seed makes the same fleet.")] = 7,
    models: Annotated[str, typer.Option(help="Shares, such as Model_Y=0.8,Model_3=0.2.")] = "Model_Y=1",
) -> None:
    """Writes the as-built records of a fleet."""
    try:
        write_records(out, as_built(vehicles, seed, shares(models)))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


@app.command()
def run(
    fleet: Annotated[Path, typer.Option(help="As-built records, JSON Lines.")],
    tokens: Annotated[Path, typer.Option(help='JSON Lines of {"vin", "token"}.')],
    gateway: Annotated[str, typer.Option(help="URL of the gateway.")] = "http://127.0.0.1:8484",
    tenant: Annotated[str, typer.Option()] = "DEFAULT",
    seed: Annotated[int, typer.Option(help="Decides every draw of chance.")] = 7,
    scenario_name: Annotated[
        str, typer.Option("--scenario", help="healthy, faulty, or a YAML or JSON file.")
    ] = "healthy",
    pace: Annotated[
        float, typer.Option(help="Divides the time that downloads and installations take.")
    ] = 1.0,
    spread: Annotated[float, typer.Option(help="Seconds over which the first polls are spread.")] = 5.0,
    connections: Annotated[int, typer.Option(help="At most so many connections.")] = 64,
    state: Annotated[Path | None, typer.Option(help="JSON file that keeps what is installed.")] = None,
) -> None:
    """Runs the fleet against a gateway until it is interrupted."""
    try:
        memories = read_memories(state) if state else {}
        vehicles = Fleet(
            gateway,
            tenant,
            read_records(fleet),
            read_tokens(tokens),
            seed=seed,
            script=scenario(scenario_name),
            pace=pace,
            spread_seconds=spread,
            connections=connections,
            memories=memories,
        )
    except InputError as error:
        raise typer.BadParameter(str(error)) from error
    _log_to_stderr()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        try:
            runner.run(_run_until_signalled(vehicles))
        finally:
            if state:
                write_memories(state, memories)


def shares(text: str) -> dict[str, float]:
    """ "Model_Y=0.8,Model_3=0.2" as a mapping. Raises ValueError with the part that is not name=share."""
    parsed: dict[str, float] = {}
    for part in text.split(","):
        name, _, share = part.strip().partition("=")
        try:
            parsed[name] = float(share)
        except ValueError:
            raise ValueError(f"not name=share: {part!r}") from None
    return parsed


async def _run_until_signalled(vehicles: Fleet) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(stopping.set))
    async with vehicles:
        while not stopping.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), LOG_SECONDS)
            totals = {phase.value: count for phase, count in vehicles.totals.items()}
            log.info("fleet", **totals, troubles=dict(vehicles.troubles))


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    return uvloop.Loop if sys.platform != "win32" else None


def _log_to_stderr() -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


if __name__ == "__main__":
    app()

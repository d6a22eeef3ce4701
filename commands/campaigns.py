"""The commands that launch, watch and steer campaigns."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live

from commands.client import Campaigns, campaigns
from commands.documents import read_definition
from commands.output import AsJson, By, Reason, one_line_errors, print_json, print_table
from commands.view import view
from runtime.settings import Settings, load_settings
from workflows.status import Status

EXIT_CODES = "Exit codes: 0 done, 1 refused, 2 wrong usage, 3 Temporal or a worker out of reach."
WATCH_EXIT_CODES = (
    "Exit codes: 0 completed, 4 paused (with --until-paused), 5 aborted, else as for the others."
)

PAUSED, ABORTED = 4, 5

#: How often a terminal is brought up to date, in seconds.
LOOK_SECONDS = 1.0

Name = Annotated[str, typer.Argument(metavar="CAMPAIGN", help="Its workflow id or its name.")]


def run(work: Any) -> Any:
    """Run one coroutine function over the configured campaigns; errors end in one line."""
    with one_line_errors():
        return asyncio.run(_with_campaigns(load_settings(), work))


async def _with_campaigns(settings: Settings, work: Any) -> Any:
    async with campaigns(settings) as found:
        return await work(found)


def launch(
    file: Annotated[Path, typer.Argument(help="The definition, YAML or JSON.")],
    approve: Annotated[bool, typer.Option("--approve", help="Approve it at once, in your name.")] = False,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Start a campaign; it waits as a draft for its approval.

    Example: starter.py launch examples/winter-optimization.yaml --approve
    """
    with one_line_errors():
        document, definition = read_definition(file)

    async def work(found: Campaigns) -> tuple[str, str, Status]:
        launched = await found.launch(document, definition)
        status = launched.status
        if approve:
            status = await found.command(launched.workflow_id, "approve", by, "approved at launch")
        return launched.workflow_id, launched.url, status

    workflow_id, url, status = run(work)
    if as_json:
        print_json({"workflow_id": workflow_id, "url": url, "status": status.model_dump(mode="json")})
        return
    Console().print(view(status))
    typer.echo(f"{workflow_id}\n{url}")
    if not approve:
        typer.echo(f"approve it: starter.py approve {workflow_id}")


def list_campaigns(as_json: AsJson = False) -> None:
    """List all campaigns, the newest first.

    Example: starter.py list
    """
    rows = run(lambda found: found.listed())
    if as_json:
        print_json(rows)
        return
    columns = ("campaign", "state", "phase", "priority", "type", "failure_rate", "workflow", "started")
    print_table(columns, ([row[column] for column in columns] for row in rows))


def status(name: Name, as_json: AsJson = False) -> None:
    """Show where a campaign stands, why it stands still and what can be done.

    Example: starter.py status campaign-winter-optimization
    """
    current = run(lambda found: found.status(name))
    if as_json:
        print_json(current.model_dump(mode="json"))
        return
    Console().print(view(current))
    for line in current.notes[-10:]:
        typer.echo(f"{line.at:%Y-%m-%d %H:%M:%S} {line.actor}: {line.text}")


def watch(
    name: Name,
    until_paused: Annotated[bool, typer.Option("--until-paused", help="End also when it pauses.")] = False,
    as_json: AsJson = False,
) -> None:
    """Follow a campaign live until it ends; with --json, a line for each change.

    Example: starter.py watch campaign-winter-optimization
    """

    async def work(found: Campaigns) -> Status:
        current = await found.status(name)
        with _shown(as_json) as show:
            show(current)
            while not _watched(current, until_paused):
                await asyncio.sleep(LOOK_SECONDS)
                current = await found.status(name)
                show(current)
        return current

    ended = run(work)
    codes = {"Completed": 0, "Paused": PAUSED}
    raise typer.Exit(codes.get(ended.stage, ABORTED))


@contextmanager
def _shown(as_json: bool) -> Iterator[Callable[[Status], None]]:
    """What shows a status: a live panel, or a JSON line for each one that differs from the last."""
    if as_json:
        shown: list[Status] = []

        def write(current: Status) -> None:
            if shown[-1:] != [current]:
                shown[:] = [current]
                typer.echo(current.model_dump_json())

        yield write
        return
    with Live(console=Console()) as live:
        yield lambda current: live.update(view(current))


def _watched(current: Status, until_paused: bool) -> bool:
    return not current.next or (until_paused and current.stage == "Paused")


def _steer(name: str, action: str, by: str, reason: str, as_json: bool) -> None:
    current = run(lambda found: found.command(name, action, by, reason))
    if as_json:
        print_json(current.model_dump(mode="json"))
        return
    typer.echo(f"{current.name}: {current.state}" + (f" ({current.why})" if current.why else ""))


def approve(name: Name, by: By = "", reason: Reason = "", as_json: AsJson = False) -> None:
    """Approve a draft: the vehicles are selected and the roll-out begins at its start date.

    Example: starter.py approve campaign-winter-optimization --reason "release board 47"
    """
    _steer(name, "approve", by, reason, as_json)


def pause(name: Name, by: By = "", reason: Reason = "", as_json: AsJson = False) -> None:
    """Stop admitting vehicles; returns when the gate is shut.

    Example: starter.py pause campaign-winter-optimization --reason "noise at the hotline"
    """
    _steer(name, "pause", by, reason, as_json)


def resume(name: Name, by: By = "", reason: Reason = "", as_json: AsJson = False) -> None:
    """Go on after a pause, in a new evidence window: what has failed is known, what fails now counts.

    Example: starter.py resume campaign-winter-optimization --reason "cause found, not the update"
    """
    _steer(name, "resume", by, reason, as_json)


def abort(name: Name, by: By = "", reason: Reason = "", as_json: AsJson = False) -> None:
    """End a campaign for good; returns when the gate is shut.

    Example: starter.py abort campaign-winter-optimization --reason "superseded"
    """
    _steer(name, "abort", by, reason, as_json)


def promote(name: Name, by: By = "", reason: Reason = "", as_json: AsJson = False) -> None:
    """End the wait after the present phase now.

    Example: starter.py promote campaign-winter-optimization
    """
    _steer(name, "promote", by, reason, as_json)


def limits(
    name: Name,
    in_flight: Annotated[int | None, typer.Option(help="Vehicles offered or busy at once.")] = None,
    per_minute: Annotated[int | None, typer.Option(help="Admissions per minute.")] = None,
    in_flight_floor: Annotated[int | None, typer.Option(help="The least the brake allows.")] = None,
    harm_budget: Annotated[int | None, typer.Option(help="Vehicles a bad update may harm.")] = None,
    failure_limit: Annotated[str | None, typer.Option(help="The main guard's limit, such as 0.02.")] = None,
    guard: Annotated[
        list[str] | None, typer.Option(help="NAME=LIMIT of a guard, such as silence=0.05; repeatable.")
    ] = None,
    by: By = "",
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Change limits while a campaign runs, from the present phase on; journaled.

    Example: starter.py limits campaign-winter-optimization --in-flight 200 --reason "CDN load"
    """
    given = {
        "in_flight": in_flight,
        "per_minute": per_minute,
        "in_flight_floor": in_flight_floor,
        "harm_budget": harm_budget,
        "failure_limit": failure_limit,
        "guards": dict(_pairs(guard)) if guard else None,
    }
    request = {key: value for key, value in given.items() if value is not None} | {"by": by, "reason": reason}
    sentence = run(lambda found: found.set_limits(name, request))
    if as_json:
        print_json({"changed": sentence})
    else:
        typer.echo(sentence)


def _pairs(texts: list[str]) -> Iterator[tuple[str, str]]:
    for text in texts:
        name, equals, limit = text.partition("=")
        if not equals:
            raise typer.BadParameter(f"{text!r}: write NAME=LIMIT, such as silence=0.05")
        yield name, limit


def exclude(
    name: Name,
    cohort: Annotated[str, typer.Argument(help="DIMENSION=VALUE: hw_id, from_version, model or country.")],
    by: By = "",
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Leave a cohort out of a campaign and, if it is paused, go on with the others.

    Example: starter.py exclude campaign-winter-optimization hw_id=BOSCH-MRR-EVO15
    """
    sentence = run(lambda found: found.exclude(name, cohort, by, reason))
    if as_json:
        print_json({"changed": sentence})
    else:
        typer.echo(sentence)


def add_to(app: typer.Typer) -> None:
    """Give an application these commands."""
    for command in (launch, status, approve, pause, resume, abort, promote, exclude, limits):
        app.command(epilog=EXIT_CODES)(command)
    app.command("list", epilog=EXIT_CODES)(list_campaigns)
    app.command(epilog=WATCH_EXIT_CODES)(watch)

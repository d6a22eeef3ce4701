"""Before anything starts: who would get it, and why a vehicle is in or out."""

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from campaign.problems import Problem, Refused
from campaign.vin import check_vin
from commands.database import reading
from commands.documents import read_definition
from commands.output import EXIT_CODES, AsJson, one_line_errors, print_json, print_table
from runtime.settings import load_settings
from store.campaigns import check_against_fleet, resolve_package
from store.explain import explain_vehicle
from store.selection import forecast

File = Annotated[Path, typer.Argument(help="The definition, YAML or JSON.")]


def preview(
    file: File,
    samples: Annotated[int, typer.Option(min=0, max=50, help="VINs to show per phase.")] = 3,
    as_json: AsJson = False,
) -> None:
    """Count who would get an update, per phase, model, country, hardware and software; starts nothing.

    Example: starter.py preview examples/winter-optimization.yaml
    """
    with one_line_errors():
        _, definition = read_definition(file)
        with reading(load_settings()) as connection:
            package = resolve_package(connection, definition)
            check_against_fleet(connection, definition, package)
            found = forecast(connection, definition, package, samples)
    names = [str(phase.name) for phase in definition.phases]
    if as_json:
        print_json([_phase_json(found, number, name) for number, name in enumerate(names, start=1)])
        return
    rows = ((f"{number}. {name}", found.phases[number]) for number, name in enumerate(names, start=1))
    print_table(("phase", "vehicles"), rows)
    for title in ("models", "countries", "hardware", "software"):
        typer.echo()
        print_table(
            (title, *names),
            (
                (value, *(getattr(found, title)[number, value] for number in range(1, len(names) + 1)))
                for value in sorted({value for _, value in getattr(found, title)})
            ),
        )
    if samples:
        typer.echo()
        print_table(("phase", "samples"), ((names[n - 1], vins) for n, vins in sorted(found.samples.items())))
    typer.echo(f"\n{found.phases.total()} vehicles; nothing was started")


def _phase_json(found: Any, number: int, name: str) -> dict[str, Any]:
    def of(counts: Counter[tuple[int, str]]) -> dict[str, int]:
        return {value: count for (phase, value), count in sorted(counts.items()) if phase == number}

    return {
        "phase": number,
        "name": name,
        "vehicles": found.phases[number],
        "models": of(found.models),
        "countries": of(found.countries),
        "hardware": of(found.hardware),
        "software": of(found.software),
        "samples": found.samples.get(number, []),
    }


def explain(
    file: File,
    vin: Annotated[str, typer.Argument(help="The vehicle.")],
    as_json: AsJson = False,
) -> None:
    """Say why a vehicle is in a campaign, in which phase, or why it is out.

    Example: starter.py explain examples/winter-optimization.yaml 1HGCM82633A004352
    """
    with one_line_errors():
        _, definition = read_definition(file)
        try:
            vin = check_vin(vin)
        except ValueError as error:
            raise Refused([Problem("vin", repr(vin), str(error))], "command") from None
        with reading(load_settings()) as connection:
            package = resolve_package(connection, definition)
            found = explain_vehicle(connection, definition, package, vin)
    if as_json:
        print_json(
            {"vin": vin, "phase": found.phase, "phase_name": found.phase_name, "reasons": found.reasons}
        )
        return
    where = f"in phase {found.phase} ({found.phase_name})" if found.phase else "out"
    typer.echo(f"{vin} is {where}")
    for reason in found.reasons:
        typer.echo(f"  {reason}")


def add_to(app: typer.Typer) -> None:
    """Give an application these commands."""
    for command in (preview, explain):
        app.command(epilog=EXIT_CODES)(command)

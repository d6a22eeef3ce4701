"""Asking the database: who would get it, why a vehicle is in or out, and what failed."""

from collections import Counter
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from campaign.brake import expected_harm, shortest_time
from campaign.definition import Definition
from campaign.phase import Limits
from campaign.problems import Problem, Refused
from campaign.vin import check_vin
from commands.database import reading
from commands.documents import read_definition
from commands.output import EXIT_CODES, AsJson, one_line_errors, print_json, print_table
from runtime.settings import load_settings
from store.campaigns import check_against_fleet, resolve_package
from store.explain import explain_vehicle
from store.failures import symptoms
from store.forecast import forecast, skipped
from store.waiting import waiting as why_waiting
from workflows.details import guard_text

File = Annotated[Path, typer.Argument(help="The definition, YAML or JSON.")]


def preview(
    file: File,
    samples: Annotated[int, typer.Option(min=0, max=50, help="VINs to show per phase.")] = 3,
    as_json: AsJson = False,
) -> None:
    """Count who would get an update, and the harm a bad one could do; starts nothing.

    Example: starter.py preview examples/winter-optimization.yaml
    """
    with one_line_errors():
        _, definition = read_definition(file)
        with reading(load_settings()) as connection:
            package = resolve_package(connection, definition)
            check_against_fleet(connection, definition, package)
            found = forecast(connection, definition, package, samples)
            left_out = skipped(connection, definition, package)
    names = [str(phase.name) for phase in definition.phases]
    if as_json:
        print_json([_phase_json(found, definition, number) for number in range(1, len(names) + 1)])
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
    typer.echo()
    print_table(
        ("phase", "guards", "ends when"),
        (
            (names[n - 1], [guard_text(each) for each in definition.guards_of(n)], _ends_when(definition, n))
            for n in range(1, len(names) + 1)
        ),
    )
    typer.echo()
    for number in range(1, len(names) + 1):
        typer.echo(f"{names[number - 1]}: {_harm(definition.limits_of(number), found.phases[number])}")
    if definition.window:
        typer.echo(f"install window: {definition.window}, in the vehicle's own time")
    for name, vehicles in left_out.items():
        typer.echo(f"left out: {vehicles} vehicles that campaign {name!r} is not done with")
    typer.echo(f"\n{found.phases.total()} vehicles; nothing was started")


def _ends_when(definition: Definition, number: int) -> str:
    if number == len(definition.phases):
        return "no guard objects"
    promotion = definition.promotion_of(number)
    what = promotion.requires.replace("_", " ")
    return f"{what} is proven, else {promotion.on_inconclusive.replace('_', ' ')}"


def _harm(limits: Limits, vehicles: int) -> str:
    """What the brake bounds, and what that costs."""
    if limits.harm_budget is None:
        return f"no harm budget: up to {min(limits.in_flight, vehicles)} vehicles at once, however many fail"
    harmed = min(expected_harm(limits.harm_budget, limits.in_flight_floor), vehicles)
    least = shortest_time(vehicles, limits.harm_budget, timedelta(hours=1))
    return (
        f"harm budget {limits.harm_budget}: an update that fails in 3 % or more is expected to harm about "
        f"{harmed} vehicles at the most before it stops (one that sits on the limit is bounded by the limit "
        f"only); it begins with {min(limits.in_flight_floor, limits.in_flight)} at once and takes at least "
        f"{_about(least)} where 0.3 % fail and reports take an hour"
    )


def _about(time: timedelta) -> str:
    hours = time / timedelta(hours=1)
    return f"{hours:,.0f} h" if hours >= 2 else f"{hours * 60:.0f} min"


def _phase_json(found: Any, definition: Definition, number: int) -> dict[str, Any]:
    limits = definition.limits_of(number)

    def of(counts: Counter[tuple[int, str]]) -> dict[str, int]:
        return {value: count for (phase, value), count in sorted(counts.items()) if phase == number}

    return {
        "phase": number,
        "name": str(definition.phases[number - 1].name),
        "vehicles": found.phases[number],
        "models": of(found.models),
        "countries": of(found.countries),
        "hardware": of(found.hardware),
        "software": of(found.software),
        "samples": found.samples.get(number, []),
        "guards": [guard_text(guard) for guard in definition.guards_of(number)],
        "harm_budget": limits.harm_budget,
        "expected_harm": None
        if limits.harm_budget is None
        else min(expected_harm(limits.harm_budget, limits.in_flight_floor), found.phases[number]),
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


def failures(
    campaign: Annotated[str, typer.Argument(help="Its workflow id or its name.")],
    as_json: AsJson = False,
) -> None:
    """Show what failed, by class, with the vehicles' own codes and messages; alike ones together.

    Example: starter.py failures campaign-winter-optimization
    """
    with one_line_errors(), reading(load_settings()) as connection:
        found = symptoms(connection, campaign)
    if as_json:
        print_json([asdict(each) for each in found])
        return
    print_table(
        ("phase", "class", "code", "message", "vehicles"),
        ((each.phase, each.kind, each.code, each.message, each.vehicles) for each in found),
    )


def waiting(
    campaign: Annotated[str, typer.Argument(help="Its workflow id or its name.")],
    as_json: AsJson = False,
) -> None:
    """Show why vehicles wait: what they were missing, what their owners want, and closed install windows.

    Example: starter.py waiting campaign-winter-optimization
    """
    with one_line_errors(), reading(load_settings()) as connection:
        found = why_waiting(connection, campaign)
    if as_json:
        print_json([each.model_dump(mode="json") for each in found])
        return
    print_table(
        ("phase", "state", "reason", "vehicles", "most often", "next"),
        ((each.phase, each.state, each.reason, each.vehicles, each.value, each.next) for each in found),
    )


def add_to(app: typer.Typer) -> None:
    """Give an application these commands."""
    for command in (preview, explain, failures, waiting):
        app.command(epilog=EXIT_CODES)(command)

"""``fleet``: import as-built records, look at vehicles, issue their tokens."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from commands.database import database
from commands.output import (
    EXIT_CODES,
    REFUSED,
    AsJson,
    one_line_errors,
    print_error,
    print_json,
    print_table,
    show,
)
from runtime.settings import PREFIX, load_settings
from store import fleet as stored
from store.fleet_import import Imported, import_fleet
from store.fleet_rows import Refusal
from store.vin_lists import read_vins, set_list

#: More would scroll the summary away; --errors writes all of them.
SHOWN_REFUSALS = 20

fleet = typer.Typer(help="Vehicles: import as-built records, list, show, issue tokens.", no_args_is_help=True)


@fleet.command("import", epilog=EXIT_CODES)
def import_command(
    file: Annotated[Path, typer.Argument(help="JSON: one object, an array, or one object a line.")],
    errors: Annotated[
        Path | None, typer.Option(help="Write every refused record to this file, as JSON Lines.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Import as-built records; may be repeated, unchanged vehicles are left alone.

    Example: fleet import examples/fleet-sample.jsonl --errors refused.jsonl
    """
    with one_line_errors(), database(load_settings()) as connection, ExitStack() as stack:
        on_refusal = stack.enter_context(_errors_file(errors)) if errors else _ignore
        on_progress = stack.enter_context(_progress(file))
        result = import_fleet(connection, file, on_refusal=on_refusal, on_progress=on_progress)
    if as_json:
        print_json(result.as_dict())
    else:
        _print_result(result, errors)
    if result.refused:
        raise typer.Exit(REFUSED)


@fleet.command("list", epilog=EXIT_CODES)
def list_command(
    model: Annotated[str | None, typer.Option(help="Only this model.")] = None,
    country: Annotated[str | None, typer.Option(help="Only this country (ISO 3166, such as DE).")] = None,
    region: Annotated[str | None, typer.Option(help="Only this region.")] = None,
    group: Annotated[str | None, typer.Option(help="Only members of this group.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many to show at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List vehicles by VIN.

    Example: fleet list --model Civic_Type_R --group volunteers
    """
    wanted = stored.Filter(model, country and country.upper(), region, group)
    with one_line_errors(), database(load_settings()) as connection:
        found = stored.vehicles(connection, wanted, limit=limit)
        total = stored.fleet_size(connection, wanted)
    if as_json:
        print_json({"total": total, "vehicles": found})
        return
    columns = ("vin", "model", "build_date", "country", "region", "groups", "ecus")
    print_table(columns, ([row[column] for column in columns] for row in found))
    typer.echo(f"{len(found)} of {total} vehicles")


@fleet.command("show", epilog=EXIT_CODES)
def show_command(vin: Annotated[str, typer.Argument(help="The vehicle.")], as_json: AsJson = False) -> None:
    """Show one vehicle: its ECUs now and as built, its campaigns, its software's history.

    Example: fleet show 1HGCM82633A004352
    """
    with one_line_errors(), database(load_settings()) as connection:
        found = stored.vehicle(connection, vin)
    if as_json:
        print_json(found)
        return
    lists = ("ecus", "assignments", "ecu_results", "history")
    print_table(("vehicle", found["vin"]), [item for item in found.items() if item[0] not in ("vin", *lists)])
    for name in lists:
        _print_rows(name, found[name])


@fleet.command("tokens", epilog=EXIT_CODES)
def tokens_command(
    out: Annotated[Path, typer.Option(help="A new file for the tokens; only you can read it.")],
    vin: Annotated[list[str] | None, typer.Option(help="Only this vehicle; may be repeated.")] = None,
    renew: Annotated[
        bool,
        typer.Option("--renew", help="Replace existing tokens too; vehicles with an old one lose access."),
    ] = False,
    overlap_hours: Annotated[
        float, typer.Option(min=0, max=8760, help="With --renew: how long a replaced token stays good.")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Issue the tokens vehicles identify themselves with; one that has a token keeps it.

    Example: fleet tokens --out tokens.jsonl --renew --overlap-hours 48
    """
    if overlap_hours and not renew:
        raise typer.BadParameter("only a token that is replaced overlaps; give --renew too")
    overlap = timedelta(hours=overlap_hours)
    with one_line_errors(), database(load_settings()) as connection:
        result = stored.issue_tokens(connection, out, vin, renew=renew, overlap=overlap)
    if as_json:
        print_json({"issued": result.issued, "kept": result.kept, "out": str(out)})
    else:
        kept = f"; {result.kept} vehicles keep theirs" if result.kept else ""
        typer.echo(f"{result.issued} tokens issued to {out}{kept}")


@fleet.command("revoke", epilog=EXIT_CODES)
def revoke_command(
    vin: Annotated[list[str], typer.Argument(help="The vehicles.")],
    as_json: AsJson = False,
) -> None:
    """Take vehicles their tokens at once, the former ones too; `fleet tokens` gives new ones.

    Example: fleet revoke 1HGCM82633A004352
    """
    with one_line_errors(), database(load_settings()) as connection:
        revoked = stored.revoke_tokens(connection, vin)
    if as_json:
        print_json({"revoked": revoked})
    else:
        typer.echo(f"{revoked} vehicles have no token any more")


@fleet.command("ask-config", epilog=EXIT_CODES)
def ask_config_command(
    vin: Annotated[list[str], typer.Argument(help="The vehicles.")],
    as_json: AsJson = False,
) -> None:
    """Ask vehicles for their configuration (DDI's configData); `fleet show` has it after their next polls.

    Example: fleet ask-config 1HGCM82633A004352
    """
    with one_line_errors(), database(load_settings()) as connection:
        asked = stored.ask_configuration(connection, vin)
    if as_json:
        print_json({"asked": asked})
    else:
        typer.echo(f"{asked} vehicles more are asked for their configuration")


@fleet.command("gateway-token", epilog=EXIT_CODES)
def gateway_token_command(
    out: Annotated[Path, typer.Option(help="A new file for the token; only you can read it.")],
) -> None:
    """Make a token that lets in as any vehicle of the fleet, and print the setting that admits it.

    Example: fleet gateway-token --out gateway.token
    """
    with one_line_errors():
        digest = stored.gateway_token(out)
    typer.echo(f"{PREFIX}GATEWAY_TOKEN_SHA256={digest.hex()}")


@fleet.command("vin-list", epilog=EXIT_CODES)
def vin_list_command(
    name: Annotated[str, typer.Argument(help="The name criteria use: vin_list: NAME.")],
    file: Annotated[Path, typer.Argument(help="One VIN a line.")],
    as_json: AsJson = False,
) -> None:
    """Keep a named list of VINs; a campaign names it, so that no VIN enters a workflow's history.

    Example: fleet vin-list press-fleet press-fleet.txt
    """
    with one_line_errors():
        vins = read_vins(file.read_text(encoding="utf-8").splitlines())
        with database(load_settings()) as connection:
            held, unknown = set_list(connection, name, vins)
    if as_json:
        print_json({"name": name, "vins": held, "not_in_fleet": unknown})
        return
    note = f", {unknown} of them not in the fleet" if unknown else ""
    typer.echo(f"list {name} holds {held} VINs{note}")


def _ignore(refusal: Refusal) -> None:
    """Refusals are counted by the import; nobody asked for a file of them."""


@contextmanager
def _errors_file(path: Path) -> Iterator[Callable[[Refusal], None]]:
    with path.open("wb") as file:

        def write(refusal: Refusal) -> None:
            file.write(orjson.dumps(refusal.as_dict()) + b"\n")

        yield write


@contextmanager
def _progress(file: Path) -> Iterator[Callable[[int], None]]:
    """A bar of the bytes read, on a terminal only."""
    columns = (TextColumn("importing"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    total = file.stat().st_size if file.is_file() else None
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task("importing", total=total)
        yield lambda read_bytes: bar.advance(task, read_bytes)


def _print_result(result: Imported, errors: Path | None) -> None:
    for refusal in result.refusals[:SHOWN_REFUSALS]:
        print_error(str(refusal))
    if (more := result.refused - SHOWN_REFUSALS) > 0:
        print_error(f"… {more} more, " + (f"all in {errors}" if errors else "give --errors FILE to see all"))
    typer.echo(
        f"{result.inserted} inserted, {result.updated} updated, {result.unchanged} unchanged, "
        f"{result.refused} refused"
    )


def _print_rows(name: str, rows: list[dict[str, Any]]) -> None:
    typer.echo()
    if rows:
        print_table(list(rows[0]), (list(row.values()) for row in rows), title=name)
    else:
        typer.echo(f"{name}: {show(None)}")

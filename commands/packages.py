"""``package``: register update packages and look at them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from commands.database import database, reading, transactions, writing
from commands.output import EXIT_CODES, AsJson, By, Reason, one_line_errors, print_json, print_table
from runtime.settings import load_settings
from store import packages as stored
from store import withdrawals
from store.objects import ObjectStore

package = typer.Typer(help="Update packages: register, list, show, withdraw.", no_args_is_help=True)


@package.command("add", epilog=EXIT_CODES)
def add_command(
    file: Annotated[Path, typer.Argument(help="The package, in YAML or JSON.")],
    artifacts: Annotated[
        Path | None,
        typer.Option(help="The folder with its files.", show_default="artifacts/ beside FILE"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Register a package: its files are verified and copied, also to the object store; may be repeated.

    Example: package add examples/winter-package.yaml
    """
    source = artifacts or file.parent / "artifacts"
    with one_line_errors():
        settings = load_settings()
        read = stored.read_package(file, source)
        objects = ObjectStore(settings.artifact_store) if settings.artifact_store else None
        with database(settings) as connection:
            result = stored.register(connection, read, source, settings.artifacts, objects)
    if as_json:
        print_json(_as_dict(result) | {"is_new": result.is_new})
    else:
        typer.echo(f"{result.package.name} {'registered' if result.is_new else 'was registered already'}")


@package.command("list", epilog=EXIT_CODES)
def list_command(as_json: AsJson = False) -> None:
    """List the registered packages.

    Example: package list
    """
    with one_line_errors():
        settings = load_settings()
        with database(settings) as connection:
            found = stored.packages(connection)
        with reading(settings) as source:
            gone = withdrawals.withdrawn(source)
    if as_json:
        print_json([_as_dict(item) | {"withdrawn": _withdrawn(item, gone)} for item in found])
        return
    print_table(
        ("name", "modules", "registered_at", "description", "withdrawn"),
        (
            (
                item.package.name,
                [f"{module.ecu} {module.version}" for module in item.package.modules],
                item.registered_at,
                item.package.description or None,
                _withdrawn(item, gone),
            )
            for item in found
        ),
    )


def _withdrawn(item: stored.Registered, gone: dict[str, withdrawals.Withdrawal]) -> str | None:
    """When and why a package was withdrawn; None: it was not."""
    for module in item.package.modules:
        if (known := gone.get(module.artifact.sha256)) is not None:
            why = f": {known.reason}" if known.reason else ""
            return f"{known.at:%Y-%m-%d %H:%M} UTC by {known.actor}{why}"
    return None


@package.command("show", epilog=EXIT_CODES)
def show_command(
    name: Annotated[str, typer.Argument(help="The package's name.")], as_json: AsJson = False
) -> None:
    """Show one package: its modules, what they fit and their files.

    Example: package show Pkg_v2.4
    """
    with one_line_errors(), database(load_settings()) as connection:
        found = stored.registered(connection, name)
    if as_json:
        print_json(_as_dict(found))
        return
    facts = {"digest": found.digest, "registered_at": found.registered_at}
    print_table(
        ("package", found.package.name), (facts | {"about": found.package.description or None}).items()
    )
    typer.echo()
    print_table(
        ("ecu", "version", "from_versions", "hw_ids", "file", "size_bytes", "sha256"),
        (
            (m.ecu, m.version, m.from_versions, m.hw_ids, m.artifact.filename, m.artifact.size_bytes,
             m.artifact.sha256)
            for m in found.package.modules
        ),
    )  # fmt: skip


@package.command("withdraw", epilog=EXIT_CODES)
def withdraw_command(
    what: Annotated[str, typer.Argument(help="A package's name, or the sha256 of one of its files.")],
    by: By = "",
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Stop a file in every campaign at once: nobody is offered it any more, and no resume helps.

    Example: package withdraw Pkg_v2.4 --reason "brakes fail"
    """
    with one_line_errors(), transactions(load_settings()) as engine:
        found = withdrawals.withdraw(engine, what, by, reason, datetime.now(UTC))
    if as_json:
        print_json({"files": found.hashes, "campaigns": found.campaigns})
        return
    stopped = ", ".join(found.campaigns) or "no campaign delivered it"
    typer.echo(f"{what} is withdrawn ({len(found.hashes)} files); stopped: {stopped}")


@package.command("reinstate", epilog=EXIT_CODES)
def reinstate_command(
    what: Annotated[str, typer.Argument(help="A package's name, or the sha256 of one of its files.")],
    by: By = "",
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Let a withdrawn file be delivered again; campaigns stay paused until each is resumed.

    Example: package reinstate Pkg_v2.4
    """
    with one_line_errors(), writing(load_settings()) as connection:
        hashes = withdrawals.reinstate(connection, what, by, reason, datetime.now(UTC))
    if as_json:
        print_json({"files": hashes})
    else:
        typer.echo(f"{what}: {len(hashes)} files may be delivered again; resume its campaigns one by one")


def _as_dict(found: stored.Registered) -> dict[str, Any]:
    facts = {"digest": found.digest, "registered_at": found.registered_at}
    return found.package.model_dump(mode="json") | facts

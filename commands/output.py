"""What all commands share: tables, JSON, errors in one line, and exit codes.

| Exit code | Meaning |
|---|---|
| 0 | done |
| 1 | refused: the whole input, or some records of it |
| 2 | wrong usage: an option, an argument or a setting |
| 3 | out of reach: no database, or one with another schema |
| 130 | interrupted; what was committed stays |
"""

import getpass
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any

import orjson
import psycopg
import sqlalchemy.exc
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from temporalio.service import RPCError

from campaign.problems import Refused
from runtime.errors import RuntimeFault, SettingsError

REFUSED, USAGE, OUT_OF_REACH, INTERRUPTED = 1, 2, 3, 130

#: Where no terminal says how wide it is: a pipe or a file. Cells are folded, never cut.
PIPE_COLUMNS = 160

EXIT_CODES = "Exit codes: 0 done, 1 refused, 2 wrong usage, 3 database out of reach."

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of text.")]


def _me() -> str:
    """The name this machine knows its user by."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "operator"


By = Annotated[
    str,
    typer.Option(
        "--by",
        help="Who decides; goes into the journal.",
        show_default="you",
        callback=lambda by: by or _me(),
    ),
]
Reason = Annotated[str, typer.Option("--reason", help="Why; goes into the journal.")]


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Whatever the operator can mend ends the program with one line on stderr and its exit code."""
    try:
        yield
    except (RuntimeFault, Refused, OSError) as error:
        print_error(str(error))
        raise typer.Exit(_exit_code(error)) from None
    except (psycopg.OperationalError, sqlalchemy.exc.OperationalError) as error:
        print_error(f"the database went away: {error}; run the command again, it continues safely")
        raise typer.Exit(OUT_OF_REACH) from None
    except RPCError as error:
        print_error(f"Temporal did not answer: {error.message}; run the command again")
        raise typer.Exit(OUT_OF_REACH) from None
    except KeyboardInterrupt:
        print_error("interrupted; what was committed stays, and the same command continues safely")
        raise typer.Exit(INTERRUPTED) from None


def _exit_code(error: Exception) -> int:
    if isinstance(error, SettingsError):
        return USAGE
    return OUT_OF_REACH if isinstance(error, RuntimeFault) else REFUSED


def print_error(text: str) -> None:
    """One line on stderr; what cannot be printed, such as a terminal's escape codes, becomes a blank."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    typer.echo(line, err=True)


def print_json(value: object) -> None:
    """One JSON document on stdout; dates in ISO 8601."""
    typer.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None) -> None:
    """A table on stdout; values are printed as they are, markup in them means nothing."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(show(value)) for value in row))
    console = Console(width=None if sys.stdout.isatty() else PIPE_COLUMNS)
    console.print(table)


def show(value: Any) -> str:
    """A value as text for people: nothing known is a dash."""
    if value is None or value == [] or value == {}:
        return "-"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, list | tuple):
        return ", ".join(map(show, value))
    if isinstance(value, dict):
        return orjson.dumps(value).decode()
    return str(value)

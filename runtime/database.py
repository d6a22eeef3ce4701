"""The database: found, checked and brought to this version's schema, with one line when it cannot be."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import NullPool

from runtime.embedded_postgres import embedded_postgres
from runtime.errors import AccessDenied, SchemaMismatch, ServerMissing, UnsuitableServer
from runtime.settings import Settings

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"

#: PostgreSQL 15 brought UNIQUE NULLS NOT DISTINCT and MERGE; older ones are near their end of life.
OLDEST_SERVER = 15

PATIENCE_SECONDS = 5

#: Any number of ours: who migrates holds it, so that two starters do not migrate at once.
MIGRATION_LOCK = 0x52494E47


@contextmanager
def database_url(settings: Settings) -> Iterator[str]:
    """The URL of a database that answers and is new enough; embedded, and kept up, when none is given.

    Raises ServerMissing, AccessDenied or UnsuitableServer. The schema is not looked at: `check_schema`.
    """
    if settings.database_url is not None:
        check_server(settings.database_url)
        yield settings.database_url
    else:
        with embedded_postgres(settings.postgres_dir) as url:
            yield url


def check_server(url: str) -> None:
    """Raises ServerMissing, AccessDenied or UnsuitableServer, one line that never holds the password."""
    with _connection(url) as connection:
        version = connection.info.server_version // 10_000
    if version < OLDEST_SERVER:
        raise UnsuitableServer(
            f"PostgreSQL at {_place(url)} is version {version}; {OLDEST_SERVER} or newer is needed"
        )


def migrate(url: str, scripts: Path = MIGRATIONS) -> None:
    """Bring the database to the schema of this version. May be run by several at once, and again."""
    with _connection(url) as guard:
        guard.execute("SELECT pg_advisory_lock(%s)", (MIGRATION_LOCK,))
        command.upgrade(_alembic(url, scripts), "head")


def check_schema(url: str, scripts: Path = MIGRATIONS) -> None:
    """Raises SchemaMismatch when the tables are not those of this version."""
    directory = ScriptDirectory.from_config(_alembic(url, scripts))
    needed = directory.get_current_head()
    check_server(url)
    engine = create_engine(url, poolclass=NullPool)
    try:
        with engine.connect() as connection:
            present = MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()
    if present == needed:
        return
    if present is None:
        raise SchemaMismatch(
            f"the database has no schema yet, this version needs {needed}: run `python starter.py migrate`"
        )
    if present not in {script.revision for script in directory.walk_revisions()}:
        raise SchemaMismatch(
            f"the database is at schema {present}, which this version does not know (it needs {needed}): "
            "install the newer version that migrated it"
        )
    raise SchemaMismatch(
        f"the database is at schema {present}, this version needs {needed}: run `python starter.py migrate`"
    )


def _alembic(url: str, scripts: Path) -> Config:
    config = Config(attributes={"url": url})
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _connection(url: str) -> psycopg.Connection[Any]:
    conninfo = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        return psycopg.connect(conninfo, autocommit=True, connect_timeout=PATIENCE_SECONDS)
    except psycopg.Error as error:
        reason = _reason(error, make_url(url))
        kind = AccessDenied if _refused(reason) else ServerMissing
        raise kind(
            f"cannot reach PostgreSQL at {_place(url)}: {reason}; check RINGMASTER_DATABASE_URL"
        ) from None


def _refused(reason: str) -> bool:
    return any(word in reason for word in ("authentication", "password", "pg_hba", "permission", "role "))


def _place(url: str) -> str:
    parts = make_url(url)
    host = parts.host or parts.query.get("host") or "localhost"
    return f"{host}:{parts.port or 5432}/{parts.database or ''}"


def _reason(error: psycopg.Error, url: URL) -> str:
    """The first line of libpq's text without its preamble; what follows is advice for another program."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    reason = lines[0].rpartition("failed: ")[2].removeprefix("FATAL:").strip()
    return reason.replace(url.password, "***") if url.password else reason

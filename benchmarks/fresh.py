"""A PostgreSQL of a benchmark's own: embedded, new, with the product's settings and schema; gone afterwards."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.database import migrate
from runtime.embedded_postgres import embedded_postgres
from store.connect import Connection, connect


@contextmanager
def fresh_database() -> Iterator[str]:
    """The URL of an empty, migrated database."""
    with tempfile.TemporaryDirectory(prefix="ringmaster-bench-") as folder:
        # The server runs as another user under root, who must get in.
        Path(folder).chmod(0o755)
        with embedded_postgres(Path(folder) / "postgres") as url:
            migrate(url)
            yield url


@contextmanager
def fresh_connection() -> Iterator[Connection]:
    """An autocommitting connection to a fresh database."""
    with fresh_database() as url, connect(url) as connection:
        yield connection


def settle(connection: Connection) -> None:
    """Let what came before be paid for before the next measurement: dirty pages, dead rows, statistics."""
    connection.execute("VACUUM ANALYZE")
    connection.execute("CHECKPOINT")

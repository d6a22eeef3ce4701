"""A PostgreSQL of a benchmark's own: embedded, with the product's settings and schema, gone afterwards."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.database import migrate
from runtime.embedded_postgres import embedded_postgres
from store.connect import Connection


@contextmanager
def fresh_database() -> Iterator[str]:
    """The URL of an empty, migrated database."""
    with tempfile.TemporaryDirectory(prefix="ringmaster-bench-") as folder:
        # The server runs as another user under root, who must get in.
        Path(folder).chmod(0o755)
        with embedded_postgres(Path(folder) / "postgres") as url:
            migrate(url)
            yield url


def settle(connection: Connection) -> None:
    """Pay for what came before, so that the next measurement does not: dirty pages and dead rows."""
    connection.execute("VACUUM ANALYZE")
    connection.execute("CHECKPOINT")

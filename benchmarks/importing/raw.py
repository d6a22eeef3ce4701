"""The floor of an import: COPY of the prepared rows that came out of it, into the same tables.

Tables, indexes, constraints and the foreign key from ``ecu`` to ``vehicle`` are the product's, everything is
one transaction, and nothing is parsed, validated, compared or prepared: COPY in its binary format from files.
"""

import time
from pathlib import Path

from store.connect import Connection

_CHUNK = 1 << 18
_TABLES = ("vehicle", "ecu", "candidate")
_KEY = "ecu_vehicle_id_fkey"


def keep(connection: Connection, folder: Path) -> dict[str, Path]:
    """Write the rows of the fleet to files, in the order of their keys."""
    files = {}
    for table in _TABLES:
        files[table] = folder / f"{table}.copy"
        query = f"COPY (SELECT * FROM {table} ORDER BY 1, 2) TO STDOUT (FORMAT binary)"
        with files[table].open("wb") as file, connection.cursor().copy(query.encode()) as copy:
            for block in copy:
                file.write(block)
    return files


def load(connection: Connection, files: dict[str, Path]) -> float:
    """Seconds to load them into the emptied tables, committed."""
    connection.execute("TRUNCATE vehicle, ecu, candidate CASCADE")
    connection.execute("CHECKPOINT")
    began = time.perf_counter()
    with connection.transaction():
        # As an import does: statistics of the emptied table would have each key looked up by a scan.
        connection.execute("SET LOCAL enable_seqscan = off")
        for table, path in files.items():
            query = f"COPY {table} FROM STDIN (FORMAT binary)"
            with path.open("rb") as file, connection.cursor().copy(query.encode()) as copy:
                while block := file.read(_CHUNK):
                    copy.write(block)
    return time.perf_counter() - began


def load_unchecked(connection: Connection, files: dict[str, Path]) -> float:
    """The same without the foreign key, which the product's tables have."""
    connection.execute(f"ALTER TABLE ecu DROP CONSTRAINT {_KEY}".encode())
    return load(connection, files)

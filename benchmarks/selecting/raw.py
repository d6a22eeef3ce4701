"""The floor of a selection: the very rows that came out, from a plain table in key order.

The table they go to has the columns, checks, primary key, partial indexes, fill factor and trigger of
``assignment``. What it takes without the trigger, which keeps the tally, is measured beside it.
"""

import time

from store.connect import Connection

#: Of so many the quickest: the first one pays for files and memory that are there afterwards.
TIMES = 5

_PLAIN = """
CREATE UNLOGGED TABLE plain AS SELECT * FROM assignment WHERE campaign_id = {campaign} ORDER BY vehicle_id
"""
_OPTIONS = "SELECT array_to_string(reloptions, ', ') FROM pg_class WHERE oid = 'assignment'::regclass"
_TRIGGER = """
CREATE TRIGGER tally_inserted AFTER INSERT ON raw REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION keep_tally()
"""


def insert(connection: Connection, campaign: int) -> tuple[float, float]:
    """Seconds for the rows of a campaign, committed: without the tally's trigger and with it."""
    connection.execute(_PLAIN.format(campaign=int(campaign)).encode())
    connection.execute("VACUUM ANALYZE plain")
    [options] = connection.execute(_OPTIONS).fetchone() or ("",)
    with connection.transaction():
        connection.execute(f"CREATE TABLE raw (LIKE assignment INCLUDING ALL) WITH ({options})".encode())
    without = min(_insert(connection) for _ in range(TIMES))
    connection.execute(_TRIGGER)
    return without, min(_insert(connection) for _ in range(TIMES))


def _insert(connection: Connection) -> float:
    connection.execute("TRUNCATE raw")
    connection.execute("CHECKPOINT")
    began = time.perf_counter()
    connection.execute("INSERT INTO raw SELECT * FROM plain")
    return time.perf_counter() - began

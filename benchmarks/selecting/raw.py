"""The floor of a selection: the very rows that came out, from a plain table in key order.

The table they go to has the columns, checks, primary key, partial indexes, fill factor and trigger of
``assignment``, and like it the rows of other campaigns, between which the keys of the new ones go. What it
takes without the trigger, which keeps the tally, and what it takes into an empty table, is measured beside.
"""

import time
from typing import NamedTuple

from store.connect import Connection

#: Of so many the quickest: the first one pays for files and memory that are there afterwards.
TIMES = 5

_PLAIN = """
CREATE UNLOGGED TABLE plain AS SELECT * FROM assignment WHERE campaign_id = {campaign} ORDER BY vehicle_id
"""
_OTHERS = """
CREATE UNLOGGED TABLE others AS SELECT * FROM assignment WHERE campaign_id <> {campaign} ORDER BY vehicle_id
"""
_OPTIONS = "SELECT array_to_string(reloptions, ', ') FROM pg_class WHERE oid = 'assignment'::regclass"
_TRIGGER = """
CREATE TRIGGER tally_inserted AFTER INSERT ON raw REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION keep_tally()
"""


class Seconds(NamedTuple):
    """For the rows of a campaign, committed: into an empty table, the same with the tally's trigger, and with
    it into a table that has the rows of other campaigns, as ``assignment`` has.
    """

    empty: float
    tallied: float
    among_others: float


def insert(connection: Connection, campaign: int) -> Seconds:
    """Measure them."""
    for statement in (_PLAIN, _OTHERS):
        connection.execute(statement.format(campaign=int(campaign)).encode())
    connection.execute("VACUUM ANALYZE plain, others")
    [options] = connection.execute(_OPTIONS).fetchone() or ("",)
    with connection.transaction():
        connection.execute(f"CREATE TABLE raw (LIKE assignment INCLUDING ALL) WITH ({options})".encode())
    empty = min(_insert(connection) for _ in range(TIMES))
    connection.execute(_TRIGGER)
    tallied = min(_insert(connection) for _ in range(TIMES))
    return Seconds(empty, tallied, min(_insert(connection, others=True) for _ in range(TIMES)))


def _insert(connection: Connection, *, others: bool = False) -> float:
    connection.execute("TRUNCATE raw")
    if others:
        connection.execute("ALTER TABLE raw DISABLE TRIGGER tally_inserted")
        connection.execute("INSERT INTO raw SELECT * FROM others")
        connection.execute("ALTER TABLE raw ENABLE TRIGGER tally_inserted")
        connection.execute("VACUUM FULL raw")
    connection.execute("CHECKPOINT")
    began = time.perf_counter()
    connection.execute("INSERT INTO raw SELECT * FROM plain")
    return time.perf_counter() - began

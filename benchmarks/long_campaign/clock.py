"""A database whose clock is the campaign's own: it skips what the campaign's timers skip.

The product asks the database for the time, by ``clock_timestamp()`` and by nothing else. A function of this
name in a schema that is searched first answers with the time of the activity that asks.
"""

from datetime import datetime

from store.connect import Connection

_CLOCK = (
    "CREATE SCHEMA skipped",
    # As its owner is not who the worker is, nothing is said of who may call it.
    "CREATE FUNCTION skipped.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$"
    "SELECT pg_catalog.clock_timestamp()"
    " + coalesce(nullif(pg_catalog.current_setting('skipped.ahead', true), ''), '0')::interval $$",
)

#: Told to a session at the beginning of each transaction.
TELL = (
    "SELECT set_config('search_path', 'skipped, pg_catalog, public', false), "
    "set_config('skipped.ahead', (%s::timestamptz - pg_catalog.clock_timestamp())::text, false)"
)


def install(connection: Connection) -> None:
    """Give the database its second clock; who does not tell it the time sees the true one."""
    for statement in _CLOCK:
        connection.execute(statement)


def told(moment: datetime) -> tuple[str, tuple[datetime]]:
    """The statement that makes it this moment now, with its values."""
    return TELL, (moment,)

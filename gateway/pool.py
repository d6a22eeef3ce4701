"""The gateway's connections to PostgreSQL."""

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from sqlalchemy.engine import make_url

from store.group import plan_once

Pool = AsyncConnectionPool[AsyncConnection]

#: At most six for single vehicles, two for groups of reports, and one for groups of each other kind
#: (gateway/fleet.py).
POOL_MIN, POOL_MAX = 2, 12

#: A vehicle that waits longer for a connection is better told to come back.
CONNECTION_SECONDS = 3
#: Attempts to connect lie twice as far apart each time. After so long they begin anew, with the next vehicle
#: that comes: after a long absence of the database nobody shall wait for as long again.
RECONNECT_SECONDS = 5
#: Requests that may wait for a connection, besides the batches (one each).
WAITING_REQUESTS = 500


def create_pool(url: str) -> Pool:
    """A pool on the database at this SQLAlchemy URL, not yet open."""
    conninfo = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return AsyncConnectionPool(
        conninfo,
        connection_class=AsyncConnection,
        # Autocommitting: gateway/fleet.py says what is a transaction of several statements.
        kwargs={
            "application_name": "ringmaster-gateway",
            "connect_timeout": CONNECTION_SECONDS,
            "autocommit": True,
        },
        configure=plan_once,
        min_size=POOL_MIN,
        max_size=POOL_MAX,
        timeout=CONNECTION_SECONDS,
        reconnect_timeout=RECONNECT_SECONDS,
        max_waiting=WAITING_REQUESTS,
        open=False,
        name="gateway",
    )

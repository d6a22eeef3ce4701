"""The gateway's connections to PostgreSQL."""

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from sqlalchemy.engine import make_url

from store.group import plan_once

Pool = AsyncConnectionPool[AsyncConnection]

#: Groups that may be under way at once: two of reports, and one of each of the four other kinds
#: (gateway/fleet.py). Each always finds a connection.
GROUPS_AT_ONCE = 6
#: Questions of single vehicles that may hold a connection at once.
SINGLE_AT_ONCE = 6
POOL_MIN, POOL_MAX = GROUPS_AT_ONCE, GROUPS_AT_ONCE + SINGLE_AT_ONCE

#: A vehicle that waits longer for a connection is better told to come back.
CONNECTION_SECONDS = 3
#: Attempts to connect lie twice as far apart each time. After so long they begin anew, with the next vehicle
#: that comes: after a long absence of the database nobody shall wait for as long again.
RECONNECT_SECONDS = 5
#: A server that vanishes without a word is taken for gone after so long: in less time than a vehicle is told
#: to come back, and not once for each connection that it had.
VANISHED_MILLISECONDS = 5_000


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
            "tcp_user_timeout": VANISHED_MILLISECONDS,
            "autocommit": True,
        },
        configure=plan_once,
        min_size=POOL_MIN,
        max_size=POOL_MAX,
        timeout=CONNECTION_SECONDS,
        reconnect_timeout=RECONNECT_SECONDS,
        open=False,
        name="gateway",
    )

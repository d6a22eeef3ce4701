"""Running the application: connections to PostgreSQL, and uvicorn in this process's event loop."""

import asyncio
import sys
from collections.abc import Callable

import uvicorn
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from sqlalchemy.engine import make_url
from starlette.types import ASGIApp

from gateway.connection import Connection
from gateway.recorder import Pool, Recorder
from gateway.tls import server_context
from runtime.settings import Settings
from store.group import plan_once

POOL_MIN, POOL_MAX = 2, 10
#: Two groups of reports are under way at a time.
RECORDING = 2

#: A vehicle that waits longer for a connection is better told to come back.
CONNECTION_SECONDS = 3
#: Attempts to connect lie twice as far apart each time. After so long they begin anew, with the next vehicle
#: that comes: after a long absence of the database nobody shall wait for as long again.
RECONNECT_SECONDS = 5
#: Requests that may wait for a connection, besides the batches (one each).
WAITING_REQUESTS = 500

#: Long enough for a report under way; downloads are cut and resume with a Range request.
DRAIN_SECONDS = 10
#: Longer than the five seconds at which an update client polls while it works.
KEEP_ALIVE_SECONDS = 15


def create_recorder(url: str) -> Recorder:
    """What records reports in the database at this SQLAlchemy URL, not yet begun."""
    return Recorder(loop_factory(), lambda: create_pool(url, RECORDING, RECORDING, name="recorder"))


def create_pool(url: str, least: int = POOL_MIN, most: int = POOL_MAX, name: str = "gateway") -> Pool:
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
        min_size=least,
        max_size=most,
        timeout=CONNECTION_SECONDS,
        reconnect_timeout=RECONNECT_SECONDS,
        max_waiting=WAITING_REQUESTS,
        open=False,
        name=name,
    )


def create_server(app: ASGIApp, settings: Settings) -> uvicorn.Server:
    """A server that logs no request: a path holds a VIN.

    uvicorn's own reading of forwarded headers is off: it would hide the peer that gateway/proxies.py judges.

    Raises:
        SettingsError: a file of the TLS settings is no good.
    """
    context = server_context(settings)
    return uvicorn.Server(
        uvicorn.Config(
            app,
            host=settings.gateway_host,
            port=settings.gateway_port,
            http=Connection,
            ssl_context_factory=None if context is None else lambda *_: context,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
    )


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """uvloop where it exists; on Windows the loop that psycopg can use."""
    if sys.platform == "win32":
        return asyncio.SelectorEventLoop
    import uvloop

    return uvloop.new_event_loop

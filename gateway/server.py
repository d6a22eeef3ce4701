"""Running the application: uvicorn in this process's event loop."""

import asyncio
import sys
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from gateway.connection import Connection
from gateway.tls import server_context
from runtime.settings import Settings

#: Long enough for a report under way; downloads are cut and resume with a Range request.
DRAIN_SECONDS = 10
#: Longer than the five seconds at which an update client polls while it works.
KEEP_ALIVE_SECONDS = 15


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

"""``python -m gateway``: one gateway process, told by ``RINGMASTER_*``. SIGTERM and SIGINT drain it."""

import asyncio
import gc
import signal
import sys
from collections.abc import Callable
from contextlib import suppress

import structlog

from gateway.app import create_app
from gateway.pool import create_pool
from gateway.server import create_server, loop_factory
from runtime.database import check_schema, database_url
from runtime.errors import RuntimeFault, SettingsError
from runtime.logging import configure_logging
from runtime.settings import Settings, load_settings

log = structlog.get_logger("gateway")


async def serve(url: str, settings: Settings) -> None:
    """Serve until a signal comes, then finish what is under way."""
    # uvicorn drains and then raises the signal again; it must not end us with the pool still open.
    _on_signals(lambda *_: None)
    async with create_pool(url) as pool:
        _collect_seldom()
        log.info("gateway_serving", host=settings.gateway_host, port=settings.gateway_port)
        await create_server(create_app(pool, settings), settings).serve()
    log.info("gateway_stopped")


def _allow_connections() -> None:
    """As many connections as a process may have. The usual soft limit, 1,024, is for programs that count
    their files in a bit mask, and less than what comes back after an outage."""
    if sys.platform != "win32":
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        with suppress(ValueError, OSError):  # macOS allows less than it says
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _collect_seldom() -> None:
    """Let the garbage collector leave alone what is here to stay, and come less often.

    A request leaves no cycles behind, but the many objects of many requests under way set the collector off
    again and again: it took a quarter of the time of a report.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _on_signals(handler: Callable[..., None]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handler)


def main() -> int:
    """0 after a signal; with one line on standard error 2 for a wrong setting, 3 when it cannot start."""
    _on_signals(lambda *_: sys.exit(0))  # also while it starts: an embedded server is to be stopped
    _allow_connections()
    try:
        settings = load_settings()
        configure_logging(settings)
        with database_url(settings) as url, asyncio.Runner(loop_factory=loop_factory()) as runner:
            check_schema(url)
            runner.run(serve(url, settings))
    except RuntimeFault as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, SettingsError) else 3
    return 0


if __name__ == "__main__":
    sys.exit(main())

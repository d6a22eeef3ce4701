"""The embedded PostgreSQL keeps its state over restarts, may be shared, and leaves nothing running."""

import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from runtime.embedded_postgres import SETTINGS, embedded_postgres
from runtime.errors import EmbeddedServerFault

ANOTHER_USER = """
import sys
from pathlib import Path
from runtime.embedded_postgres import embedded_postgres
with embedded_postgres(Path(sys.argv[1])) as url:
    print(url, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="ringmaster-pg-"))
    yield folder
    shutil.rmtree(folder)


def ask(url: str, statement: str) -> Any:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchone() if cursor.description else None


def running(data: Path) -> bool:
    return (data / "postmaster.pid").exists()


def another_user(data: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", ANOTHER_USER, str(data)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def test_state_survives_a_restart(folder: Path) -> None:
    with embedded_postgres(folder / "postgres") as url:
        ask(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    assert not running(folder / "postgres")
    with embedded_postgres(folder / "postgres") as url:
        assert ask(url, "SELECT answer FROM kept") == (42,)


def test_text_sorts_by_code_point_on_every_machine(folder: Path) -> None:
    with embedded_postgres(folder / "postgres") as url:
        assert ask(url, "SELECT datlocale FROM pg_database WHERE datname = current_database()") == (
            "C.UTF-8",
        )
        assert ask(url, "SELECT 'Z' < 'a', upper('ä')") == (True, "Ä")


def test_a_path_too_long_for_a_socket_serves(folder: Path) -> None:
    with embedded_postgres(folder / ("long-" * 30) / "postgres") as url:
        assert ask(url, "SELECT 1") == (1,)


def test_a_path_with_white_space_is_refused_before_anything_is_made(folder: Path) -> None:
    with pytest.raises(EmbeddedServerFault, match="white space in the path; set RINGMASTER_DATA_DIR"):
        embedded_postgres(folder / "my data" / "postgres").__enter__()
    assert not (folder / "my data").exists()


def test_blocks_in_one_process_may_be_nested(folder: Path) -> None:
    with embedded_postgres(folder / "postgres") as outer:
        with embedded_postgres(folder / "postgres") as inner:
            assert inner == outer
        assert ask(outer, "SELECT 1") == (1,)
    assert not running(folder / "postgres")


def test_processes_share_it_and_the_last_one_stops_it(folder: Path) -> None:
    with embedded_postgres(folder / "postgres") as url:
        other = another_user(folder / "postgres")
        assert other.stdout is not None
        assert other.stdout.readline().strip() == url
    assert running(folder / "postgres"), "the other process still uses it"
    assert ask(url, "SELECT 1") == (1,)
    other.communicate(timeout=30)
    assert other.returncode == 0
    assert not running(folder / "postgres")


def test_a_user_that_was_killed_outright_does_not_keep_it_running(folder: Path) -> None:
    with embedded_postgres(folder / "postgres"):
        other = another_user(folder / "postgres")
        assert other.stdout is not None
        assert other.stdout.readline()
        other.send_signal(signal.SIGKILL)
        other.communicate(timeout=30)
    assert not running(folder / "postgres")


def test_a_folder_that_cannot_be_used_is_named(folder: Path) -> None:
    (folder / "postgres").write_text("not a folder")
    with pytest.raises(EmbeddedServerFault, match=r"cannot use .*/postgres for the embedded PostgreSQL"):
        embedded_postgres(folder / "postgres").__enter__()


def test_it_has_our_settings_once_and_commits_are_durable(folder: Path) -> None:
    for _ in range(2):
        with embedded_postgres(folder / "postgres") as url:
            for name, value in SETTINGS.items():
                assert ask(url, f"SELECT current_setting('{name}')") == (value,)
            for name in ("fsync", "synchronous_commit", "full_page_writes"):
                assert ask(url, f"SELECT current_setting('{name}')") == ("on",)
    assert (folder / "postgres" / "postgresql.conf").read_text().count("ringmaster.conf") == 1

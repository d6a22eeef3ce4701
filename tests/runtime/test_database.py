"""
A database is reached, new enough and of this version's schema, or one line says what to do.

Given                       | then one line
----------------------------|---------------------------------------------
nothing listens             | host, port and database; never the password
a wrong password or user    | the same, told apart as refused
an old server               | both versions
no schema, an older schema  | `python starter.py migrate`
a schema of a newer version | install that version
"""

import threading
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

from runtime import database as subject
from runtime.database import check_schema, check_server, migrate
from runtime.database import database_url as database_of
from runtime.errors import AccessDenied, SchemaMismatch, ServerMissing, UnsuitableServer
from runtime.processes import free_port
from runtime.settings import load_settings

ENVIRONMENT = """
from alembic import context
from sqlalchemy import create_engine

engine = create_engine(context.config.attributes["url"])
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
"""

REVISION = """
from alembic import op

revision = {revision!r}
down_revision = {parent!r}

def upgrade():
    op.execute("CREATE TABLE t{revision} ()")
"""


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """Migrations of an imagined version: 0001, then 0002."""
    folder = tmp_path / "100% migrations"
    (folder / "versions").mkdir(parents=True)
    (folder / "env.py").write_text(ENVIRONMENT)
    for revision, parent in (("0001", None), ("0002", "0001")):
        (folder / "versions" / f"{revision}.py").write_text(REVISION.format(revision=revision, parent=parent))
    return folder


def tables(url: str) -> set[str]:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return {str(name) for (name,) in rows.fetchall()}


def run(url: str, statement: str) -> None:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(statement.encode())


def test_an_unreachable_database_is_named_without_its_password() -> None:
    port = free_port()
    settings = load_settings(database_url=f"postgresql://ann:s3cret@127.0.0.1:{port}/fleet")
    with pytest.raises(ServerMissing) as refused, database_of(settings):
        pass
    assert str(refused.value) == (
        f"cannot reach PostgreSQL at 127.0.0.1:{port}/fleet: Connection refused; "
        "check RINGMASTER_DATABASE_URL"
    )
    assert refused.value.__cause__ is None, "psycopg's own error could show the connection string"


def test_a_database_that_does_not_exist_is_named(database_url: str) -> None:
    url = make_url(database_url).set(database="nowhere").render_as_string(hide_password=False)
    with pytest.raises(ServerMissing, match='/nowhere: database "nowhere" does not exist; check RINGMASTER'):
        check_server(url)


def test_a_refused_user_is_told_apart(database_url: str) -> None:
    url = make_url(database_url).set(username="stranger").render_as_string(hide_password=False)
    with pytest.raises(AccessDenied, match='role "stranger" does not exist'):
        check_server(url)


def test_a_server_too_old_is_refused_with_both_versions(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "OLDEST_SERVER", 99)
    with pytest.raises(UnsuitableServer, match=r"is version \d\d; 99 or newer is needed"):
        check_server(database_url)


def test_a_given_database_is_used_as_it_is(database_url: str) -> None:
    with database_of(load_settings(database_url=database_url)) as url:
        assert url == database_url


def test_without_tables_it_says_to_migrate(empty_database: str, scripts: Path) -> None:
    with pytest.raises(SchemaMismatch) as refused:
        check_schema(empty_database, scripts)
    assert str(refused.value) == (
        "the database has no schema yet, this version needs 0002: run `python starter.py migrate`"
    )


def test_an_older_schema_says_to_migrate(empty_database: str, scripts: Path) -> None:
    migrate(empty_database, scripts)
    run(empty_database, "UPDATE alembic_version SET version_num = '0001'")
    with pytest.raises(SchemaMismatch) as refused:
        check_schema(empty_database, scripts)
    assert str(refused.value) == (
        "the database is at schema 0001, this version needs 0002: run `python starter.py migrate`"
    )


def test_a_schema_of_a_newer_version_is_not_called_old(empty_database: str, scripts: Path) -> None:
    migrate(empty_database, scripts)
    run(empty_database, "UPDATE alembic_version SET version_num = '0003'")
    with pytest.raises(
        SchemaMismatch, match=r"at schema 0003, which this version does not know .*newer version"
    ):
        check_schema(empty_database, scripts)


def test_migrating_twice_changes_nothing_more(empty_database: str, scripts: Path) -> None:
    for _ in range(2):
        migrate(empty_database, scripts)
        check_schema(empty_database, scripts)
        assert tables(empty_database) == {"alembic_version", "t0001", "t0002"}


def test_two_may_migrate_at_once(empty_database: str, scripts: Path) -> None:
    faults: list[BaseException] = []

    def one() -> None:
        try:
            migrate(empty_database, scripts)
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    check_schema(empty_database, scripts)


def test_each_test_gets_a_migrated_database_of_its_own(database: str) -> None:
    check_schema(database)

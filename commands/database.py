"""The database a command works on: the one in the settings, with this version's schema."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy

from runtime.database import check_schema, database_url
from runtime.settings import Settings
from store.connect import Connection, connect, engine


@contextmanager
def database(settings: Settings) -> Iterator[Connection]:
    """A connection; an embedded server is started when no URL is set, and left as it was found.

    Raises:
        RuntimeFault: it is out of reach, too old, or has another schema.
    """
    with database_url(settings) as url:
        check_schema(url)
        with connect(url) as connection:
            yield connection


@contextmanager
def transactions(settings: Settings) -> Iterator[sqlalchemy.Engine]:
    """A SQLAlchemy engine, for a command of several transactions.

    Raises:
        RuntimeFault: the database is out of reach, too old, or has another schema.
    """
    with database_url(settings) as url:
        check_schema(url)
        source = engine(url)
        try:
            yield source
        finally:
            source.dispose()


@contextmanager
def writing(settings: Settings) -> Iterator[sqlalchemy.Connection]:
    """A SQLAlchemy connection whose writes are one transaction; raises RuntimeFault as above."""
    with transactions(settings) as source, source.begin() as connection:
        yield connection


@contextmanager
def reading(settings: Settings) -> Iterator[sqlalchemy.Connection]:
    """A SQLAlchemy connection whose writes, if any, are rolled back; raises RuntimeFault as above."""
    with transactions(settings) as source, source.connect() as connection:
        yield connection
        connection.rollback()

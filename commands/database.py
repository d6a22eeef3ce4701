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
def writing(settings: Settings) -> Iterator[sqlalchemy.Connection]:
    """A SQLAlchemy connection whose writes are one transaction.

    Raises:
        RuntimeFault: the database is out of reach, too old, or has another schema.
    """
    with database_url(settings) as url:
        check_schema(url)
        source = engine(url)
        try:
            with source.begin() as connection:
                yield connection
        finally:
            source.dispose()


@contextmanager
def reading(settings: Settings) -> Iterator[sqlalchemy.Connection]:
    """A SQLAlchemy connection whose writes, if there are any, are rolled back.

    Raises:
        RuntimeFault: the database is out of reach, too old, or has another schema.
    """
    with database_url(settings) as url:
        check_schema(url)
        source = engine(url)
        try:
            with source.connect() as connection:
                yield connection
                connection.rollback()
        finally:
            source.dispose()

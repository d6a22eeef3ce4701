"""A transaction with an end: PostgreSQL stops a statement before Temporal gives the activity up for lost."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy import Connection, Engine


@contextmanager
def transaction(engine: Engine, longest: timedelta) -> Iterator[Connection]:
    """One transaction whose statements run for at most ``longest`` each."""
    with engine.begin() as connection:
        milliseconds = int(longest / timedelta(milliseconds=1))
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {milliseconds}")
        yield connection

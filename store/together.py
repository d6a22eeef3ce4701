"""Questions that go to the database together (libpq's pipeline), and are waited for once."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg.rows import namedtuple_row
from sqlalchemy import Connection


def ask(connection: Connection, *questions: tuple[str, Mapping[str, Any]]) -> list[Sequence[Any]]:
    """The rows that each of some statements finds, one after the other in the transaction of a connection.

    Returns:
        For each its rows: tuples whose columns have names.

    Raises:
        psycopg.Error: one of them failed, and what came after it was not done.
    """
    if not connection.in_transaction():
        connection.begin()  # as SQLAlchemy does by itself before a statement of its own
    driver: Any = connection.connection.driver_connection
    with driver.pipeline():
        # In binary, for in text a ``bytea`` is twice as long.
        asked = [driver.cursor(row_factory=namedtuple_row, binary=True).execute(*each) for each in questions]
    # Only now: what is fetched within is waited for, and then the end of the pipeline once more.
    return [answer.fetchall() for answer in asked]

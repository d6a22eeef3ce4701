"""Thousands of rows as one value: their columns as PostgreSQL sends them in binary, strung together.

A tick reads so what it counts. Row by row, or as arrays, the same would take twice as long in the database
and ten times in Python.
"""

from datetime import UTC, datetime, timedelta

#: How numpy calls what ``int4send`` and ``timestamptz_send`` make: the most significant byte comes first, and
#: a moment is a number of microseconds.
NUMBER, MOMENT = ">i4", ">i8"

#: After all moments.
NEVER = 2**62

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


def packed_sql(*columns: str) -> str:
    """An aggregate of rows: all of them as one ``bytea``, for ``numpy.frombuffer``.

    Args:
        columns: expressions of type ``bytea``, each as long for every row.
    """
    return f"string_agg({' || '.join(columns)}, '')"


def pair_sql(first: str, second: str) -> str:
    """Two integers, the second one not negative, as two times ``int4send``, at half of what that takes."""
    return f"int8send({first}::bigint << 32 | {second})"


def microseconds(moment: datetime) -> int:
    """A moment as PostgreSQL counts: from the beginning of 2000 on."""
    return (moment - _EPOCH) // timedelta(microseconds=1)

"""Columns of thousands of rows, each as one value: its numbers as PostgreSQL sends them, strung together.

A tick reads so what it counts. As rows, or as arrays, the same would take twice as long in the database and
ten times in Python; a time made a number by arithmetic, three times.
"""

from datetime import UTC, datetime, timedelta

import numpy as np

from campaign.parts import Numbers

#: After all moments.
NEVER = 2**62

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


def numbers_sql(column: str) -> str:
    """Whole numbers of four bytes, for an aggregate of rows."""
    return f"string_agg(int4send({column}), '')"


def times_sql(column: str) -> str:
    """Moments, for an aggregate of rows."""
    return f"string_agg(timestamptz_send({column}), '')"


def numbers(column: bytes) -> Numbers:
    """What ``numbers_sql`` has found."""
    return np.frombuffer(column, ">i4").astype(np.int64)


def times(column: bytes) -> Numbers:
    """What ``times_sql`` has found, as ``microseconds`` has it."""
    return np.frombuffer(column, ">i8").astype(np.int64)


def microseconds(moment: datetime) -> int:
    """A moment as PostgreSQL counts: from the beginning of 2000 on."""
    return (moment - _EPOCH) // timedelta(microseconds=1)

"""Errors that only a person can mend."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DataError, ProgrammingError
from temporalio.exceptions import ApplicationError

from campaign.problems import Refused

#: The error type of an input that only a person can mend; never retried.
REFUSED = "Refused"


@contextmanager
def refusing() -> Iterator[None]:
    """What only a person can mend is never tried again; the database's own text stays out of history."""
    try:
        yield
    except Refused as error:
        raise ApplicationError(str(error), type=REFUSED, non_retryable=True) from None
    except (DataError, ProgrammingError) as error:
        kind = type(error.orig).__name__
        raise ApplicationError(
            f"refused: the database cannot take one of its values ({kind})",
            type=REFUSED,
            non_retryable=True,
        ) from None

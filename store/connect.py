"""Connections to PostgreSQL, from the one URL that settings give."""

from typing import Any

import psycopg
from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import make_url

Connection = psycopg.Connection[tuple[Any, ...]]

CONNECT_TIMEOUT_SECONDS = 5


def conninfo(url: str) -> str:
    """What libpq takes, for a SQLAlchemy URL such as ``postgresql+psycopg://USER@HOST/DATABASE``."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def connect(url: str) -> Connection:
    """An autocommitting psycopg connection; use ``with connection.transaction()`` for more than a statement.

    Raises:
        psycopg.OperationalError: the server does not answer, or refuses.
    """
    return psycopg.connect(conninfo(url), autocommit=True, connect_timeout=CONNECT_TIMEOUT_SECONDS)


def engine(url: str, **options: Any) -> Engine:
    """A SQLAlchemy engine; it checks a pooled connection before use, as a server may have restarted.

    A server that vanishes is noticed in seconds, and errors carry no values: those could be VINs.
    """
    patience = {"connect_timeout": CONNECT_TIMEOUT_SECONDS, "tcp_user_timeout": 10_000}
    return create_engine(url, pool_pre_ping=True, hide_parameters=True, connect_args=patience, **options)

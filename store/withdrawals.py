"""Withdrawing a file everywhere: no campaign delivers it any more, and none can be resumed with it."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.errors import LockNotAvailable
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from campaign.journal import Line
from campaign.problems import Problem, Refused, closest
from store import journal
from store.gate import ASK_TO_CANCEL_SQL, TAKE_BACK_SQL
from store.stops import TELL_SQL
from store.words import LOCK_SQL

_HASHES = """
SELECT DISTINCT m #>> '{artifact,sha256}' FROM package AS p, jsonb_array_elements(p.body -> 'modules') AS m
WHERE p.name = %(what)s OR m #>> '{artifact,sha256}' = %(what)s
"""

_CAMPAIGNS = """
SELECT id, name, selected_at, finished_at FROM campaign AS c
WHERE EXISTS (
    SELECT FROM jsonb_array_elements(c.package -> 'modules') AS m
    WHERE m #>> '{artifact,sha256}' = ANY(%(hashes)s))
ORDER BY gate_open DESC, id
"""

_WITHDRAW = """
INSERT INTO withdrawal (sha256, at, actor, reason)
SELECT sha256, clock_timestamp(), %(by)s, %(reason)s FROM unnest(%(hashes)s::text[]) AS sha256
ON CONFLICT DO NOTHING
"""

_SHUT = """
UPDATE campaign SET gate_open = false, shut_at = coalesce(shut_at, clock_timestamp()) WHERE id = %(id)s
"""

_REFUSED = "SELECT actor, reason FROM withdrawal WHERE sha256 = ANY(%(hashes)s) ORDER BY at LIMIT 1"


@dataclass(frozen=True)
class Withdrawn:
    """What a withdrawal reached: the files, and the names of the campaigns that were stopped."""

    hashes: list[str]
    campaigns: list[str]


@dataclass(frozen=True)
class Withdrawal:
    """When a file was withdrawn, by whom, and why."""

    at: datetime
    actor: str
    reason: str


def withdraw(engine: Engine, what: str, by: str, reason: str, now: datetime) -> Withdrawn:
    """Stop every campaign that delivers a file of a package.

    Once the withdrawal itself is committed no gate opens any more; then the gates that are open are shut one
    by one, so that a campaign that holds its lock for long keeps no other waiting. Cut in the middle it does
    no harm: every tick finds a withdrawn package, and a second time it goes on.

    Args:
        what: the name of a package, or the sha256 of one of its files.

    Raises:
        Refused: no registered package has this name or file.
    """
    with engine.begin() as connection:
        hashes = _hashes(connection, what)
        connection.exec_driver_sql(_WITHDRAW, {"hashes": hashes, "by": by, "reason": reason})
    with engine.begin() as connection:
        rows = connection.exec_driver_sql(_CAMPAIGNS, {"hashes": hashes}).fetchall()
    text = f"{what} was withdrawn everywhere by {by}" + (f": {reason}" if reason else "")
    line = Line(key="withdrawal", at=now, actor=by, event="withdrawn", text=text)
    # One that selects has never opened; one that is just ending holds its lock for long and admits nobody.
    lines = {row.id: None if row.finished_at else _keyed(line, hashes) for row in rows if row.selected_at}
    busy = [number for number, each in lines.items() if not _stop(engine, number, each, _SOON)]
    for number in busy:
        _stop(engine, number, lines[number], _EVER)
    return Withdrawn(hashes, sorted(row.name for row in rows if row.finished_at is None))


#: How long to wait for the lock of a campaign while others wait to be stopped, and after them.
_SOON, _EVER = "1s", "0"


def _stop(engine: Engine, campaign_id: int, line: Line | None, patience: str) -> bool:
    """Stop one campaign; an ended one has no line, and leaves downloads behind at most.

    Returns:
        Whether its lock was to be had in time.
    """
    key = {"id": campaign_id}
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{patience}'")
            connection.exec_driver_sql(LOCK_SQL, ([campaign_id],))
            connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
            if line is not None:
                for statement in (_SHUT, TAKE_BACK_SQL):
                    connection.exec_driver_sql(statement, key)
                journal.write(connection, campaign_id, (line,))
                connection.exec_driver_sql(TELL_SQL, (campaign_id,))
            # Also those that a campaign left behind when it ended.
            connection.exec_driver_sql(ASK_TO_CANCEL_SQL, key)
    except OperationalError as error:
        if not isinstance(error.orig, LockNotAvailable):
            raise
        return False
    return True


def refuse_withdrawn(connection: Connection, name: str, hashes: list[str]) -> None:
    """Refuse a package that holds a withdrawn file.

    Raises:
        Refused: it does.
    """
    row = connection.exec_driver_sql(_REFUSED, {"hashes": hashes}).first()
    if row is not None:
        why = f" ({row.reason})" if row.reason else ""
        cure = (
            f"a file of it was withdrawn everywhere by {row.actor}{why}; give another package, or "
            "`package reinstate` it"
        )
        raise Refused([Problem("package", repr(name), cure)])


def reinstate(connection: Connection, what: str, by: str, reason: str, now: datetime) -> list[str]:
    """Let a withdrawn file be delivered again; campaigns stay paused until they are resumed.

    Returns:
        The files that had been withdrawn.

    Raises:
        Refused: no registered package has this name or file.
    """
    hashes = _hashes(connection, what)
    found = connection.exec_driver_sql(
        "DELETE FROM withdrawal WHERE sha256 = ANY(%(hashes)s) RETURNING sha256", {"hashes": hashes}
    )
    back = [row.sha256 for row in found.fetchall()]
    if back:
        rows = connection.exec_driver_sql(_CAMPAIGNS, {"hashes": back}).fetchall()
        text = f"{what} was reinstated by {by}" + (f": {reason}" if reason else "")
        line = Line(key="reinstate", at=now, actor=by, event="reinstated", text=text)
        for row in rows:
            if row.finished_at is None:
                journal.write(connection, row.id, (_keyed(line, back),))
    return back


def _keyed(line: Line, hashes: list[str]) -> Line:
    return line.model_copy(update={"key": f"{line.key}/{hashes[0]}/{line.at.isoformat()}"})


def withdrawn(connection: Connection) -> dict[str, Withdrawal]:
    """What is withdrawn, by sha256, the latest first."""
    rows = connection.exec_driver_sql("SELECT sha256, at, actor, reason FROM withdrawal ORDER BY at DESC")
    return {row.sha256: Withdrawal(row.at, row.actor, row.reason) for row in rows}


def _hashes(connection: Connection, what: str) -> list[str]:
    hashes = list(connection.exec_driver_sql(_HASHES, {"what": what}).scalars())
    if not hashes:
        names = list(connection.exec_driver_sql("SELECT name FROM package").scalars())
        cure = f"no registered package has this name or file; {closest(what, names)}"
        raise Refused([Problem("package", repr(what), cure)], "command")
    return sorted(hashes)

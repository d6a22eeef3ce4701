"""Withdrawing a file everywhere: no campaign delivers it any more, and none can be resumed with it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from campaign.journal import Line
from campaign.problems import Problem, Refused, closest
from store import journal
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
ORDER BY id
"""

_WITHDRAW = """
INSERT INTO withdrawal (sha256, at, actor, reason)
SELECT sha256, clock_timestamp(), %(by)s, %(reason)s FROM unnest(%(hashes)s::text[]) AS sha256
ON CONFLICT DO NOTHING
"""

_SHUT = """
UPDATE campaign SET gate_open = false, shut_at = coalesce(shut_at, clock_timestamp()) WHERE id = ANY(%(ids)s)
"""

_TAKE_BACK = """
UPDATE assignment SET state = 'pending', offered_at = NULL
WHERE campaign_id = ANY(%(ids)s) AND state = 'offered'
"""

#: Also those that a campaign left behind when it ended.
_ASK_TO_CANCEL = """
UPDATE assignment SET cancel_wanted = true WHERE campaign_id = ANY(%(all)s) AND state = 'downloading'
"""


_REFUSED = "SELECT actor, reason FROM withdrawal WHERE sha256 = ANY(%(hashes)s) ORDER BY at LIMIT 1"


@dataclass(frozen=True)
class Withdrawn:
    """What a withdrawal reached: the files, and the names of the campaigns that were stopped."""

    hashes: list[str]
    campaigns: list[str]


def withdraw(connection: Connection, what: str, by: str, reason: str, now: datetime) -> Withdrawn:
    """Stop every campaign that delivers a file of a package, at once and in one transaction.

    Args:
        what: the name of a package, or the sha256 of one of its files.

    Raises:
        Refused: no registered package has this name or file.
    """
    hashes = _hashes(connection, what)
    connection.exec_driver_sql(_WITHDRAW, {"hashes": hashes, "by": by, "reason": reason})
    rows = connection.exec_driver_sql(_CAMPAIGNS, {"hashes": hashes}).fetchall()
    running = [row for row in rows if row.finished_at is None]
    # One that selects holds its lock for long and has never opened: no gate opens any more (store/gate.py).
    ids = [row.id for row in running if row.selected_at is not None]
    reached = {"ids": ids, "all": [row.id for row in rows]}
    connection.exec_driver_sql(LOCK_SQL, (ids,))
    for statement in (_SHUT, _TAKE_BACK, _ASK_TO_CANCEL):
        connection.exec_driver_sql(statement, reached)
    text = f"{what} was withdrawn everywhere by {by}" + (f": {reason}" if reason else "")
    _journal(connection, ids, hashes, Line(key="withdrawal", at=now, actor=by, event="withdrawn", text=text))
    return Withdrawn(hashes, [row.name for row in running])


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
        ids = [row.id for row in rows if row.finished_at is None]
        text = f"{what} was reinstated by {by}" + (f": {reason}" if reason else "")
        _journal(
            connection, ids, back, Line(key="reinstate", at=now, actor=by, event="reinstated", text=text)
        )
    return back


def _journal(connection: Connection, campaigns: list[int], hashes: list[str], line: Line) -> None:
    for campaign_id in campaigns:
        key = f"{line.key}/{hashes[0]}/{line.at.isoformat()}"
        journal.write(connection, campaign_id, (line.model_copy(update={"key": key}),))


def _hashes(connection: Connection, what: str) -> list[str]:
    hashes = list(connection.exec_driver_sql(_HASHES, {"what": what}).scalars())
    if not hashes:
        names = list(connection.exec_driver_sql("SELECT name FROM package").scalars())
        cure = f"no registered package has this name or file; {closest(what, names)}"
        raise Refused([Problem("package", repr(what), cure)], "command")
    return sorted(hashes)

"""Rows that have changed since they were counted last, by what PostgreSQL keeps anyway: the transaction that
wrote a row (``xmin``).

A count goes on from one that ended with a horizon: the oldest transaction that ran then. All that was over by
then has been seen, and whatever is written later is of the horizon or younger. A row may be read again though
it is the same: counts take over what it says and do not add to it.
"""

#: Before every transaction: all rows have changed since.
NOTHING_SEEN = 2

#: Transactions are compared by the last 32 bits of their number, which tell two billion of them apart. From a
#: count that is half as old as that none goes on.
_OLDEST = 2**30

HORIZON_SQL = "pg_snapshot_xmin(pg_current_snapshot())::text::bigint"

#: Whether the transaction that wrote a row is over, and not the present one: it can be rolled back no more.
SETTLED_SQL = "age({row}.xmin) > age(pg_snapshot_xmin(pg_current_snapshot())::xid)"

#: What is another one when rows that were there may be gone or committed ones lost, as after a restore: the
#: server was started, it recovered from a crash (its statistics begin anew then), or a table was made or
#: filled anew.
SERVER_SQL = """concat_ws(' ', pg_postmaster_start_time(), pg_stat_get_bgwriter_stat_reset_time(),
                 pg_relation_filenode('tally'), pg_relation_filenode('slice'))"""

#: Whether a row has changed since a horizon.
CHANGED_SQL = "age({row}.xmin) <= (SELECT age(%(since)s::text::xid))"


def goes_on(since: int, horizon: int) -> bool:
    """Whether what has changed since one horizon can be told at another one."""
    return 0 <= horizon - since < _OLDEST


def transaction(horizon: int) -> str:
    """A horizon as ``CHANGED_SQL`` compares it."""
    return str(horizon % 2**32)

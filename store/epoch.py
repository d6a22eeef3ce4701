"""The epoch: by it a gateway knows that what it remembers still holds.

It rises in the very commit after which a vehicle that had nothing to expect may have something (a gate opens,
a phase is released, a success is taken back, a configuration is wanted), or after which a token that was good
may not be. Triggers keep it (migrations/versions/0007_epoch.py), so no statement can forget it.
"""

from psycopg import AsyncConnection

#: The present epoch, as part of another statement: what that finds was so in this epoch.
EPOCH_SQL = "(SELECT number FROM epoch)"


async def epoch(connection: AsyncConnection) -> int:
    """The present epoch."""
    rows = await (await connection.execute("SELECT number FROM epoch", prepare=True)).fetchall()
    return int(rows[0][0])

"""Every offer that was ever made, with the transaction that made it, and every shut of a gate with what was
committed then.

Late is an offer whose transaction had not been committed when the gate was shut, whatever it may have read
and whichever lock it has taken or has not: it is committed after that, or beside it.
"""

from store.connect import Connection

_NOTED = (
    "CREATE TABLE bench_offer (campaign_id int, made_by xid8)",
    "CREATE FUNCTION bench_offer() RETURNS trigger LANGUAGE plpgsql AS "
    "'BEGIN INSERT INTO bench_offer VALUES (NEW.campaign_id, pg_current_xact_id()); RETURN NULL; END'",
    "CREATE TRIGGER bench_offer AFTER UPDATE ON assignment FOR EACH ROW "
    "WHEN (OLD.state <> 'offered' AND NEW.state = 'offered') EXECUTE FUNCTION bench_offer()",
    "CREATE TABLE bench_shut (id serial, campaign_id int, seen pg_snapshot)",
    "CREATE FUNCTION bench_shut() RETURNS trigger LANGUAGE plpgsql AS "
    "'BEGIN INSERT INTO bench_shut (campaign_id, seen) VALUES (NEW.id, pg_current_snapshot()); "
    "RETURN NULL; END'",
    "CREATE TRIGGER bench_shut AFTER UPDATE ON campaign FOR EACH ROW "
    "WHEN (OLD.gate_open AND NOT NEW.gate_open) EXECUTE FUNCTION bench_shut()",
)

_ALL = "SELECT count(*) FROM bench_offer WHERE campaign_id = %s"
_LATE = """
SELECT count(*) FROM bench_offer AS o
JOIN (SELECT * FROM bench_shut WHERE campaign_id = %s ORDER BY id DESC LIMIT 1) AS s USING (campaign_id)
WHERE NOT pg_visible_in_snapshot(o.made_by, s.seen)
"""


def note_all(connection: Connection) -> None:
    """Note every offer and every shut of a gate from now on."""
    for statement in _NOTED:
        connection.execute(statement)


def offers(connection: Connection, campaign: int) -> int:
    """How many offers of a campaign were made."""
    return _count(connection, _ALL, campaign)


def late_offers(connection: Connection, campaign: int) -> int:
    """How many of them were committed after its gate was shut last."""
    return _count(connection, _LATE, campaign)


def _count(connection: Connection, statement: str, campaign: int) -> int:
    row = connection.execute(statement.encode(), [campaign]).fetchone()
    return int(row[0]) if row else 0

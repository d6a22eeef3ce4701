"""Every offer that was ever made, with the moment at which it was made under the campaign's lock.

Whoever shuts a gate notes the moment under the same lock, and both hold it to their commit: the order of the
moments is the order of the commits.
"""

from datetime import datetime

from store.connect import Connection

_NOTED = (
    "CREATE TABLE bench_offer (campaign_id int, at timestamptz)",
    "CREATE FUNCTION bench_offer() RETURNS trigger LANGUAGE plpgsql AS "
    "'BEGIN INSERT INTO bench_offer VALUES (NEW.campaign_id, NEW.offered_at); RETURN NULL; END'",
    "CREATE TRIGGER bench_offer AFTER UPDATE ON assignment FOR EACH ROW "
    "WHEN (OLD.state <> 'offered' AND NEW.state = 'offered') EXECUTE FUNCTION bench_offer()",
)

_COUNT = "SELECT count(*) FROM bench_offer WHERE campaign_id = %s AND at > %s"
_ALL = "SELECT count(*) FROM bench_offer WHERE campaign_id = %s"


def note_all(connection: Connection) -> None:
    """Note every offer from now on."""
    for statement in _NOTED:
        connection.execute(statement)


def offers(connection: Connection, campaign: int, since: datetime | None = None) -> int:
    """How many offers of a campaign were made, after a moment or in all."""
    asked = (_ALL, [campaign]) if since is None else (_COUNT, [campaign, since])
    row = connection.execute(*asked).fetchone()
    return int(row[0]) if row else 0

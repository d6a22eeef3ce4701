"""The journal: what was decided, when, by whom and why; append-only."""

from collections.abc import Sequence

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from campaign.journal import Line
from store.tables import JournalRow


def write(connection: Connection, campaign_id: int, lines: Sequence[Line]) -> None:
    """Append lines; one that is already there (same key) stays as it is."""
    if not lines:
        return
    rows = [
        {
            "campaign_id": campaign_id,
            "line": line.key,
            "at": line.at,
            "actor": line.actor,
            "event": line.event,
            "text": line.text,
        }
        for line in lines
    ]
    connection.execute(insert(JournalRow.__table__).on_conflict_do_nothing(), rows)  # type: ignore[attr-defined]


def read(connection: Connection, campaign_id: int) -> list[Line]:
    """All lines of a campaign, oldest first."""
    table = JournalRow.__table__  # type: ignore[attr-defined]
    statement = select(table).where(table.c.campaign_id == campaign_id).order_by(col(JournalRow.id))
    return [
        Line(key=row.line, at=row.at, actor=row.actor, event=row.event, text=row.text)
        for row in connection.execute(statement)
    ]

"""the index of who is in flight is taken only where it is asked for

Without statistics of the states, and with others from before anybody was in flight, the planner took it for the
one assignment of a vehicle: the more in flight, the longer each vehicle read.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def _make(where: str) -> None:
    """Under another name first: while an index is made others read on, while one goes they do not."""
    op.create_index(
        "assignment_in_flight_now",
        "assignment",
        ["campaign_id", "phase", "state", "offered_at"],
        unique=False,
        postgresql_where=sa.text(where),
    )
    op.drop_index("assignment_in_flight", "assignment")
    op.execute("ALTER INDEX assignment_in_flight_now RENAME TO assignment_in_flight")


def upgrade() -> None:
    _make("CASE WHEN state IN ('downloading', 'installing', 'offered') THEN true ELSE false END")


def downgrade() -> None:
    _make("state IN ('downloading', 'installing', 'offered')")

"""the planner knows nothing of the states of assignments

What it gathers is true at one moment: nobody was in flight when a fleet had just been selected, so it took the
partial indexes for empty and read all of them for every vehicle that polled: 600 us instead of 23 at 6,400 in
flight, and more with each one. Without statistics it expects some of every state, which is always near enough.
"""

from alembic import op

revision = "0008"
down_revision = "0007"

#: What was gathered before is forgotten where the server knows how to (PostgreSQL 18).
FORGET = """
DO $$ BEGIN
    IF to_regproc('pg_clear_attribute_stats') IS NOT NULL THEN
        PERFORM pg_clear_attribute_stats(current_schema()::text, 'assignment', 'state', false);
    END IF;
END $$
"""


def upgrade() -> None:
    op.execute("ALTER TABLE assignment ALTER COLUMN state SET STATISTICS 0")
    op.execute(FORGET)


def downgrade() -> None:
    op.execute("ALTER TABLE assignment ALTER COLUMN state SET STATISTICS -1")

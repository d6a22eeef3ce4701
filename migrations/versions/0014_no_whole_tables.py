"""a change of an ECU never reads whole tables: a plan made while they are small stays as they grow"""

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.execute("ALTER FUNCTION keep_candidates(int[]) SET enable_seqscan = off")


def downgrade() -> None:
    op.execute("ALTER FUNCTION keep_candidates(int[]) RESET enable_seqscan")

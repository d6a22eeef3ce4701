"""which files of its action a vehicle has fetched"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column(
        "assignment",
        sa.Column("files", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
    )
    # Which files it were is not known; what was taken for proof before is taken for proof now.
    op.execute("UPDATE assignment SET files = -1 WHERE fetched_at IS NOT NULL AND finished_at IS NULL")


def downgrade() -> None:
    op.drop_column("assignment", "files")

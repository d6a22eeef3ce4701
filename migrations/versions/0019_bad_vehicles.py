"""an index of bad vehicles in the tally: when one has failed they are read alone"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.create_index(
        "tally_bad",
        "tally",
        ["campaign_id", "phase"],
        unique=False,
        postgresql_where=sa.text(
            "state IN ('critical', 'download_failed', 'failed', 'rolled_back', 'silent', 'stalled')"
        ),
    )


def downgrade() -> None:
    op.drop_index("tally_bad", "tally")

"""vehicle protocol: a former token that is still good, and vehicles that need no confirmation"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("vehicle", sa.Column("former_token_hash", sa.LargeBinary(), nullable=True))
    op.add_column("vehicle", sa.Column("former_token_until", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "auto_confirm",
        sa.Column("vehicle_id", sa.Integer(), nullable=False),
        sa.Column("initiator", sa.Text(), nullable=True),
        sa.Column("remark", sa.Text(), nullable=True),
        sa.Column(
            "activated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["vehicle_id"], ["vehicle.id"]),
        sa.PrimaryKeyConstraint("vehicle_id"),
    )


def downgrade() -> None:
    op.drop_table("auto_confirm")
    op.drop_column("vehicle", "former_token_until")
    op.drop_column("vehicle", "former_token_hash")

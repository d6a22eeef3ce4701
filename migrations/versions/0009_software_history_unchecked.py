"""the history of software without foreign keys: two checks for each success were a fifth of its cost"""

from alembic import op

revision = "0009"
down_revision = "0008"

_KEYS = {"vehicle_id": "vehicle", "campaign_id": "campaign"}


def upgrade() -> None:
    for column in _KEYS:
        op.drop_constraint(f"software_change_{column}_fkey", "software_change")


def downgrade() -> None:
    for column, table in _KEYS.items():
        op.create_foreign_key(f"software_change_{column}_fkey", "software_change", table, [column], ["id"])

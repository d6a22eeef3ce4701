"""install windows, the owner's preference, consent, and the words of a deferral"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"

#: Before, any object was taken for the owner's window. What is none moves to the attributes.
_TIME = r"'^(([01]\d|2[0-3]):[0-5]\d|24:00)$'"
_DAYS = "array['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']"
_NO_WINDOW = f"""
UPDATE vehicle SET attributes = attributes || jsonb_build_object('install_window', install_window),
    install_window = NULL
WHERE install_window IS NOT NULL AND NOT coalesce(
    timezone IS NOT NULL AND jsonb_typeof(install_window) = 'object'
    AND install_window ->> 'from' ~ {_TIME} AND install_window ->> 'to' ~ {_TIME}
    AND install_window ->> 'from' <> '24:00' AND install_window ->> 'from' <> install_window ->> 'to'
    AND install_window - array['from', 'to', 'days'] = '{{}}'
    AND (install_window -> 'days' IS NULL OR jsonb_typeof(install_window -> 'days') = 'array'
         AND install_window -> 'days' <> '[]' AND install_window -> 'days' <@ to_jsonb({_DAYS})), false)
"""

#: A campaign that was launched before keeps what it was launched with: no window, nobody to be asked.
_TERMS = """
UPDATE campaign SET terms = jsonb_build_object(
    'type', definition -> 'type', 'interaction', definition -> 'interaction')
WHERE definition ? 'type' AND definition ? 'interaction'
"""


def upgrade() -> None:
    op.add_column("vehicle", sa.Column("update_preference", sa.Text(collation="C"), nullable=True))
    op.create_check_constraint(
        "vehicle_update_preference", "vehicle", "update_preference IN ('automatic', 'ask', 'never')"
    )
    op.execute(_NO_WINDOW)
    op.add_column(
        "campaign",
        sa.Column(
            "terms",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
    )
    op.add_column(
        "campaign", sa.Column("limited", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.execute(_TERMS)
    op.add_column("assignment", sa.Column("offer_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("assignment", sa.Column("deferral", sa.Text(collation="C"), nullable=True))
    op.add_column("assignment", sa.Column("deferral_value", sa.Text(), nullable=True))
    op.create_table(
        "consent",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("vehicle_id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(collation="C"), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("message_version", sa.Text(), nullable=False),
        sa.Column("details", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.CheckConstraint("state IN ('asked', 'confirmed', 'denied', 'postponed')", name="consent_state"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("consent_of_vehicle", "consent", ["vehicle_id", "campaign_id", "id"], unique=False)


def downgrade() -> None:
    raise NotImplementedError("what owners said cannot be unsaid; restore a backup instead")

"""statistics on what an ECU is and runs, for selections"""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    # Name, hardware and version go together: taken for independent, a selection of everybody looks like one
    # of a few, and is joined row by row.
    op.execute("CREATE STATISTICS ecu_software (mcv) ON name, hw_id, sw_version FROM ecu")
    op.execute("ANALYZE ecu")


def downgrade() -> None:
    op.execute("DROP STATISTICS ecu_software")

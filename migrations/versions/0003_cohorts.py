"""cohorts known per configuration, and downloads that stalled"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_STATES = (
    "state IN ('pending', 'offered', 'downloading', 'installing', 'deferred', 'stalled', 'succeeded', "
    "'failed', 'rolled_back', 'silent', 'critical', 'download_failed', 'not_applicable', 'cancelled', "
    "'expired', 'excluded')"
)

#: The words of campaign/cohorts.py: what the vehicles of a configuration have in common with others.
COHORTS = """
CREATE FUNCTION cohorts_of(model text, country text, ecus jsonb) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_agg(DISTINCT cohort ORDER BY cohort) FROM (
        SELECT 'model=' || model
        UNION ALL SELECT 'country=' || country WHERE country <> ''
        UNION ALL SELECT 'hw_id=' || (e.value ->> 'hw_id') FROM jsonb_each(ecus) AS e
        UNION ALL SELECT 'from_version=' || e.key || ' ' || (e.value ->> 'sw_version')
        FROM jsonb_each(ecus) AS e
    ) AS found (cohort)
$$;
"""


def upgrade() -> None:
    op.drop_constraint("assignment_state", "assignment")
    op.create_check_constraint("assignment_state", "assignment", _STATES)
    op.execute(COHORTS)
    op.add_column(
        "configuration",
        sa.Column(
            "cohorts",
            sa.ARRAY(sa.Text(collation="C")),
            sa.Computed("cohorts_of(model, country, ecus)", persisted=True),
            nullable=True,
        ),
    )
    op.create_index(
        "configuration_excluded",
        "configuration",
        ["campaign_id"],
        unique=False,
        postgresql_where=sa.text("excluded"),
    )
    op.add_column(
        "campaign",
        sa.Column(
            "cohorts", sa.ARRAY(sa.Text(collation="C")), server_default=sa.text("'{}'"), nullable=False
        ),
    )
    # As store/evidence.py finds them at a selection.
    op.execute("""
        UPDATE campaign AS c SET cohorts = ARRAY(
            SELECT k.cohort FROM configuration AS f, unnest(f.cohorts) AS k (cohort)
            WHERE f.campaign_id = c.id GROUP BY k.cohort
            HAVING count(*) < (SELECT count(*) FROM configuration WHERE campaign_id = c.id))""")


def downgrade() -> None:
    raise NotImplementedError("a stalled download has no word in the schema before; restore a backup instead")

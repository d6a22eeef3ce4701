"""guards: evidence windows, slices of time, cohorts, exclusion and withdrawal"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_STATES = (
    "state IN ('pending', 'offered', 'downloading', 'installing', 'deferred', 'succeeded', 'failed', "
    "'rolled_back', 'silent', 'critical', 'download_failed', 'not_applicable', 'cancelled', 'expired', "
    "'excluded')"
)

#: Keeps tally and slice equal to what they count, whatever statement moves an assignment. What a resume has
#: acknowledged shrinks with the failures that are corrected later, so that it never hides a new one.
TALLY = """
CREATE OR REPLACE FUNCTION keep_tally() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO tally AS t (campaign_id, phase, configuration_id, state, vehicles)
        SELECT campaign_id, phase, configuration_id, state, count(*)
        FROM new_rows GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
        ON CONFLICT (campaign_id, phase, configuration_id, state)
        DO UPDATE SET vehicles = t.vehicles + excluded.vehicles;
    ELSE
        INSERT INTO tally AS t (campaign_id, phase, configuration_id, state, vehicles)
        SELECT campaign_id, phase, configuration_id, state, sum(step) FROM (
            SELECT campaign_id, phase, configuration_id, state, 1 AS step FROM new_rows
            UNION ALL
            SELECT campaign_id, phase, configuration_id, state, -1 FROM old_rows
        ) AS steps
        GROUP BY 1, 2, 3, 4 HAVING sum(step) <> 0 ORDER BY 1, 2, 3, 4
        ON CONFLICT (campaign_id, phase, configuration_id, state)
        DO UPDATE SET vehicles = t.vehicles + excluded.vehicles,
            acknowledged = least(t.acknowledged, t.vehicles + excluded.vehicles);
        INSERT INTO slice AS s (campaign_id, phase, began, state, vehicles)
        SELECT campaign_id, phase, slice, state, sum(step) FROM (
            SELECT campaign_id, phase, slice, state, 1 AS step FROM new_rows WHERE slice IS NOT NULL
            UNION ALL
            SELECT campaign_id, phase, slice, state, -1 FROM old_rows WHERE slice IS NOT NULL
        ) AS steps
        GROUP BY 1, 2, 3, 4 HAVING sum(step) <> 0 ORDER BY 1, 2, 3, 4
        ON CONFLICT (campaign_id, phase, began, state)
        DO UPDATE SET vehicles = s.vehicles + excluded.vehicles;
    END IF;
    RETURN NULL;
END
$$;
"""


def upgrade() -> None:
    op.drop_constraint("assignment_state", "assignment")
    op.create_check_constraint("assignment_state", "assignment", _STATES)
    op.add_column("assignment", sa.Column("slice", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "assignment_failed",
        "assignment",
        ["campaign_id"],
        unique=False,
        postgresql_where=sa.text(
            "state IN ('critical', 'download_failed', 'failed', 'rolled_back', 'silent')"
        ),
    )
    op.add_column(
        "tally", sa.Column("acknowledged", sa.Integer(), server_default=sa.text("0"), nullable=False)
    )
    # Windows that had begun: what was known until now stays acknowledged.
    op.execute("""
        UPDATE tally AS t SET acknowledged = t.vehicles FROM phase AS p
        WHERE p.campaign_id = t.campaign_id AND p.number = t.phase AND p.window_attempts > 0
          AND t.state IN ('succeeded', 'failed', 'rolled_back', 'silent')""")
    op.drop_column("phase", "window_attempts")
    op.drop_column("phase", "window_failures")
    op.add_column(
        "phase",
        sa.Column("overdue_after", sa.Interval(), server_default=sa.text("'3 hours'"), nullable=False),
    )
    op.add_column("campaign", sa.Column("window_began_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE campaign SET window_began_at = clock_timestamp() WHERE selected_at IS NOT NULL")
    # A stop that waits for a person must stay readable.
    op.execute("""
        UPDATE campaign SET breach = jsonb_set(breach, '{verdict}', breach -> 'verdict' || jsonb_build_object(
            'started', breach #> '{verdict,attempts}', 'finished', breach #> '{verdict,attempts}',
            'failed', breach #> '{verdict,failures}'))
        WHERE breach #> '{verdict,attempts}' IS NOT NULL""")
    op.add_column(
        "campaign",
        sa.Column("excluded", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    )
    op.add_column(
        "configuration",
        sa.Column("excluded", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.create_table(
        "slice",
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("phase", sa.SmallInteger(), nullable=False),
        sa.Column("began", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(collation="C"), nullable=False),
        sa.Column("vehicles", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "phase", "began", "state"),
        postgresql_with={"fillfactor": "50"},
    )
    op.create_table(
        "matured",
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("phase", sa.SmallInteger(), nullable=False),
        sa.Column("began", sa.DateTime(timezone=True), nullable=False),
        sa.Column("vehicles", sa.Integer(), nullable=False),
        sa.Column("quiet", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "phase", "began"),
    )
    op.create_table(
        "evidence_window",
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sentences", sa.ARRAY(sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"]),
        sa.PrimaryKeyConstraint("campaign_id", "number"),
    )
    op.create_table(
        "withdrawal",
        sa.Column("sha256", sa.Text(collation="C"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sha256"),
    )
    op.execute(TALLY)


def downgrade() -> None:
    raise NotImplementedError("what slices and windows counted cannot be undone; restore a backup instead")

"""a slice of time is one row with a number for each state, so that fewer rows are moved by reports and read by ticks"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"

#: The states that are judged and matter to the brake: those of who began to install and did not put it off.
STATES = ("installing", "succeeded", "failed", "rolled_back", "silent", "critical")

_COLUMNS = ", ".join(STATES)
_STEPS = ",\n                ".join(
    f"coalesce(sum(steps) FILTER (WHERE state = '{state}'), 0)" for state in STATES
)
_MOVED = ",\n                ".join(f"{state} = s.{state} + excluded.{state}" for state in STATES)
_VEHICLES = ",\n    ".join(f"coalesce(sum(vehicles) FILTER (WHERE state = '{state}'), 0)" for state in STATES)

_OUTCOMES = "'succeeded', 'failed', 'rolled_back', 'silent', 'critical', 'download_failed'"

#: As before (0011) but for the slices, and for those who had an outcome: where some have another one, or none,
#: what is remembered of outcomes holds no more, and no statement can forget to say so.
TALLY = f"""
CREATE OR REPLACE FUNCTION keep_tally() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        WITH counted AS (
            INSERT INTO tally AS t (campaign_id, phase, configuration_id, state, vehicles)
            SELECT campaign_id, phase, configuration_id, state, count(*)
            FROM new_rows GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
            ON CONFLICT (campaign_id, phase, configuration_id, state)
            DO UPDATE SET vehicles = t.vehicles + excluded.vehicles
            RETURNING t.campaign_id, t.phase
        )
        INSERT INTO edition (campaign_id, phase, id)
        SELECT campaign_id, phase, gen_random_uuid() FROM counted GROUP BY 1, 2 ORDER BY 1, 2
        ON CONFLICT (campaign_id, phase) DO UPDATE SET id = excluded.id;
    ELSE
        WITH moved AS (
            SELECT campaign_id, phase, configuration_id, state, sum(step) AS steps FROM (
                SELECT campaign_id, phase, configuration_id, state, 1 AS step FROM new_rows
                UNION ALL
                SELECT campaign_id, phase, configuration_id, state, -1 FROM old_rows
            ) AS steps
            GROUP BY 1, 2, 3, 4 HAVING sum(step) <> 0
        ), counted AS (
            INSERT INTO tally AS t (campaign_id, phase, configuration_id, state, vehicles)
            SELECT campaign_id, phase, configuration_id, state, steps FROM moved ORDER BY 1, 2, 3, 4
            ON CONFLICT (campaign_id, phase, configuration_id, state)
            DO UPDATE SET vehicles = t.vehicles + excluded.vehicles,
                acknowledged = least(t.acknowledged, t.vehicles + excluded.vehicles)
            RETURNING t.campaign_id, t.phase
        ), sliced AS (
            INSERT INTO slice AS s (campaign_id, phase, began, {_COLUMNS})
            SELECT campaign_id, phase, slice,
                {_STEPS}
            FROM (
                SELECT campaign_id, phase, slice, state, sum(step) AS steps FROM (
                    SELECT campaign_id, phase, slice, state, 1 AS step FROM new_rows WHERE slice IS NOT NULL
                    UNION ALL
                    SELECT campaign_id, phase, slice, state, -1 FROM old_rows WHERE slice IS NOT NULL
                ) AS steps
                GROUP BY 1, 2, 3, 4 HAVING sum(step) <> 0
            ) AS moved_slices
            GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
            ON CONFLICT (campaign_id, phase, began) DO UPDATE SET
                {_MOVED}
            RETURNING s.campaign_id, s.phase
        )
        INSERT INTO edition AS e (campaign_id, phase, id, matured)
        SELECT campaign_id, phase, gen_random_uuid(), (
            SELECT gen_random_uuid() FROM moved AS m
            WHERE m.campaign_id = changed.campaign_id AND m.phase = changed.phase
              AND m.steps < 0 AND m.state IN ({_OUTCOMES})
            LIMIT 1)
        FROM (TABLE counted UNION ALL TABLE sliced) AS changed GROUP BY 1, 2 ORDER BY 1, 2
        ON CONFLICT (campaign_id, phase)
        DO UPDATE SET id = excluded.id, matured = coalesce(excluded.matured, e.matured);
    END IF;
    RETURN NULL;
END
$$;
"""

#: A slice that nobody is in any more is kept: what matured without anybody is looked at again.
FILL = f"""
INSERT INTO slice (campaign_id, phase, began, {_COLUMNS})
SELECT campaign_id, phase, began,
    {_VEHICLES}
FROM slice_by_state GROUP BY 1, 2, 3
"""

KEPT = """
CREATE TRIGGER slice_is_kept BEFORE DELETE ON slice
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_delete();
"""


def upgrade() -> None:
    # Who reports meanwhile waits, and is counted in the new way. Ticks, reports and admissions have a campaign
    # before they write.
    op.execute("LOCK TABLE campaign IN EXCLUSIVE MODE")
    op.execute("LOCK TABLE assignment IN SHARE ROW EXCLUSIVE MODE")
    op.rename_table("slice", "slice_by_state")
    op.execute("ALTER INDEX slice_pkey RENAME TO slice_by_state_pkey")
    op.create_table(
        "slice",
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("phase", sa.SmallInteger(), nullable=False),
        sa.Column("began", sa.DateTime(timezone=True), nullable=False),
        *(sa.Column(state, sa.Integer(), nullable=False) for state in STATES),
        sa.PrimaryKeyConstraint("campaign_id", "phase", "began"),
        postgresql_with={"fillfactor": "50"},
    )
    op.execute(FILL)
    op.drop_table("slice_by_state")
    op.execute(TALLY)
    op.execute(KEPT)
    op.execute("ANALYZE slice")


def downgrade() -> None:
    raise NotImplementedError("an older version counts slices in another way; restore a backup instead")

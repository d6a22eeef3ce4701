"""counts that go on from the ones before: an id of what has matured, and no row of the counts is deleted"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

#: Slices mature seldom: who has counted them need not do so for every report.
MATURED = """
CREATE FUNCTION renew_matured() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO edition (campaign_id, phase, id, matured)
    SELECT campaign_id, phase, gen_random_uuid(), gen_random_uuid()
    FROM changed GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (campaign_id, phase) DO UPDATE SET id = excluded.id, matured = excluded.matured;
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER edition_of_matured AFTER INSERT ON matured REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION renew_matured();
CREATE OR REPLACE TRIGGER edition_of_matured_again AFTER UPDATE ON matured REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION renew_matured();
CREATE OR REPLACE TRIGGER edition_of_recounted AFTER DELETE ON matured REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION renew_matured();
"""

#: What is gone cannot be seen to have changed.
KEPT = """
CREATE FUNCTION refuse_to_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'no row of % is deleted: counts go on from what has changed; set vehicles to 0', TG_TABLE_NAME;
END
$$;
CREATE TRIGGER tally_is_kept BEFORE DELETE ON tally
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_delete();
CREATE TRIGGER slice_is_kept BEFORE DELETE ON slice
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_delete();
"""


def upgrade() -> None:
    op.add_column("edition", sa.Column("matured", sa.Uuid(), nullable=True))
    op.execute("UPDATE edition SET matured = gen_random_uuid()")
    op.execute(MATURED)
    op.execute(KEPT)


def downgrade() -> None:
    op.execute("DROP TRIGGER tally_is_kept ON tally")
    op.execute("DROP TRIGGER slice_is_kept ON slice")
    op.execute("DROP FUNCTION refuse_to_delete()")
    for event, name, rows in (
        ("INSERT", "edition_of_matured", "NEW"),
        ("UPDATE", "edition_of_matured_again", "NEW"),
        ("DELETE", "edition_of_recounted", "OLD"),
    ):
        op.execute(
            f"CREATE OR REPLACE TRIGGER {name} AFTER {event} ON matured REFERENCING {rows} TABLE AS changed "
            "FOR EACH STATEMENT EXECUTE FUNCTION renew_edition()"
        )
    op.execute("DROP FUNCTION renew_matured()")
    op.drop_column("edition", "matured")

"""a statement can refuse what was decided on rows that others have changed since"""

from alembic import op

revision = "0016"
down_revision = "0015"

#: It fails as PostgreSQL's own isolation does, so that whoever asked does it again.
REFUSE = """
CREATE FUNCTION refuse_overtaken(unchanged boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF unchanged IS NOT TRUE THEN
        RAISE EXCEPTION 'others have changed meanwhile what was decided on'
            USING ERRCODE = 'serialization_failure';
    END IF;
END
$$
"""


def upgrade() -> None:
    op.execute(REFUSE)


def downgrade() -> None:
    op.execute("DROP FUNCTION refuse_overtaken")

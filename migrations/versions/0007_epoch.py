"""the epoch, by which gateways know that what they remember still holds"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

#: The row is the last that a transaction locks: most triggers wait for the commit, and whoever writes tokens
#: does nothing after it. So nobody waits for it for long, or crosswise. A transaction raises it once, however
#: many rows it touches; by a random step, so that a database that was restored or failed over does not come to
#: the same number with other rows.
EPOCH = """
CREATE FUNCTION raise_epoch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE epoch SET number = number + 1 + (random() * 1000000)::int
    WHERE xmin <> pg_current_xact_id()::xid;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER epoch_of_gates AFTER UPDATE OF gate_open ON campaign
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.gate_open AND NOT OLD.gate_open)
    EXECUTE FUNCTION raise_epoch();
CREATE CONSTRAINT TRIGGER epoch_of_releases AFTER UPDATE OF allowance ON phase
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.allowance = 0 AND NEW.allowance > 0)
    EXECUTE FUNCTION raise_epoch();
CREATE CONSTRAINT TRIGGER epoch_of_contradictions AFTER UPDATE OF state ON assignment
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (OLD.state = 'succeeded' AND NEW.state <> 'succeeded')
    EXECUTE FUNCTION raise_epoch();
CREATE CONSTRAINT TRIGGER epoch_of_wishes AFTER UPDATE OF config_wanted ON vehicle
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.config_wanted AND NOT OLD.config_wanted)
    EXECUTE FUNCTION raise_epoch();
CREATE TRIGGER epoch_of_tokens AFTER UPDATE OF token_hash, former_token_hash ON vehicle
    FOR EACH STATEMENT EXECUTE FUNCTION raise_epoch();
"""


def upgrade() -> None:
    op.create_table(
        "epoch",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sole", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.CheckConstraint("sole", name="epoch_sole"),
        sa.PrimaryKeyConstraint("sole"),
        postgresql_with={"fillfactor": "10"},
    )
    op.execute("INSERT INTO epoch (number) VALUES (1 + (random() * 1000000)::int)")
    op.execute(EPOCH)


def downgrade() -> None:
    op.execute("DROP TRIGGER epoch_of_gates ON campaign")
    op.execute("DROP TRIGGER epoch_of_releases ON phase")
    op.execute("DROP TRIGGER epoch_of_contradictions ON assignment")
    op.execute("DROP TRIGGER epoch_of_wishes ON vehicle")
    op.execute("DROP TRIGGER epoch_of_tokens ON vehicle")
    op.execute("DROP FUNCTION raise_epoch")
    op.drop_table("epoch")

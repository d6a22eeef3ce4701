"""first schema"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

#: Keeps tally equal to what it counts, whatever statement moves an assignment. Rows are written in key order.
TALLY = """
CREATE FUNCTION keep_tally() RETURNS trigger LANGUAGE plpgsql AS $$
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
        DO UPDATE SET vehicles = t.vehicles + excluded.vehicles;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER tally_inserted AFTER INSERT ON assignment
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION keep_tally();
CREATE TRIGGER tally_updated AFTER UPDATE ON assignment
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION keep_tally();
"""


def upgrade() -> None:
    op.create_table(
        "artifact",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("sha256", sa.Text(collation="C"), nullable=False),
        sa.Column("sha1", sa.Text(collation="C"), nullable=False),
        sa.Column("md5", sa.Text(collation="C"), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("sha256"),
    )
    op.create_table(
        "vin_list",
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("vin", sa.Text(collation="C"), nullable=False),
        sa.PrimaryKeyConstraint("name", "vin"),
    )
    op.create_table(
        "assignment",
        sa.Column("vehicle_id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("phase", sa.SmallInteger(), nullable=False),
        sa.Column("configuration_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(collation="C"), nullable=False),
        sa.Column("attempt", sa.SmallInteger(), nullable=False),
        sa.Column("offered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancel_wanted", sa.Boolean(), nullable=False),
        sa.Column("code", sa.Integer(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state IN ('pending', 'offered', 'downloading', 'installing', 'deferred', 'succeeded', 'failed', 'rolled_back', 'silent', 'not_applicable', 'cancelled', 'expired')",
            name="assignment_state",
        ),
        sa.PrimaryKeyConstraint("vehicle_id", "campaign_id"),
        postgresql_with={"fillfactor": "60"},
    )
    op.create_index(
        "assignment_in_flight",
        "assignment",
        ["campaign_id"],
        unique=False,
        postgresql_where=sa.text("state IN ('downloading', 'installing', 'offered')"),
    )
    op.create_index(
        "one_offer_per_vehicle",
        "assignment",
        ["vehicle_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('downloading', 'installing', 'offered')"),
    )
    op.create_table(
        "campaign",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("workflow_id", sa.Text(collation="C"), nullable=False),
        sa.Column("first_run_id", sa.Text(collation="C"), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("definition", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("digest", sa.Text(collation="C"), nullable=False),
        sa.Column("package", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.Text(collation="C"), nullable=False),
        sa.Column("gate_open", sa.Boolean(), nullable=False),
        sa.Column("gate_seq", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("in_flight", sa.Integer(), nullable=False),
        sa.Column("shut_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("window", sa.Integer(), nullable=False),
        sa.Column("breach", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("selected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('Draft', 'SelectingVehicles', 'Queued', 'RollingOut', 'Baking', 'Paused', 'Completed', 'Aborted')",
            name="campaign_state",
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_index(op.f("ix_campaign_workflow_id"), "campaign", ["workflow_id"], unique=False)
    op.create_table(
        "package",
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("digest", sa.Text(collation="C"), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "registered_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "report",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("vehicle_id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.SmallInteger(), nullable=False),
        sa.Column(
            "received_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("device_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("channel", sa.Text(collation="C"), nullable=False),
        sa.Column("execution", sa.Text(collation="C"), nullable=False),
        sa.Column("finished", sa.Text(collation="C"), nullable=False),
        sa.Column("code", sa.Integer(), nullable=True),
        sa.Column("details", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("effect", sa.Text(collation="C"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("report_of_vehicle", "report", ["vehicle_id", "campaign_id"], unique=False)
    op.create_table(
        "tally",
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("phase", sa.SmallInteger(), nullable=False),
        sa.Column("configuration_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(collation="C"), nullable=False),
        sa.Column("vehicles", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "phase", "configuration_id", "state"),
        postgresql_with={"fillfactor": "50"},
    )
    op.create_table(
        "vehicle",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("vin", sa.Text(collation="C"), nullable=False),
        sa.Column("model", sa.Text(collation="C"), nullable=False),
        sa.Column("build_date", sa.Date(), nullable=True),
        sa.Column("country", sa.Text(collation="C"), nullable=True),
        sa.Column("region", sa.Text(collation="C"), nullable=True),
        sa.Column("timezone", sa.Text(collation="C"), nullable=True),
        sa.Column("groups", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("install_window", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column(
            "attributes",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("lot", sa.BigInteger(), nullable=False),
        sa.Column("record_digest", sa.LargeBinary(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=True),
        sa.Column("reported", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("config_wanted", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("vin"),
    )
    op.create_table(
        "configuration",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("model", sa.Text(collation="C"), nullable=False),
        sa.Column("country", sa.Text(collation="C"), nullable=True),
        sa.Column("region", sa.Text(collation="C"), nullable=True),
        sa.Column("ecus", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["campaign.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("campaign_id", "key"),
    )
    op.create_table(
        "ecu",
        sa.Column("vehicle_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("hw_id", sa.Text(collation="C"), nullable=False),
        sa.Column("sw_version", sa.Text(collation="C"), nullable=False),
        sa.Column("built_version", sa.Text(collation="C"), nullable=False),
        sa.ForeignKeyConstraint(
            ["vehicle_id"],
            ["vehicle.id"],
        ),
        sa.PrimaryKeyConstraint("vehicle_id", "name"),
    )
    op.create_table(
        "journal",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("line", sa.Text(collation="C"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(collation="C"), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["campaign.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("campaign_id", "line"),
    )
    op.create_table(
        "phase",
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("allowance", sa.Integer(), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pace_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pace_base", sa.Integer(), nullable=False),
        sa.Column("guards", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("limits", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("window_attempts", sa.Integer(), nullable=False),
        sa.Column("window_failures", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["campaign.id"],
        ),
        sa.PrimaryKeyConstraint("campaign_id", "number"),
    )
    op.create_table(
        "software_change",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("vehicle_id", sa.Integer(), nullable=False),
        sa.Column("ecu", sa.Text(collation="C"), nullable=False),
        sa.Column("from_version", sa.Text(collation="C"), nullable=True),
        sa.Column("to_version", sa.Text(collation="C"), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=True),
        sa.Column("source", sa.Text(collation="C"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["campaign.id"],
        ),
        sa.ForeignKeyConstraint(
            ["vehicle_id"],
            ["vehicle.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_software_change_vehicle_id"), "software_change", ["vehicle_id"], unique=False)
    op.execute(TALLY)


def downgrade() -> None:
    raise NotImplementedError("there is no schema before the first; restore a backup instead")

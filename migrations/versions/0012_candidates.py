"""vehicles as a selection sees them: a number for all that vehicles of one variant share"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0012"
down_revision = "0011"

#: Another text for other facts: quotes keep what is unknown apart from what is empty.
KEY = """
CREATE FUNCTION variant_key(model text, country text, region text, ecus jsonb) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN md5(quote_literal(model) || quote_nullable(country) || quote_nullable(region) || ecus::text)::uuid
"""

#: All are found at the first try unless a vehicle has become what none was before. An import of changed records
#: says that it does this itself, once and last.
KEEP = """
CREATE FUNCTION made_up(vehicles int[])
RETURNS TABLE (vehicle_id int, lot bigint, model text, country text, region text, ecus jsonb)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT v.id, v.lot, v.model, v.country, v.region,
           jsonb_object_agg(e.name, jsonb_build_object('hw_id', e.hw_id, 'sw_version', e.sw_version))
    FROM vehicle AS v JOIN ecu AS e ON e.vehicle_id = v.id
    WHERE v.id = ANY(vehicles) AND e.vehicle_id = ANY(vehicles) GROUP BY v.id;
END;
CREATE FUNCTION keep_candidates(vehicles int[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    kept int;
BEGIN
    FOR try IN 1 .. 2 LOOP
        INSERT INTO candidate AS c (vehicle_id, lot, variant_id)
        SELECT m.vehicle_id, m.lot, t.id
        FROM made_up(vehicles) AS m
        JOIN variant AS t ON t.key = variant_key(m.model, m.country, m.region, m.ecus)
        ORDER BY 1
        ON CONFLICT (vehicle_id) DO UPDATE SET variant_id = excluded.variant_id;
        GET DIAGNOSTICS kept = ROW_COUNT;
        EXIT WHEN kept = cardinality(vehicles);
        INSERT INTO variant (model, country, region, ecus)
        SELECT DISTINCT m.model, m.country, m.region, m.ecus FROM made_up(vehicles) AS m ORDER BY 1, 2, 3, 4
        ON CONFLICT (key) DO NOTHING;
    END LOOP;
END
$$;
CREATE FUNCTION keep_changed_candidates() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('ringmaster.keeps_candidates', true) IS DISTINCT FROM 'on' THEN
        PERFORM keep_candidates(ARRAY(SELECT DISTINCT vehicle_id FROM new_rows));
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER candidates_of_ecus AFTER UPDATE ON ecu REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION keep_changed_candidates();
"""

#: In portions, as an import writes them.
FILL = """
DO $$
DECLARE
    first int;
BEGIN
    FOR first IN SELECT generate_series(0, max(id), 10000) FROM vehicle LOOP
        PERFORM keep_candidates(ARRAY(SELECT id FROM vehicle WHERE id >= first AND id < first + 10000));
    END LOOP;
END $$
"""


def upgrade() -> None:
    op.execute(KEY)
    op.create_table(
        "variant",
        sa.Column("id", sa.Integer(), sa.Identity(), nullable=False),
        sa.Column("model", sa.Text(collation="C"), nullable=False),
        sa.Column("country", sa.Text(collation="C"), nullable=True),
        sa.Column("region", sa.Text(collation="C"), nullable=True),
        sa.Column("ecus", JSONB(), nullable=False),
        sa.Column(
            "key",
            sa.Uuid(),
            sa.Computed("variant_key(model, country, region, ecus)", persisted=True),
            nullable=True,
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
    )
    op.create_table(
        "candidate",
        sa.Column("vehicle_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("lot", sa.BigInteger(), nullable=False),
        sa.Column("variant_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("vehicle_id"),
        postgresql_with={"fillfactor": "80"},
    )
    op.execute(KEEP)
    op.execute(FILL)
    op.execute("ANALYZE variant, candidate")
    # No statement asks for software by the fleet's ECUs any more.
    op.execute("DROP STATISTICS ecu_software")


def downgrade() -> None:
    op.execute("DROP TRIGGER candidates_of_ecus ON ecu")
    op.execute("DROP FUNCTION keep_changed_candidates, keep_candidates, made_up")
    op.drop_table("candidate")
    op.drop_table("variant")
    op.execute("DROP FUNCTION variant_key")
    op.execute("CREATE STATISTICS ecu_software (mcv) ON name, hw_id, sw_version FROM ecu")

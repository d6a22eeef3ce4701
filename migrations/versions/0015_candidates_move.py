"""candidates move from variant to variant by what has changed of their ECUs"""

from alembic import op

revision = "0015"
down_revision = "0014"

#: Vehicles of one variant whose ECUs change alike are of one variant again. So it is found once for all of
#: them, and nothing is read of a vehicle but its candidate. Where that variant is new, or a vehicle has no
#: candidate yet, they are made up from their ECUs (0012).
#:
#: Who changes ECUs has locked the candidates (store/words.py), which therefore stay where they are found. Each
#: is looked up by index, whatever the planner thinks of the size of the table.
MOVE = """
CREATE OR REPLACE FUNCTION keep_changed_candidates() RETURNS trigger LANGUAGE plpgsql
SET enable_seqscan = off AS $$
DECLARE
    kept int;
    vehicles int[];
BEGIN
    IF current_setting('ringmaster.keeps_candidates', true) IS DISTINCT FROM 'on' THEN
        WITH changed AS MATERIALIZED (
            SELECT vehicle_id,
                   jsonb_object_agg(name, jsonb_build_object('hw_id', hw_id, 'sw_version', sw_version)) AS ecus
            FROM new_rows GROUP BY 1
        ), leaving AS MATERIALIZED (
            SELECT c.place, c.variant_id, changed.ecus
            FROM changed CROSS JOIN LATERAL (
                SELECT ctid AS place, variant_id FROM candidate
                WHERE vehicle_id = changed.vehicle_id OFFSET 0) AS c
        ), moves AS MATERIALIZED (
            SELECT m.variant_id, m.ecus, t.id AS becomes
            FROM (SELECT DISTINCT variant_id, ecus FROM leaving) AS m CROSS JOIN LATERAL (
                SELECT variant_key(model, country, region, variant.ecus || m.ecus) AS key
                FROM variant WHERE id = m.variant_id OFFSET 0) AS f CROSS JOIN LATERAL (
                SELECT id FROM variant WHERE variant.key = f.key OFFSET 0) AS t
        )
        UPDATE candidate AS c SET variant_id = m.becomes
        FROM leaving AS l JOIN moves AS m USING (variant_id, ecus)
        WHERE c.ctid = l.place;
        GET DIAGNOSTICS kept = ROW_COUNT;
        vehicles := ARRAY(SELECT DISTINCT vehicle_id FROM new_rows);
        IF kept < cardinality(vehicles) THEN
            PERFORM keep_candidates(vehicles);
        END IF;
    END IF;
    RETURN NULL;
END
$$
"""

#: As 0012 made it.
MAKE_UP = """
CREATE OR REPLACE FUNCTION keep_changed_candidates() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('ringmaster.keeps_candidates', true) IS DISTINCT FROM 'on' THEN
        PERFORM keep_candidates(ARRAY(SELECT DISTINCT vehicle_id FROM new_rows));
    END IF;
    RETURN NULL;
END
$$
"""


def upgrade() -> None:
    op.execute(MOVE)


def downgrade() -> None:
    op.execute(MAKE_UP)

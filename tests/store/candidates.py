"""Whether selections see every vehicle as it is."""

#: Vehicles whose candidate is missing, or of another variant than their ECUs say.
WRONG = """
WITH made_up AS (
    SELECT v.id, v.lot, v.model, v.country, v.region, jsonb_object_agg(
        e.name, jsonb_build_object('hw_id', e.hw_id, 'sw_version', e.sw_version)) AS ecus
    FROM vehicle AS v JOIN ecu AS e ON e.vehicle_id = v.id GROUP BY v.id)
SELECT m.id FROM made_up AS m
LEFT JOIN candidate AS c ON c.vehicle_id = m.id LEFT JOIN variant AS t ON t.id = c.variant_id
WHERE (c.lot, t.model, t.country, t.region, t.ecus)
    IS DISTINCT FROM (m.lot, m.model, m.country, m.region, m.ecus)
"""

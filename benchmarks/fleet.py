"""A fleet made by the database itself: the benchmark is not about imports."""

from store.connect import Connection

_VEHICLES = """
INSERT INTO vehicle (vin, model, country, region, lot, record_digest, config_wanted)
SELECT 'BENCH' || %(letter)s || lpad(n::text, 11, '0'), %(model)s,
       (ARRAY['DE', 'FR', 'SE', 'US'])[1 + n / 7 %% 4], 'EU',
       ('x' || substr(md5(%(letter)s || n), 1, 8))::bit(32)::bigint & 4294967295, ''::bytea, false
FROM generate_series(1, %(vehicles)s) AS n
"""

_ECUS = """
INSERT INTO ecu (vehicle_id, name, hw_id, sw_version, built_version)
SELECT v.id, e.name, e.hw_id, e.version, e.version
FROM vehicle AS v CROSS JOIN LATERAL (VALUES
    ('Camera', 'ZF-CAM-' || v.id %% 3, '5.1.0'),
    ('Gateway', 'BOSCH-GW-3', '2.1.0'),
    ('Radar', 'BOSCH-MRR-EVO' || (14 + (v.id %% 10 = 0)::int), '1.3.0')) AS e (name, hw_id, version)
WHERE v.model = %(model)s
"""


#: Vehicles at once, as an import takes them.
_PORTION = 10_000

#: What an assignment is while its vehicle installs, all files fetched.
INSTALLING = """
state = 'installing', attempt = 1, offered_at = clock_timestamp(),
files = -1, fetched_at = clock_timestamp(), heard_at = clock_timestamp()
"""


_PORTIONS = f"SELECT generate_series(0, max(id), {_PORTION}) FROM vehicle"

_KEEP = f"""
SELECT keep_candidates(ARRAY(
    SELECT id FROM vehicle AS v WHERE id >= %s AND id < %s + {_PORTION}
    AND NOT EXISTS (SELECT FROM candidate AS c WHERE c.vehicle_id = v.id)))
"""


def fill(
    connection: Connection,
    model: str,
    vehicles: int,
    statements: tuple[str, str] = (_VEHICLES, _ECUS),
) -> None:
    """Add vehicles of a model with three ECUs; the radar of one in ten is of the newer revision.

    Args:
        statements: what writes other vehicles, and their ECUs.
    """
    key = {"letter": model[-1], "model": model, "vehicles": vehicles}
    with connection.transaction():
        for statement in statements:
            connection.execute(statement.encode(), key)
    keep_candidates(connection)


def keep_candidates(connection: Connection) -> None:
    """What an import does with the vehicles it has added, so that selections find them."""
    for (first,) in connection.execute(_PORTIONS).fetchall():
        connection.execute(_KEEP, (first, first))
    connection.execute("ANALYZE vehicle, ecu, candidate, variant")

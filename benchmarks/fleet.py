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
SELECT id, 'Radar', 'BOSCH-MRR-EVO' || (14 + (id %% 10 = 0)::int), '1.3.0', '1.3.0'
FROM vehicle WHERE model = %(model)s
"""


#: What an assignment is while its vehicle installs, all files fetched.
INSTALLING = """
state = 'installing', attempt = 1, offered_at = clock_timestamp(),
files = -1, fetched_at = clock_timestamp(), heard_at = clock_timestamp()
"""


def fill(
    connection: Connection,
    model: str,
    vehicles: int,
    statements: tuple[str, str] = (_VEHICLES, _ECUS),
) -> None:
    """Add vehicles of a model, each with a radar; one in ten has the newer revision.

    Args:
        statements: what writes other vehicles, and their ECUs.
    """
    key = {"letter": model[-1], "model": model, "vehicles": vehicles}
    with connection.transaction():
        for statement in statements:
            connection.execute(statement.encode(), key)
    connection.execute("ANALYZE vehicle, ecu")

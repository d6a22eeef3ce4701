"""A fleet of many configurations that reports by itself: at each tick, as many as its time has come for.

The reports are written by the database, without gateway and HTTP: what they cost is measured elsewhere. What
they leave is what reports leave of a campaign: states, slices and, by the product's own triggers, every count
and its edition. The log of reports and the software of the vehicles stay as they were.
"""

from datetime import timedelta

from benchmarks import fleet
from benchmarks.fleet import INSTALLING
from store.connect import Connection
from store.evidence import BEGUN_IN_SLICE_SQL, SLICE_SQL
from store.words import ANY_IN_FLIGHT_SQL

_VEHICLES = """
INSERT INTO vehicle (vin, model, country, region, lot, record_digest, config_wanted)
SELECT 'LONG' || %(letter)s || lpad(n::text, 12, '0'), %(model)s,
       (ARRAY['AT','BE','CH','CZ','DE','DK','ES','FI','FR','GB','IE','IT','LU','NL','NO','PL','PT','SE','SK','US'])
           [1 + n %% 20], 'EU',
       ('x' || substr(md5(%(letter)s || n), 1, 8))::bit(32)::bigint & 4294967295, ''::bytea, false
FROM generate_series(1, %(vehicles)s) AS n
"""

_ECUS = """
INSERT INTO ecu (vehicle_id, name, hw_id, sw_version, built_version)
SELECT id, 'Radar', 'BOSCH-MRR-EVO14', '1.' || (id / 20 %% 3) || '.' || (id / 60 %% 10), '1.0.0'
FROM vehicle WHERE model = %(model)s
"""

#: One in so many fails, fewer than the guards accept. They are spread by a hash: each five hundredth vehicle
#: would be one of the same country, and the guards find that out.
FAILING = 500

#: At a tick no more begin than it has time for. A tick that were stopped for that would leave twice as many
#: to the next one, and so on.
_AT_ONCE = 50_000

#: Who installs has done so by the next tick; then as many begin as the time since the release has room for.
#: Planned anew each time, for there are a thousand vehicles at first and a million later.
_REPORTS = f"""
CREATE FUNCTION fleet_reports() RETURNS trigger LANGUAGE plpgsql
SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    ring record;
    due int;
    begun int;
BEGIN
    FOR ring IN SELECT * FROM phase WHERE campaign_id = NEW.id AND released_at IS NOT NULL ORDER BY number
    LOOP
        UPDATE assignment AS a
        SET state = CASE WHEN hashint4(vehicle_id) % {{failing}} = 0 THEN 'failed' ELSE 'succeeded' END,
            finished_at = clock_timestamp(), heard_at = clock_timestamp()
        WHERE campaign_id = NEW.id AND phase = ring.number
          AND state = 'installing' AND {ANY_IN_FLIGHT_SQL};
        due := floor(
            ring.size * least(1, extract(epoch FROM clock_timestamp() - ring.released_at) / {{span}}));
        begun := (SELECT coalesce(sum(vehicles), 0) FROM tally
                  WHERE campaign_id = NEW.id AND phase = ring.number AND state <> 'pending');
        UPDATE assignment AS a
        SET {INSTALLING},
            slice = date_bin({SLICE_SQL}, clock_timestamp(), c.window_began_at)
        FROM campaign AS c, phase AS p
        WHERE c.id = NEW.id AND p.campaign_id = c.id AND p.number = ring.number
          AND a.campaign_id = c.id AND a.vehicle_id = ANY(ARRAY(
              SELECT vehicle_id FROM assignment
              WHERE campaign_id = NEW.id AND phase = ring.number AND state = 'pending'
              LIMIT greatest(0, least({_AT_ONCE}, due - begun))));
    END LOOP;
    RETURN NULL;
END $$
"""

#: Each tick renews the lease.
_AT_EACH_TICK = """
CREATE TRIGGER fleet_reports AFTER UPDATE OF lease_until ON campaign
FOR EACH ROW EXECUTE FUNCTION fleet_reports()
"""

#: So that finding who is next costs the same at the end of a phase as at its beginning.
_NEXT = "CREATE INDEX fleet_next ON assignment (campaign_id, phase) WHERE state = 'pending'"


def fill(connection: Connection, model: str, vehicles: int) -> None:
    """Make so many vehicles of a model, in some hundreds of configurations."""
    fleet.fill(connection, model, vehicles, (_VEHICLES, _ECUS))


def let_report(connection: Connection, span: timedelta) -> None:
    """Have the vehicles of each phase begin evenly over so long, and end by the next tick."""
    connection.execute(_REPORTS.format(span=span.total_seconds(), failing=FAILING).encode())
    connection.execute(_AT_EACH_TICK)
    connection.execute(_NEXT)


#: Who has an outcome, and what the counts do not say as the assignments do.
_COUNTED = f"""
SELECT (SELECT count(*) FROM assignment WHERE campaign_id = %(id)s AND finished_at IS NOT NULL), ARRAY(
    SELECT t::text FROM (
        SELECT 'tally', phase, configuration_id::text, state, count(*)
        FROM assignment WHERE campaign_id = %(id)s GROUP BY 2, 3, 4
        UNION ALL
        SELECT 'slice', phase, slice::text, 'begun', count(*)
        FROM assignment WHERE campaign_id = %(id)s GROUP BY 2, 3
        EXCEPT (
            SELECT 'tally', phase, configuration_id::text, state, vehicles
            FROM tally WHERE campaign_id = %(id)s
            UNION ALL
            SELECT 'slice', phase, began::text, 'begun', {BEGUN_IN_SLICE_SQL}
            FROM slice AS s WHERE campaign_id = %(id)s)
    ) AS t LIMIT 5)
"""


def check(connection: Connection, campaign: int, vehicles: int) -> None:
    """All have reported their outcome, and every count says so."""
    found = connection.execute(_COUNTED, {"id": campaign}).fetchone()
    if found != (vehicles, []):
        raise RuntimeError(
            f"of {vehicles} vehicles these have ended, and counts are not as they are: {found}"
        )

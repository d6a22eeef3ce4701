"""Outcomes as if vehicles had reported for two weeks; the tally and the slices follow by their trigger."""

from store.connect import Connection
from store.words import ANY_IN_FLIGHT_SQL

#: Four phases one after the other. Of those that reported one in 250 failed, all over the fleet, to which no
#: guard objects: a breach shuts the gate, and a tick of a stopped campaign renews no lease. One in fifty
#: still installs and is heard of, all others succeeded.
_REPORTED = """
UPDATE assignment AS a SET attempt = 1, files = -1, offered_at = now(), fetched_at = now(), heard_at = now(),
    state = CASE WHEN abs(hashint4(a.vehicle_id)) %% 250 = 0 THEN 'failed'
                 WHEN abs(hashint4(a.vehicle_id)) %% 50 = 1 THEN 'installing' ELSE 'succeeded' END,
    slice = date_bin('5 minutes', c.window_began_at + (a.phase - 1 + random()) * interval '3.5 days',
                     c.window_began_at)
FROM campaign AS c
WHERE c.id = a.campaign_id AND a.campaign_id = %(campaign)s AND a.state = 'pending'
  AND a.vehicle_id %% 100 < %(percent)s
"""
_TWO_WEEKS_AGO = "UPDATE campaign SET window_began_at = now() - interval '14 days' WHERE id = %s"


#: Of each phase some of those that still install, spread over the configurations.
_SOME_MORE = f"""
UPDATE assignment SET state = 'succeeded' WHERE (vehicle_id, campaign_id) IN (
    SELECT a.vehicle_id, a.campaign_id
    FROM phase AS p CROSS JOIN LATERAL (
        SELECT a.* FROM assignment AS a
        WHERE a.campaign_id = p.campaign_id AND a.phase = p.number AND a.state = 'installing'
          AND {ANY_IN_FLIGHT_SQL}
        LIMIT %(each)s
    ) AS a
    WHERE p.campaign_id = %(campaign)s AND p.number >= %(first)s)
"""


def record_more(connection: Connection, campaign: int, first: int, each: int) -> None:
    """Bring so many more to an outcome in each phase from the first given."""
    connection.execute(_SOME_MORE, {"campaign": campaign, "first": first, "each": each})


#: A phase under way: so many of those who wait have their outcome, and began in the last hours.
_RECENT = """
UPDATE assignment SET attempt = 1, files = -1, offered_at = now(), fetched_at = now(), heard_at = now(),
    state = 'succeeded', slice = date_bin('5 minutes', now() - random() * interval '3 hours', (
        SELECT window_began_at FROM campaign WHERE id = %(campaign)s))
WHERE (vehicle_id, campaign_id) IN (
    SELECT vehicle_id, campaign_id FROM assignment
    WHERE campaign_id = %(campaign)s AND phase = %(phase)s AND state = 'pending'
    LIMIT %(vehicles)s)
"""


def record_recent(connection: Connection, campaign: int, phase: int, vehicles: int) -> None:
    """Bring so many of a phase to an outcome who began to install in the last three hours."""
    connection.execute(_RECENT, {"campaign": campaign, "phase": phase, "vehicles": vehicles})


def forget_matured(connection: Connection) -> None:
    """As if no tick had looked at the slices of these two weeks."""
    connection.execute("DELETE FROM matured")
    connection.execute("VACUUM ANALYZE matured")


def record(connection: Connection, campaign: int, percent: int) -> None:
    """Bring so many percent of the vehicles to an outcome."""
    connection.execute(_TWO_WEEKS_AGO, [campaign])
    connection.execute(_REPORTED, {"campaign": campaign, "percent": percent})
    connection.execute("VACUUM ANALYZE assignment, tally, slice, matured, configuration")

"""Outcomes as if vehicles had reported for two weeks; the tally and the slices follow by their trigger."""

from datetime import timedelta

from benchmarks.fresh import settle
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


#: Of each phase so many of those who wait have their outcome, and began in the last part of its half week.
_MORE_OUTCOMES = """
UPDATE assignment AS a SET attempt = 1, files = -1, offered_at = now(), fetched_at = now(), heard_at = now(),
    state = 'succeeded',
    slice = date_bin('5 minutes', c.window_began_at + a.phase * interval '3.5 days' - random() * %(within)s,
                     c.window_began_at)
FROM campaign AS c
WHERE c.id = a.campaign_id AND (a.vehicle_id, a.campaign_id) IN (
    SELECT w.vehicle_id, w.campaign_id
    FROM phase AS p CROSS JOIN LATERAL (
        SELECT w.vehicle_id, w.campaign_id FROM assignment AS w
        WHERE w.campaign_id = p.campaign_id AND w.phase = p.number AND w.state = 'pending'
        LIMIT %(each)s
    ) AS w
    WHERE p.campaign_id = %(campaign)s AND p.number >= %(first)s)
"""


def record_waiting(connection: Connection, campaign: int, first: int, each: int, within: timedelta) -> None:
    """Bring so many of each phase from the first given to an outcome, who began in the last time of it."""
    values = {"campaign": campaign, "first": first, "each": each, "within": within}
    connection.execute(_MORE_OUTCOMES, values)


def forget_matured(connection: Connection) -> None:
    """As if no tick had looked at the slices of these two weeks."""
    connection.execute("DELETE FROM matured")
    connection.execute("VACUUM ANALYZE matured")


def record(connection: Connection, campaign: int, percent: int) -> None:
    """Bring so many percent of the vehicles to an outcome."""
    connection.execute(_TWO_WEEKS_AGO, [campaign])
    connection.execute(_REPORTED, {"campaign": campaign, "percent": percent})
    settle(connection)  # no fleet leaves as much to write behind between two ticks

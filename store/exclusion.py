"""Leaving a cohort out of a campaign that runs.

The mark on its configurations counts at once: no admission passes it and no guard counts them. Offers are
taken back with it, for they could begin any moment; the cap bounds them. The rows of those who wait follow at
the ticks, some at a time, so that a million of them hold nobody up.
"""

from sqlalchemy import Connection

from campaign.cohorts import Cohort
from campaign.problems import Problem, Refused, closest
from store import windows
from store.words import ANY_IN_FLIGHT_SQL, LOCK_SQL, OPEN_SQL

#: Rows that a tick moves into their bucket at the most.
SWEEP = 50_000

_IN = "f.campaign_id = %(id)s AND %(cohort)s = ANY(f.cohorts)"

_FOUND = f"SELECT count(*), count(*) FILTER (WHERE NOT f.excluded) FROM configuration AS f WHERE {_IN}"

_COHORTS = "SELECT DISTINCT unnest(cohorts) FROM configuration WHERE campaign_id = %(id)s"

_STOPPED = "SELECT breach IS NOT NULL FROM campaign WHERE id = %(id)s"

#: Nor are they counted by time; the evidence of all others stays.
_LEAVE_SLICES = """
UPDATE assignment AS a SET slice = NULL
FROM configuration AS f JOIN campaign AS c ON c.id = f.campaign_id
WHERE f.id = a.configuration_id AND f.excluded AND a.campaign_id = %(id)s AND c.id = %(id)s
  AND a.slice >= c.window_began_at
"""
_RECOUNT = """
DELETE FROM matured AS m USING campaign AS c
WHERE c.id = %(id)s AND m.campaign_id = c.id AND m.began >= c.window_began_at
"""

_MARK = f"UPDATE configuration AS f SET excluded = true WHERE {_IN}"

_NOTE = """
UPDATE campaign SET excluded = excluded || ARRAY[%(cohort)s::text]
WHERE id = %(id)s AND NOT excluded @> ARRAY[%(cohort)s::text]
"""

#: Those that download are asked to cancel; an installation is never interrupted.
_ASK_TO_CANCEL = f"""
UPDATE assignment AS a SET cancel_wanted = true
FROM configuration AS f
WHERE f.id = a.configuration_id AND f.excluded AND a.campaign_id = %(id)s AND a.state = 'downloading'
  AND {ANY_IN_FLIGHT_SQL}
"""

_TAKE_BACK = f"""
UPDATE assignment AS a SET state = 'excluded', finished_at = clock_timestamp()
FROM configuration AS f
WHERE f.id = a.configuration_id AND f.excluded AND a.campaign_id = %(id)s AND a.state = 'offered'
  AND {ANY_IN_FLIGHT_SQL}
"""

_COUNT = f"""
SELECT coalesce(sum(t.vehicles), 0) FROM tally AS t JOIN configuration AS f ON f.id = t.configuration_id
WHERE t.campaign_id = %(id)s AND {_IN} AND t.state IN ('excluded', {OPEN_SQL})
"""

_WAITING = f"""
SELECT EXISTS (
    SELECT FROM tally AS t JOIN configuration AS f ON f.id = t.configuration_id
    WHERE t.campaign_id = %(id)s AND f.excluded AND t.state IN ({OPEN_SQL}) AND t.vehicles > 0)
"""

_MOVE = f"""
UPDATE assignment AS a SET state = 'excluded', finished_at = clock_timestamp()
WHERE (a.vehicle_id, a.campaign_id) IN (
    SELECT b.vehicle_id, b.campaign_id
    FROM assignment AS b JOIN configuration AS f ON f.id = b.configuration_id
    WHERE b.campaign_id = %(id)s AND f.campaign_id = %(id)s AND f.excluded
      AND b.state IN ({OPEN_SQL})
    LIMIT %(most)s)
"""


def exclude(connection: Connection, campaign_id: int, cohort: Cohort) -> int:
    """Leave a cohort out from now on; a second time it changes nothing.

    Returns:
        How many vehicles had not begun and are left out.

    Raises:
        Refused: no vehicle of the campaign is in it.
    """
    connection.exec_driver_sql(LOCK_SQL, ([campaign_id],))
    key = {"id": campaign_id, "cohort": str(cohort)}
    found, new = connection.exec_driver_sql(_FOUND, key).one()
    if not found:
        known = connection.exec_driver_sql(_COHORTS, key).scalars()
        cure = f"no vehicle of this campaign is in it; {closest(str(cohort), set(known))}"
        raise Refused([Problem("cohort", repr(str(cohort)), cure)], "command")
    if new and connection.exec_driver_sql(_STOPPED, key).scalar_one():
        # The stop is told as it was, with those who caused it.
        windows.keep(connection, campaign_id)
    for statement in (_MARK, _LEAVE_SLICES, _RECOUNT, _NOTE, _TAKE_BACK, _ASK_TO_CANCEL):
        connection.exec_driver_sql(statement, key)
    return int(connection.exec_driver_sql(_COUNT, key).scalar_one())


def sweep(connection: Connection, campaign_id: int) -> bool:
    """Move some excluded vehicles that have not begun into their bucket; whether there were any.

    The lock must be held.
    """
    key = {"id": campaign_id, "most": SWEEP}
    found = bool(connection.exec_driver_sql(_WAITING, key).scalar_one())
    if found:
        connection.exec_driver_sql(_MOVE, key)
    return found

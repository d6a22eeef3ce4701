"""Evidence windows: what is known is kept and acknowledged, and counting begins anew.

Who is under way at that moment goes over into the new window; who had gone quiet is known to be, and is
acknowledged as silent with the rest.
"""

from sqlalchemy import Connection

from campaign.assignment import ATTEMPTS, Target
from campaign.breach import Breach
from store.evidence import MATURE_SQL
from store.judged import judged
from store.words import ANY_IN_FLIGHT_SQL, EXCLUDED_SQL, sql_list

_BREACH = "SELECT breach FROM campaign WHERE id = %(id)s"

_KEEP = """
INSERT INTO evidence_window (campaign_id, number, ended_at, sentences)
SELECT id, "window", clock_timestamp(), %(sentences)s FROM campaign WHERE id = %(id)s
ON CONFLICT DO NOTHING
"""

#: A late report corrects it, as always.
_FALL_SILENT = f"""
UPDATE assignment AS a SET state = 'silent', finished_at = clock_timestamp(),
       message = 'began to install and was quiet when the campaign was resumed'
FROM phase AS p
WHERE a.campaign_id = %(id)s AND a.state = 'installing' AND {ANY_IN_FLIGHT_SQL}
  AND p.campaign_id = a.campaign_id AND p.number = a.phase
  AND a.heard_at < clock_timestamp() - p.overdue_after
"""

_ACKNOWLEDGE = f"""
UPDATE tally SET acknowledged = vehicles
WHERE campaign_id = %(id)s AND state IN ({sql_list(ATTEMPTS | {Target.STALLED})}) AND acknowledged <> vehicles
"""

#: What the cap rested on is acknowledged with the rest: the brake begins at its floor, before the next tick.
_COUNT = """
UPDATE campaign AS c
SET "window" = "window" + 1, window_began_at = clock_timestamp(), breach = NULL,
    in_flight = least(c.in_flight, (
        SELECT max((p.limits ->> 'in_flight_floor')::int) FROM phase AS p
        WHERE p.campaign_id = c.id AND p.limits ->> 'harm_budget' IS NOT NULL))
WHERE id = %(id)s
"""


_GO_OVER = f"""
UPDATE assignment AS a SET slice = c.window_began_at
FROM campaign AS c
WHERE c.id = %(id)s AND a.campaign_id = c.id AND a.state = 'installing' AND {ANY_IN_FLIGHT_SQL}
  AND NOT {EXCLUDED_SQL}
"""


def keep(connection: Connection, campaign_id: int) -> None:
    """Write down what is known in the present window; what was written first stays. The lock must be held."""
    sentences = known(connection, campaign_id)
    connection.exec_driver_sql(_KEEP, {"id": campaign_id, "sentences": sentences})


def begin(connection: Connection, campaign_id: int) -> None:
    """Begin a new window. The lock must be held."""
    for statement in (_FALL_SILENT, _ACKNOWLEDGE, _COUNT, _GO_OVER):
        connection.exec_driver_sql(statement, {"id": campaign_id})


def known(connection: Connection, campaign_id: int) -> list[str]:
    """What stopped the campaign in the present window, if anything did, and a sentence per phase."""
    stop = connection.exec_driver_sql(_BREACH, {"id": campaign_id}).scalar_one()
    found = [f"stopped by {Breach.model_validate(stop).sentence}"] if stop else []
    connection.exec_driver_sql(MATURE_SQL, {"id": campaign_id})
    return found + [
        f"phase {each.guarded.phase} ({each.guarded.name}): {each.headline.sentence}"
        for each in judged(connection, campaign_id)
        if each.evidence.tally.of(ATTEMPTS)
    ]

"""What the failures of a campaign say: their class, and the vehicles' own codes and messages."""

from dataclasses import dataclass

from sqlalchemy import Connection

from campaign.problems import Problem, Refused, closest
from store.words import FAILURES_SQL

_NAMES = "SELECT id, name, workflow_id FROM campaign"

_SYMPTOMS = f"""
SELECT a.phase, a.state, a.code, a.message, count(*) AS vehicles
FROM assignment AS a WHERE a.campaign_id = %(id)s AND a.state IN ({FAILURES_SQL})
GROUP BY a.phase, a.state, a.code, a.message ORDER BY vehicles DESC, a.phase, a.state, a.code, a.message
LIMIT %(most)s
"""


@dataclass(frozen=True)
class Symptom:
    """So many vehicles of a phase failed alike; ``kind`` is the class of the failure."""

    phase: int
    kind: str
    code: int | None
    message: str | None
    vehicles: int


def symptoms(connection: Connection, campaign: str, most: int = 20) -> list[Symptom]:
    """The failures of a campaign, alike ones together, the most frequent first.

    Args:
        campaign: its name or its workflow id.

    Raises:
        Refused: there is none.
    """
    key = {"id": campaign_of(connection, campaign), "most": most}
    rows = connection.exec_driver_sql(_SYMPTOMS, key).fetchall()
    return [Symptom(row.phase, row.state, row.code, row.message, row.vehicles) for row in rows]


def campaign_of(connection: Connection, campaign: str) -> int:
    """The id of a campaign by its name or its workflow id.

    Raises:
        Refused: there is none.
    """
    known = connection.exec_driver_sql(_NAMES).fetchall()
    found = [row.id for row in known if campaign in (row.name, row.workflow_id)]
    if not found:
        cure = f"there is none; {closest(campaign, [row.name for row in known])}"
        raise Refused([Problem("campaign", repr(campaign), cure)], "command")
    return int(found[-1])

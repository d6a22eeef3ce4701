"""Changing the limits of phases while a campaign runs."""

from collections.abc import Mapping
from decimal import Decimal

from psycopg.types.json import Jsonb
from pydantic import ValidationError
from sqlalchemy import Connection

from campaign.guards import Guard, refuse_unknown, with_limits
from campaign.phase import Limits
from campaign.problems import Refused, explain
from store.words import LOCK_SQL

_PHASES = """
SELECT number, limits, guards FROM phase
WHERE campaign_id = %(id)s AND number >= %(from_phase)s ORDER BY number
"""

_CHANGE = """
UPDATE phase SET limits = %(limits)s, guards = %(guards)s WHERE campaign_id = %(id)s AND number = %(number)s
"""


def change(
    connection: Connection,
    campaign_id: int,
    from_phase: int,
    limits: Mapping[str, int],
    guards: Mapping[str, Decimal],
) -> None:
    """Give a phase and all later ones new limits; what is absent stays.

    Args:
        guards: new limits by the name of the guard.

    Raises:
        Refused: no phase from here on has such a guard, or the limit does not fit it; nothing was changed.
    """
    connection.exec_driver_sql(LOCK_SQL, ([campaign_id],))
    key = {"id": campaign_id, "from_phase": from_phase}
    rows = connection.exec_driver_sql(_PHASES, key).fetchall()
    refuse_unknown(guards, [each["name"] for row in rows for each in row.guards])
    for row in rows:
        try:
            new = Limits.model_validate(row.limits | dict(limits))
        except ValidationError as error:
            raise Refused(explain(error, Limits), "command") from error
        here = {each["name"] for each in row.guards}
        mine = {name: limit for name, limit in guards.items() if name in here}
        watched = with_limits([Guard.model_validate(each) for each in row.guards], mine)
        values = {
            "limits": Jsonb(new.model_dump(mode="json")),
            "guards": Jsonb([guard.model_dump(mode="json") for guard in watched]),
        }
        connection.exec_driver_sql(_CHANGE, {**key, "number": row.number, **values})

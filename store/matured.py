"""The slices of a phase that have matured in this window, taken together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from campaign.metrics import Overdue
from store.packed import microseconds

_MATURED = """
SELECT m.phase, sum(m.vehicles)::int, sum(m.quiet)::int, sum(m.failed)::int, max(m.began)
FROM matured AS m JOIN campaign AS c ON c.id = m.campaign_id
WHERE m.campaign_id = %(id)s AND m.phase = ANY(%(phases)s) AND m.began >= c.window_began_at
GROUP BY m.phase
"""


@dataclass(frozen=True, slots=True)
class MaturedSlices:
    """Who is overdue, and when the latest of the slices began, in microseconds (store/packed.py).

    ``id`` is another one whenever that may have changed.
    """

    id: object = None
    overdue: Overdue = field(default_factory=Overdue)
    latest: int = -1


def matured(connection: Connection, campaign_id: int, ids: Mapping[int, object]) -> dict[int, MaturedSlices]:
    """What has matured of some phases.

    Args:
        ids: the present one of each phase.
    """
    if not ids:
        return {}
    rows: Sequence[Sequence[Any]] = connection.exec_driver_sql(
        _MATURED, {"id": campaign_id, "phases": list(ids)}
    ).fetchall()
    known = {
        phase: (Overdue(vehicles=vehicles, quiet=quiet, failed=failed), microseconds(latest))
        for phase, vehicles, quiet, failed, latest in rows
    }
    return {phase: MaturedSlices(each, *known.get(phase, ())) for phase, each in ids.items()}

"""Counts by state, read from the tally that a trigger keeps."""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection

from campaign.assignment import Tally, Target

TALLIES_SQL = """
SELECT campaign_id, phase, state, sum(vehicles)::bigint FROM tally
WHERE campaign_id = ANY(%s) GROUP BY campaign_id, phase, state HAVING sum(vehicles) <> 0
"""


def by_phase(rows: Iterable[Sequence[object]]) -> Mapping[tuple[int, int], Tally]:
    """The tally of each (campaign, phase) in rows of campaign, phase, state and count."""
    states: dict[tuple[int, int], dict[Target, int]] = {}
    for campaign, phase, state, vehicles in rows:
        states.setdefault((int(str(campaign)), int(str(phase))), {})[Target(str(state))] = int(str(vehicles))
    return {key: Tally(by_state=by_state) for key, by_state in states.items()}


def tally(connection: Connection, campaign_id: int) -> dict[int, Tally]:
    """The tally of each phase of a campaign, by number."""
    rows = connection.exec_driver_sql(TALLIES_SQL, ([campaign_id],)).fetchall()
    return {phase: found for (_, phase), found in by_phase(rows).items()}

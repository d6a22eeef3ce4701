"""What vehicles have said of their single ECUs before they claim that all of it succeeded."""

from collections.abc import Collection, Sequence

from psycopg import AsyncConnection

from campaign.action import action_id, split
from campaign.ecu_results import still_failed
from store.feedback import Report

#: A vehicle and an action of its.
Key = tuple[int, int]

_SAID = """
SELECT r.vehicle_id, r.campaign_id, r.attempt, array_agg(line.text ORDER BY r.id, line.place)
FROM unnest(%s::int[], %s::int[], %s::smallint[]) AS claim (vehicle_id, campaign_id, attempt)
JOIN report AS r USING (vehicle_id, campaign_id, attempt),
     unnest(r.details) WITH ORDINALITY AS line (text, place)
WHERE r.channel = 'deployment' AND line.text LIKE 'ecu=%%'
GROUP BY r.vehicle_id, r.campaign_id, r.attempt
"""


async def said_before(connection: AsyncConnection, claims: Sequence[Key]) -> dict[Key, list[str]]:
    """The lines on single ECUs in the log, in the order in which they came; of a claim without any: none."""
    found: dict[Key, list[str]] = {claim: [] for claim in claims}
    if claims:
        keys = [(vehicle, *split(action)) for vehicle, action in found]
        cursor = await connection.execute(_SAID, [list(column) for column in zip(*keys, strict=True)])
        for vehicle, campaign, attempt, lines in await cursor.fetchall():
            found[vehicle, action_id(campaign, attempt)] = lines
    return found


async def with_ecus(
    connection: AsyncConnection, reports: Sequence[Report], several: Collection[tuple[int, int]]
) -> list[Report]:
    """The reports; a claim that all succeeded with the ECUs that were said before to have failed.

    Args:
        several: vehicle and campaign of those whose package has several modules.
    """
    claims = [r for r in reports if (r.vehicle_id, split(r.action)[0]) in several and claims_success(r)]
    if not claims:
        return list(reports)
    words = await said_before(connection, [(r.vehicle_id, r.action) for r in claims])
    heard = []
    for report in reports:
        before = words.get((report.vehicle_id, report.action))
        if before is not None and report.channel == "deployment":
            own = report.said.details
            if claims_success(report):
                details = (*own, *still_failed(before, own))
                heard.append(report._replace(said=report.said._replace(details=details)))
                continue
            before += own
        heard.append(report)
    return heard


def claims_success(report: Report) -> bool:
    """Whether the vehicle says that all of it succeeded; no other report is taken for a success."""
    closed = report.channel == "deployment" and report.said.execution == "closed"
    return closed and report.said.finished != "failure"

"""The states of an assignment as SQL lists, written once, and what else many statements say."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from campaign.assignment import ATTEMPTS, FAILURES, IN_FLIGHT, OPEN, STARTED, Target


def sql_list(states: Iterable[Target]) -> str:
    """``'a', 'b'`` for ``IN (…)``; the words are ours, never a caller's."""
    return ", ".join(f"'{state.value}'" for state in sorted(states))


def int_array(numbers: Iterable[int]) -> str:
    """Numbers as PostgreSQL writes an array of them, for ``%s::int[]``.

    Of a list psycopg takes each number for itself, which for a group costs as much as the rules do.
    """
    return f"{{{','.join(map(str, numbers))}}}"


def json_rows(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows for ``jsonb_to_recordset(%s)``, made as fast as answers are: a group has a hundred."""
    return orjson.dumps(rows).decode()


OPEN_SQL = sql_list(OPEN)
IN_FLIGHT_SQL = sql_list(IN_FLIGHT)
STARTED_SQL = sql_list(STARTED)
FAILURES_SQL = sql_list(FAILURES)
ATTEMPTS_SQL = sql_list(ATTEMPTS)

#: Whether an assignment ``a`` is in flight, for who looks for those of a campaign: an index has them in these
#: words only. Said plainly, the planner would take it also for the one assignment of a vehicle, and read
#: through all in flight (docs/adr/0038).
ANY_IN_FLIGHT_SQL = f"CASE WHEN a.state IN ({IN_FLIGHT_SQL}) THEN true ELSE false END"

#: Whether a campaign ``c`` delivers at this moment. Not now(): a transaction may have waited for a lock.
DELIVERING_SQL = "(c.gate_open AND c.lease_until > clock_timestamp())"

#: Whether an offer ``a`` of a campaign ``c`` stands: it is delivered, and the install window is still open.
STANDS_SQL = f"({DELIVERING_SQL} AND (a.offer_until IS NULL OR a.offer_until > clock_timestamp()))"

#: Whether a live assignment ``a`` of a campaign ``c`` keeps its vehicle for nothing: an offer that stands no
#: more, or one that began and went quiet. Nobody supervises an ended campaign, so the poll looks at it.
STALE_SQL = f"""(a.state = 'offered' AND NOT {STANDS_SQL} OR NOT {DELIVERING_SQL}
    AND a.heard_at < clock_timestamp() - (
        SELECT (p.limits ->> 'silent_after')::interval FROM phase AS p
        WHERE p.campaign_id = a.campaign_id AND p.number = a.phase))"""

#: The files that all modules of the package of a campaign ``c`` bring, as bits (table assignment).
ALL_FILES_SQL = "((1::bigint << jsonb_array_length(c.package -> 'modules')) - 1)"

#: Whether an assignment ``a`` was decided on facts that hold no more: an ECU was replaced, or its software
#: changed since, by another campaign or in a workshop.
OUTDATED_SQL = """EXISTS (
    SELECT FROM configuration AS f
    CROSS JOIN jsonb_each(f.ecus) AS fact
    LEFT JOIN ecu AS e ON e.name = fact.key AND e.vehicle_id = a.vehicle_id
    WHERE f.id = a.configuration_id
      AND (e.hw_id IS DISTINCT FROM fact.value ->> 'hw_id'
           OR e.sw_version IS DISTINCT FROM fact.value ->> 'sw_version'))"""

#: Whether the vehicles of an assignment ``a`` were left out since they were selected.
EXCLUDED_SQL = "EXISTS (SELECT FROM configuration AS f WHERE f.id = a.configuration_id AND f.excluded)"

#: Who withdrew a file of the package of a campaign ``c``, and why; no row: nobody.
WITHDRAWN_SQL = """
SELECT w.actor, w.reason FROM withdrawal AS w
JOIN jsonb_array_elements(c.package -> 'modules') AS m ON m #>> '{artifact,sha256}' = w.sha256
ORDER BY w.at LIMIT 1
"""

#: The lock that orders admissions, reports and gate writes. By ascending id, held to the commit. Software is
#: before it: its lock, ECUs, their history and variants. Who has this one takes none of those any more.
LOCK_SQL = "SELECT id FROM campaign WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"

#: What reports are decided on of a campaign ``c``, but for its lease: that ends by the clock.
FACTS_SQL = """ROW(c.gate_open, c."window", c.excluded)::text"""

#: The same lock, for who has decided before it by the facts of the campaigns. Raises a serialization failure
#: where they are others now.
LOCK_AS_READ_SQL = f"""
WITH locked AS (
    SELECT c.id, {FACTS_SQL} AS facts FROM campaign AS c
    WHERE c.id = ANY(%(ids)s::int[]) ORDER BY c.id FOR NO KEY UPDATE
)
SELECT refuse_overtaken(count(*) = cardinality(%(ids)s::int[]))
FROM locked JOIN unnest(%(ids)s::int[], %(facts)s::text[]) AS r (id, facts) USING (id, facts)
"""

#: The lock that orders changes of the ECUs of vehicles, by ascending id: taken after the vehicles' own rows
#: and before those of campaigns, held to the commit. Who waits for an import holds no campaign. One row for a
#: vehicle: its candidate, which is about to change with the ECUs.
SOFTWARE_LOCK_SQL = """
SELECT FROM candidate WHERE vehicle_id = ANY({vehicles}) ORDER BY vehicle_id FOR NO KEY UPDATE
"""

"""What is known of the phases of campaigns, as rows; campaign/judgement.py says what it means.

Only what has happened in the present evidence window counts, and no excluded cohort does.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from campaign.assignment import ATTEMPTS, BAD, HARMED, IN_FLIGHT, Target
from campaign.cohorts import Cohort
from campaign.judgement import LONGEST_SLICE, SLICES_PER_DEADLINE
from campaign.parts import Parts
from store.changed import SERVER_SQL
from store.members import SELECTION_SQL
from store.packed import packed_sql, pair_sql
from store.words import ANY_IN_FLIGHT_SQL, EXCLUDED_SQL, sql_list

#: What a guard counts one way or the other.
COUNTED = ATTEMPTS | IN_FLIGHT | {Target.STALLED}
_COUNTED_SQL = sql_list(COUNTED)


def _byte(number: int) -> str:
    return f"'\\x{number:02x}'::bytea"


#: The cohorts that tell the vehicles of a campaign apart: what all have in common tells nothing.
FREEZE_COHORTS_SQL = """
UPDATE campaign AS c SET cohorts = ARRAY(
    SELECT k.cohort FROM configuration AS f, unnest(f.cohorts) AS k (cohort) WHERE f.campaign_id = %(id)s
    GROUP BY k.cohort HAVING count(*) < (SELECT count(*) FROM configuration WHERE campaign_id = %(id)s))
WHERE c.id = %(id)s
"""

#: Of a phase ``p`` and its campaign ``c``: what store/guarded.py makes its guards of.
GUARDED_COLUMNS_SQL = """p.campaign_id, p.number, p.name, p.size, c."window", p.guards::text,
       cardinality(c.cohorts)"""

#: Vehicles of some phases of a campaign by cohort and state, for some cohorts. These are looked for in each
#: configuration once, not in each row of the tally.
BY_COHORT_SQL = f"""
WITH member AS MATERIALIZED (
    SELECT f.id, k.cohort FROM configuration AS f, unnest(f.cohorts) AS k (cohort)
    JOIN unnest(%(cohorts)s::text[]) AS asked (cohort) ON asked.cohort = k.cohort COLLATE "C"
    WHERE f.campaign_id = %(id)s AND NOT f.excluded)
SELECT t.phase, member.cohort, t.state, sum(t.vehicles - t.acknowledged)::int
FROM tally AS t JOIN member ON member.id = t.configuration_id
WHERE t.campaign_id = %(id)s AND t.phase = ANY(%(phases)s) AND t.vehicles > t.acknowledged
  AND t.state IN ({_COUNTED_SQL})
GROUP BY t.phase, member.cohort, t.state
"""

#: What is judged when a vehicle has failed, by the place of each here; after the last comes what is not.
JUDGED_STATES = tuple(sorted(COUNTED))
_PLACES = " ".join(f"WHEN '{state}' THEN {_byte(place)}" for place, state in enumerate(JUDGED_STATES))
_PLACE_SQL = f"CASE t.state {_PLACES} ELSE {_byte(len(JUDGED_STATES))} END"
_CONFIGURATION_SQL = pair_sql("t.configuration_id", "t.vehicles - t.acknowledged")


def _judged_sql(states: str) -> str:
    return f"""
SELECT {GUARDED_COLUMNS_SQL}, {SELECTION_SQL}, e.matured, {SERVER_SQL}, n.places, n.configurations
FROM phase AS p JOIN campaign AS c ON c.id = p.campaign_id
LEFT JOIN edition AS e ON e.campaign_id = p.campaign_id AND e.phase = p.number
CROSS JOIN LATERAL (
    SELECT {packed_sql(_PLACE_SQL)} AS places, {packed_sql(_CONFIGURATION_SQL)} AS configurations
    FROM tally AS t
    WHERE t.campaign_id = p.campaign_id AND t.phase = p.number AND t.vehicles > t.acknowledged AND {states}
) AS n
WHERE p.campaign_id = %(id)s AND p.number = ANY(%(phases)s) AND c.breach IS NULL
ORDER BY p.number
"""


#: Phases with all that is judged when one of their vehicles has failed: their guards, what the sums of their
#: configurations depend on, and packed the rows of the tally: the state of each, its configuration and the
#: vehicles. Every group with a failure waits for it, with all who wait for the campaign: it adds nothing up.
JUDGED_SQL = _judged_sql("t.state <> 'pending'")  # to name all that are judged would take longer
#: The same of bad vehicles alone, which are few; an index has them.
BAD_SQL = _judged_sql(f"t.state IN ({sql_list(BAD)})")

#: How long a slice of a phase ``p`` is (campaign/judgement.py); never nothing, or no time would have a slice.
SLICE_SQL = (
    f"greatest(interval '1 millisecond', least(p.overdue_after / {SLICES_PER_DEADLINE}, "
    f"interval '{LONGEST_SLICE.total_seconds():.0f} seconds'))"
)

#: Who began to install and did not put it off; each of these states is a column of slices.
BEGUN = (*sorted(HARMED), Target.INSTALLING, Target.SUCCEEDED)

#: Of a slice ``s``: all of them, and those who were harmed.
BEGUN_IN_SLICE_SQL = f"({' + '.join(f's.{state}' for state in BEGUN)})"
_HARMED_IN_SLICE_SQL = f"({' + '.join(f's.{state}' for state in sorted(HARMED))})"

#: Of a phase ``p``: the slice that matured last, and whether the time of one ``s`` is up.
_LATEST_SQL = """coalesce((
    SELECT max(m.began) FROM matured AS m WHERE m.campaign_id = p.campaign_id AND m.phase = p.number
), '-infinity')"""
_RIPE_SQL = f"s.began < statement_timestamp() - p.overdue_after - {SLICE_SQL}"

#: Whether a slice of a phase ``p`` matures now: one after the latest, or one that had been empty.
MATURES_SQL = f"""(EXISTS (
    SELECT FROM slice AS s
    WHERE s.campaign_id = p.campaign_id AND s.phase = p.number AND s.began > {_LATEST_SQL} AND {_RIPE_SQL}
) OR EXISTS (
    SELECT FROM matured AS m JOIN slice AS s USING (campaign_id, phase, began)
    WHERE m.campaign_id = p.campaign_id AND m.phase = p.number AND m.vehicles = 0
      AND {BEGUN_IN_SLICE_SQL} > 0))"""

#: Slices whose vehicles have all had their time are counted once, as they are at that moment: those after the
#: latest, and those that were empty, for a vehicle that had put the update off may tell its outcome late. Who
#: still installs and says so is not quiet. After a long gap thousands mature at once, so who is quiet and
#: what they are measured by is found once for all of them.
MATURE_SQL = f"""
WITH ring AS MATERIALIZED (
    SELECT p.campaign_id, p.number AS phase, statement_timestamp() - p.overdue_after AS due,
           statement_timestamp() - p.overdue_after - {SLICE_SQL} AS ripe, {_LATEST_SQL} AS latest
    FROM phase AS p WHERE p.campaign_id = %(id)s
), ripened AS MATERIALIZED (
    SELECT s.* FROM ring JOIN slice AS s USING (campaign_id, phase)
    WHERE s.began > ring.latest AND s.began < ring.ripe
    UNION ALL
    SELECT s.* FROM ring JOIN matured AS m USING (campaign_id, phase)
    JOIN slice AS s USING (campaign_id, phase, began)
    WHERE m.vehicles = 0 AND s.began < ring.ripe
), quiet AS MATERIALIZED (
    SELECT a.phase, a.slice AS began, count(*) AS vehicles
    FROM ring JOIN assignment AS a USING (campaign_id, phase)
    WHERE {ANY_IN_FLIGHT_SQL} AND a.state = 'installing' AND a.offered_at < ring.due
      AND a.heard_at < ring.due
    GROUP BY 1, 2
)
INSERT INTO matured AS known (campaign_id, phase, began, vehicles, quiet, failed)
SELECT s.campaign_id, s.phase, s.began, {BEGUN_IN_SLICE_SQL}, coalesce(quiet.vehicles, 0),
       {_HARMED_IN_SLICE_SQL}
FROM ripened AS s LEFT JOIN quiet USING (phase, began)
ON CONFLICT (campaign_id, phase, began)
DO UPDATE SET vehicles = excluded.vehicles, quiet = excluded.quiet, failed = excluded.failed
WHERE known.vehicles = 0 AND excluded.vehicles > 0
"""

#: Of a phase ``p``: downloads that have been quiet for as long as an overdue installation, and may be one
#: nobody told of. Each was offered before it was heard, and that is what the index knows.
QUIET_DOWNLOADS_SQL = f"""(
    SELECT count(*)::int FROM assignment AS a
    WHERE a.campaign_id = p.campaign_id AND a.phase = p.number AND {ANY_IN_FLIGHT_SQL}
      AND a.state = 'downloading' AND a.offered_at < statement_timestamp() - p.overdue_after
      AND a.heard_at < statement_timestamp() - p.overdue_after AND NOT {EXCLUDED_SQL})"""

#: Who is overdue now, by phase and cohort; all of a phase where the cohort is missing.
QUIET_SQL = f"""
SELECT a.phase, k.cohort, count(DISTINCT a.vehicle_id)::int
FROM assignment AS a
JOIN campaign AS c ON c.id = a.campaign_id JOIN phase AS p ON p.campaign_id = c.id AND p.number = a.phase
JOIN configuration AS f ON f.id = a.configuration_id, unnest(f.cohorts) AS k (cohort)
WHERE a.campaign_id = %(id)s AND {ANY_IN_FLIGHT_SQL} AND a.state = 'installing'
  AND a.slice >= c.window_began_at AND a.slice < clock_timestamp() - p.overdue_after - {SLICE_SQL}
  AND a.heard_at < clock_timestamp() - p.overdue_after
GROUP BY GROUPING SETS ((a.phase, k.cohort), (a.phase))
"""


def by_cohort(rows: Iterable[Sequence[Any]]) -> dict[int, Parts[Cohort]]:
    """Rows of ``BY_COHORT_SQL`` by phase.

    The cohorts come in the same order in every process, the more telling first: of several in breach the
    first one is told.
    """
    states: dict[int, dict[str, dict[Target, int]]] = defaultdict(lambda: defaultdict(dict))
    for phase, cohort, state, vehicles in rows:
        states[phase][cohort][Target(state)] = vehicles
    return {phase: _in_order(mine) for phase, mine in states.items()}


def _in_order(states: Mapping[str, dict[Target, int]]) -> Parts[Cohort]:
    cohorts = {Cohort.read(text): vehicles for text, vehicles in states.items()}
    names = sorted(cohorts, key=lambda cohort: cohort.place)
    return Parts.of_each(names, [cohorts[name] for name in names])


def quiet(rows: Iterable[Sequence[Any]]) -> tuple[dict[int, dict[Cohort, int]], dict[int, int]]:
    """Rows of ``QUIET_SQL``: by phase and cohort, and by phase."""
    cohorts: dict[int, dict[Cohort, int]] = defaultdict(dict)
    totals: dict[int, int] = {}
    for phase, cohort, vehicles in rows:
        if cohort is None:
            totals[phase] = vehicles
        else:
            cohorts[phase][Cohort.read(cohort)] = vehicles
    return dict(cohorts), totals

"""What is known of the phases of campaigns, as rows; campaign/judgement.py says what it means.

Only what has happened in the present evidence window counts, and no excluded cohort does.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from campaign.assignment import ATTEMPTS, IN_FLIGHT, Tally, Target
from campaign.cohorts import Cohort, Facts, telling
from campaign.judgement import LONGEST_SLICE, SLICES_JUDGED_TOGETHER, SLICES_PER_DEADLINE, Evidence
from campaign.metrics import Overdue, total
from store.words import HARMED_SQL, IN_FLIGHT_SQL, sql_list

#: Vehicles by phase, configuration and state, of campaigns.
COUNTED_SQL = f"""
SELECT t.campaign_id, t.phase, t.configuration_id, t.state, t.vehicles - t.acknowledged
FROM tally AS t JOIN configuration AS f ON f.id = t.configuration_id
WHERE t.campaign_id = ANY(%s) AND NOT f.excluded AND t.vehicles > t.acknowledged
  AND t.state IN ({sql_list(ATTEMPTS | IN_FLIGHT)})
"""

CONFIGURATIONS_SQL = "SELECT id, model, country, ecus FROM configuration WHERE campaign_id = ANY(%s)"

#: How long a slice of a phase ``p`` is (campaign/judgement.py); never nothing, or no time would have a slice.
SLICE_SQL = (
    f"greatest(interval '1 millisecond', least(p.overdue_after / {SLICES_PER_DEADLINE}, "
    f"interval '{LONGEST_SLICE.total_seconds():.0f} seconds'))"
)

_BEGUN = f"({HARMED_SQL}, 'installing', 'succeeded')"

#: Slices whose vehicles have all had their time are counted once, as they are at that moment. Who still
#: installs and says so is not quiet.
MATURE_SQL = f"""
INSERT INTO matured (campaign_id, phase, began, vehicles, quiet, failed)
SELECT s.campaign_id, s.phase, s.began, sum(s.vehicles), (
           SELECT count(*) FROM assignment AS a
           WHERE a.campaign_id = s.campaign_id AND a.phase = s.phase AND a.slice = s.began
             AND a.state IN ({IN_FLIGHT_SQL}) AND a.state = 'installing'
             AND a.heard_at < clock_timestamp() - p.overdue_after),
       coalesce(sum(s.vehicles) FILTER (WHERE s.state IN ({HARMED_SQL})), 0)
FROM slice AS s JOIN phase AS p ON p.campaign_id = s.campaign_id AND p.number = s.phase
WHERE s.campaign_id = %(id)s AND s.state IN {_BEGUN}
  AND s.began < clock_timestamp() - p.overdue_after - {SLICE_SQL}
  AND NOT EXISTS (
      SELECT FROM matured AS m
      WHERE m.campaign_id = s.campaign_id AND m.phase = s.phase AND m.began = s.began)
GROUP BY s.campaign_id, s.phase, s.began, p.overdue_after HAVING sum(s.vehicles) > 0
ON CONFLICT DO NOTHING
"""

_THIS_WINDOW = "c.id = %(id)s AND c.id = {0}.campaign_id AND {0}.began >= c.window_began_at"

OVERDUE_SQL = f"""
SELECT m.phase, sum(m.vehicles)::int, sum(m.quiet)::int, sum(m.failed)::int
FROM matured AS m JOIN campaign AS c ON {_THIS_WINDOW.format("m")} GROUP BY m.phase
"""

#: Slices that are judged together, as vehicles by phase, beginning and state.
STRETCHES_SQL = f"""
SELECT s.phase, date_bin({SLICE_SQL} * {SLICES_JUDGED_TOGETHER}, s.began, c.window_began_at), s.state,
       sum(s.vehicles)::int
FROM slice AS s JOIN campaign AS c ON {_THIS_WINDOW.format("s")}
JOIN phase AS p ON p.campaign_id = s.campaign_id AND p.number = s.phase
WHERE s.vehicles > 0 AND s.state IN {_BEGUN} GROUP BY 1, 2, 3 ORDER BY 1, 2
"""

#: For the brake: who had time to report or has failed, and who of them failed or is still quiet.
MATURED_SQL = f"""
SELECT coalesce(sum(s.vehicles) FILTER (WHERE m.began IS NOT NULL OR s.state IN ({HARMED_SQL})), 0)::int,
       coalesce(sum(s.vehicles) FILTER (
           WHERE s.state IN ({HARMED_SQL}) OR m.began IS NOT NULL AND s.state = 'installing'), 0)::int
FROM slice AS s JOIN campaign AS c ON {_THIS_WINDOW.format("s")}
LEFT JOIN matured AS m ON m.campaign_id = s.campaign_id AND m.phase = s.phase AND m.began = s.began
WHERE s.state IN {_BEGUN}
"""

#: Who is overdue now, by phase and configuration.
QUIET_SQL = f"""
SELECT a.phase, a.configuration_id, count(*)::int
FROM assignment AS a
JOIN campaign AS c ON c.id = a.campaign_id JOIN phase AS p ON p.campaign_id = c.id AND p.number = a.phase
WHERE a.campaign_id = %(id)s AND a.state IN ({IN_FLIGHT_SQL}) AND a.state = 'installing'
  AND a.slice >= c.window_began_at AND a.slice < clock_timestamp() - p.overdue_after - {SLICE_SQL}
  AND a.heard_at < clock_timestamp() - p.overdue_after
GROUP BY a.phase, a.configuration_id
"""

Key = tuple[int, int]


class Configurations:
    """The configurations of campaigns, and the cohorts that tell their vehicles apart."""

    def __init__(self, rows: Iterable[Sequence[Any]]) -> None:
        facts = {
            number: Facts.model_construct(model=model, country=country, ecus=ecus)
            for number, model, country, ecus in rows
        }
        known = telling(facts.values())
        # The same order in every process: of several cohorts in breach the first one is told.
        self._telling = sorted(known, key=lambda cohort: cohort.place)
        self._cohorts = {number: each.cohorts & known for number, each in facts.items()}

    def by_cohort(self, counts: Mapping[int, Tally]) -> dict[Cohort, Tally]:
        """The tally of every telling cohort, from that of every configuration."""
        states: dict[Cohort, dict[Target, int]] = {cohort: {} for cohort in self._telling}
        for number, tally in counts.items():
            for cohort in self._cohorts.get(number, ()):
                mine = states[cohort]
                for state, vehicles in tally.by_state.items():
                    mine[state] = mine.get(state, 0) + vehicles
        return {cohort: Tally.model_construct(by_state=mine) for cohort, mine in states.items()}

    def sums(self, vehicles: Mapping[int, int]) -> dict[Cohort, int]:
        """Vehicles of every telling cohort, from those of every configuration."""
        found = dict.fromkeys(self._telling, 0)
        for number, many in vehicles.items():
            for cohort in self._cohorts.get(number, ()):
                found[cohort] += many
        return found


def counted(rows: Iterable[Sequence[Any]]) -> dict[Key, dict[int, Tally]]:
    """Rows of ``COUNTED_SQL`` as a tally per configuration, by campaign and phase."""
    states: dict[Key, dict[int, dict[Target, int]]] = defaultdict(lambda: defaultdict(dict))
    for campaign, phase, configuration, state, vehicles in rows:
        states[campaign, phase][configuration][Target(state)] = vehicles
    return {
        key: {number: Tally.model_construct(by_state=mine) for number, mine in each.items()}
        for key, each in states.items()
    }


def overdue(rows: Iterable[Sequence[Any]]) -> dict[int, Overdue]:
    """Rows of ``OVERDUE_SQL`` by phase."""
    return {
        phase: Overdue(vehicles=vehicles, quiet=quiet, failed=failed)
        for phase, vehicles, quiet, failed in rows
    }


def stretches(rows: Iterable[Sequence[Any]]) -> dict[int, tuple[Tally, ...]]:
    """Rows of ``STRETCHES_SQL`` by phase, in the order in which the vehicles began."""
    states: dict[int, dict[Any, dict[Target, int]]] = defaultdict(lambda: defaultdict(dict))
    for phase, began, state, vehicles in rows:
        states[phase][began][Target(state)] = vehicles
    return {
        phase: tuple(Tally.model_construct(by_state=mine) for mine in each.values())
        for phase, each in states.items()
    }


def evidence(
    configurations: Configurations, counts: Mapping[int, Tally], size: int, *, complete: bool = False
) -> Evidence:
    """The evidence of a phase without what takes a clock."""
    return Evidence(
        size=size, complete=complete, tally=total(counts.values()), cohorts=configurations.by_cohort(counts)
    )

"""A phase with its guards and evidence window, as the kill switch sees it."""

from collections.abc import Sequence
from typing import Any, Self

from campaign.assignment import Tally
from campaign.guards import Breach, Counts, Guard, Status, Verdict, evaluate, worst
from campaign.model import Message
from store.words import FAILURES_SQL

#: Phases by two arrays of campaign ids and phase numbers.
GUARDED_SQL = """
SELECT campaign_id, number, name, guards, window_attempts, window_failures FROM phase
WHERE (campaign_id, number) IN (SELECT * FROM unnest(%s::int[], %s::int[]))
ORDER BY campaign_id, number
"""

#: A failure that was acknowledged at a resume and is corrected since must not make room for a new one.
SHRINK_WINDOWS_SQL = f"""
UPDATE phase AS p SET window_failures = f.failures
FROM (
    SELECT q.campaign_id, q.number, coalesce(sum(t.vehicles), 0) AS failures
    FROM phase AS q
    LEFT JOIN tally AS t
        ON t.campaign_id = q.campaign_id AND t.phase = q.number AND t.state IN ({FAILURES_SQL})
    WHERE q.campaign_id = ANY(%s) AND q.window_failures > 0
    GROUP BY q.campaign_id, q.number
) AS f
WHERE p.campaign_id = f.campaign_id AND p.number = f.number AND f.failures < p.window_failures
"""

#: The stop. The first breach of a window stays: it is the one that closed the gate.
CLOSE_SQL = """
UPDATE campaign SET gate_open = false, shut_at = coalesce(shut_at, clock_timestamp()),
       breach = coalesce(breach, %s) WHERE id = %s
"""


class Guarded(Message):
    """The guards of a phase, and the counts at which its evidence window began."""

    campaign_id: int
    phase: int
    name: str
    guards: tuple[Guard, ...]
    window: Counts

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> Self:
        """From a row of ``GUARDED_SQL``."""
        campaign_id, phase, name, guards, attempts, failures = row
        return cls(
            campaign_id=campaign_id,
            phase=phase,
            name=name,
            guards=guards,
            window=Counts(attempts=attempts, failures=failures),
        )

    def verdict(self, tally: Tally) -> Verdict:
        """The worst verdict over the evidence of the present window."""
        counts = tally.counts.since(self.window)
        return worst([evaluate(guard, counts) for guard in self.guards])

    def breach(self, tally: Tally) -> Breach | None:
        """The breach, if there is one."""
        verdict = self.verdict(tally)
        if verdict.status is not Status.BREACH:
            return None
        return Breach(phase=self.phase, phase_name=self.name, verdict=verdict)

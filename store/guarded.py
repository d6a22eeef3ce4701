"""A phase with its guards, as the kill switch sees it, and the record of a stop."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter

from campaign.assignment import HARMED, Tally, Target
from campaign.breach import Breach, Exposed
from campaign.guards import Guard
from campaign.judgement import Evidence, breach, judge, may_trip, suspect, trips
from campaign.verdict import Verdict

#: The stop. The first breach of a window stays: it is the one that closed the gate.
CLOSE_SQL = """
UPDATE campaign SET gate_open = false, shut_at = coalesce(shut_at, clock_timestamp()),
       breach = coalesce(breach, %s) WHERE id = %s
"""


_GUARDS = TypeAdapter(tuple[Guard, ...])


@lru_cache(maxsize=1024)
def _guards(body: str) -> tuple[Guard, ...]:
    """Guards as the phase's row has them. They are parsed once, for a change makes another text: to do it for
    every group with a failure would cost more than to judge it."""
    return _GUARDS.validate_json(body)


@dataclass(frozen=True, slots=True)
class Guarded:
    """The guards of a phase, and how many cohorts tell its campaign's vehicles apart."""

    campaign_id: int
    phase: int
    name: str
    size: int
    window: int
    guards: tuple[Guard, ...]
    telling: int

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> "Guarded":
        """From a row of ``GUARDED_COLUMNS_SQL`` (store/evidence.py)."""
        campaign_id, phase, name, size, window, guards, telling = row
        return cls(campaign_id, phase, name, size, window, _guards(guards), telling)

    def trips(self, evidence: Evidence) -> bool:
        """Whether there is a breach, without its story."""
        return trips(self.guards, evidence)

    def may_trip(self, at_least: Evidence) -> bool:
        """Whether there may be a breach where of all but the bad no more is known."""
        return may_trip(self.guards, at_least)

    def breach(
        self, evidence: Evidence, campaign: Tally, verdicts: Sequence[Verdict] | None = None
    ) -> Breach | None:
        """The breach, if there is one.

        Args:
            campaign: all vehicles of the campaign, whatever the window: who is exposed.
            verdicts: what the guards say, if they have been asked.
        """
        found = breach(self.guards, judge(self.guards, evidence) if verdicts is None else verdicts)
        if found is None:
            return None
        guard = next(guard for guard in self.guards if guard.name == found.guard)
        return Breach(
            phase=self.phase,
            phase_name=self.name,
            window=self.window,
            verdict=found,
            culprit=suspect(guard, evidence),
            exposed=exposed(campaign),
        )


def exposed(campaign: Tally) -> Exposed:
    """Who of a campaign is under way, and who has been harmed."""
    return Exposed(
        offered=campaign.by_state.get(Target.OFFERED, 0),
        downloading=campaign.by_state.get(Target.DOWNLOADING, 0),
        installing=campaign.by_state.get(Target.INSTALLING, 0),
        harmed=campaign.of(HARMED),
    )

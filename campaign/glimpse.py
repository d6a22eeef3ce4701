"""What a tick under way shows, small enough to travel with the error that says "nothing yet".

Temporal keeps 4 kB of a failed attempt, its stack trace included, and throws away the details of a larger
one: people would see no new count until the next finding. So a glimpse has sentences and no numbers of
verdicts, and the phases about the present one as far as there is room.
"""

from datetime import datetime
from typing import Any, Self

from campaign.assignment import Tally
from campaign.cohorts import Culprit
from campaign.model import Message
from campaign.supervision import Observation, Window

#: Bytes of a glimpse as JSON. A stack trace takes 1 kB, and the line for people some hundreds of bytes.
MOST = 2_000

#: Why vehicles wait, in so many sentences: the guards need the room as well.
_REASONS = 2


class PhaseGlimpse(Message):
    """The counts of a phase, and what its guards say in one sentence."""

    number: int
    tally: Tally
    verdict: str


class Glimpse(Message):
    """As much of an observation as people are shown; what had no room in it is absent."""

    at: datetime
    window: int = 1
    cap: int | None = None
    culprit: Culprit | None = None
    phases: tuple[PhaseGlimpse, ...] = ()
    verdicts: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    windows: tuple[Window, ...] = ()
    waiting: str = ""

    @classmethod
    def of(cls, seen: Observation, present: int) -> Self:
        """What is seen of a campaign whose present phase has this number."""
        phases = [
            PhaseGlimpse(number=view.number, tally=view.tally, verdict=view.verdict.sentence)
            for view in sorted(seen.phases, key=lambda view: abs(view.number - present))
        ]
        glimpse = cls(
            at=seen.at, window=seen.window, cap=seen.cap, culprit=seen.culprit, phases=tuple(phases[:1])
        )
        glimpse = glimpse._and(waiting=seen.waiting_in_short(_REASONS))
        for verdict in seen.verdicts:
            glimpse = glimpse._and(verdicts=(*glimpse.verdicts, verdict.sentence))
        glimpse = glimpse._and(excluded=seen.excluded)
        for phase in phases[1:]:
            glimpse = glimpse._and(phases=(*glimpse.phases, phase))
        return glimpse._and(windows=seen.windows)

    def phase(self, number: int) -> PhaseGlimpse | None:
        """The phase with this number; None where there was no room for it."""
        return next((phase for phase in self.phases if phase.number == number), None)

    def _and(self, **more: Any) -> Self:
        """The same with more in it, if there is room."""
        richer = self.model_copy(update=more)
        return richer if len(richer.model_dump_json().encode()) <= MOST else self

"""Why a gate was closed: a record made in the transaction that closed it."""

from campaign.cohorts import Culprit
from campaign.model import Message
from campaign.verdict import Verdict


class Exposed(Message):
    """The vehicles under way at one moment, and how many of the campaign had been harmed by then."""

    offered: int = 0
    downloading: int = 0
    installing: int = 0
    harmed: int = 0

    @property
    def sentence(self) -> str:
        """One line for people."""
        return (
            f"{self.offered} offered, {self.downloading} downloading and {self.installing} installing; "
            f"{self.harmed} harmed so far"
        )


class Breach(Message):
    """The phase, the evidence window, the verdict with its numbers, who fails and who was exposed."""

    phase: int
    phase_name: str
    window: int = 1
    verdict: Verdict
    culprit: Culprit | None = None
    exposed: Exposed = Exposed()

    @property
    def sentence(self) -> str:
        """One line for people."""
        who = f"; {self.culprit.sentence}" if self.culprit else ""
        return f"phase {self.phase} ({self.phase_name}): {self.verdict.sentence}{who}"

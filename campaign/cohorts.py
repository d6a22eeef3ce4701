"""Who among the vehicles of a phase it is that fails: cohorts, and the one that stands out.

A cohort tells vehicles apart when some are in it and some are not. How many do is frozen with the selection.
Looking at many cohorts finds something by luck; each must therefore clear a bar that grows with their number.
A culprit must besides be the whole story: without it the others must look healthy.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from math import log
from typing import Any, Self

from campaign.evidence import against_target, log_chance_of_share
from campaign.guards import Guard, Rule
from campaign.model import Message
from campaign.problems import closest
from campaign.verdict import Counts, Status, evaluate


class Dimension(StrEnum):
    """By what vehicles are told apart; the more telling first."""

    HARDWARE = "hw_id"
    PREVIOUS_VERSION = "from_version"
    MODEL = "model"
    COUNTRY = "country"


_PLACES = {dimension: place for place, dimension in enumerate(Dimension)}


@dataclass(frozen=True, slots=True)
class Cohort:
    """Vehicles that share a fact: ``hw_id=BOSCH-MRR-EVO15``, ``from_version=Radar 1.4.0``, ``model=Model_Y``
    or ``country=DE``."""

    dimension: Dimension
    value: str

    def __str__(self) -> str:
        return f"{self.dimension}={self.value}"

    @property
    def place(self) -> tuple[int, str]:
        """Its place among others: the more telling dimension first."""
        return _PLACES[self.dimension], self.value

    @classmethod
    def read(cls, text: Any) -> Self:
        """The cohort in ``dimension=value``.

        Raises:
            ValueError: it is no such text; the message names the cure.
        """
        dimension, equals, value = str(text).partition("=")
        words = [word.value for word in Dimension]
        if not equals or dimension.strip() not in words or not value.strip():
            raise ValueError(
                f"cohort = {str(text)[:80]!r}: write DIMENSION=VALUE with one of {', '.join(words)}, such as "
                f"hw_id=BOSCH-MRR-EVO15; {closest(dimension.strip(), words)}"
            )
        return cls(dimension=Dimension(dimension.strip()), value=value.strip())


def cohort_bar(guard: Guard, cohorts: int) -> float:
    """The evidence that one of so many cohorts must show: half as much risk again, shared by all of them."""
    return 2.0 * guard.bar * max(cohorts, 1)


#: Luck puts the failures on one of all cohorts this often.
_LUCK = 0.01


class Culprit(Message):
    """The cohort that fails while the others do not."""

    cohort: str
    failed: int
    finished: int
    of_failed: int
    of_finished: int

    @property
    def sentence(self) -> str:
        """One line for people."""
        others = self.of_finished - self.finished
        rest = f"{self.of_failed - self.failed} of the other {others}"
        return (
            f"{self.failed} of {self.of_failed} failures are on {self.cohort} "
            f"({self.failed} of its {self.finished} failed, {rest})"
        )


def culprit(
    guard: Guard, ring: Counts, cohorts: Mapping[Cohort, Counts], looked_at: int = 0
) -> Culprit | None:
    """The cohort that explains the failures of a phase; None where none does.

    Args:
        guard: the guard that is breached or looked at.
        ring: the counts of the whole phase.
        cohorts: the counts of each cohort with failures.
        looked_at: how many cohorts there are in all, if more.
    """
    best: tuple[float, int, str] | None = None
    found: Culprit | None = None
    for cohort, counts in cohorts.items():
        luck = _luck(guard, ring, counts, max(looked_at, len(cohorts)))
        if luck is None:
            continue
        rank = (luck, *cohort.place)
        if best is None or rank < best:
            best = rank
            found = Culprit(
                cohort=str(cohort),
                failed=counts.failed,
                finished=counts.finished,
                of_failed=ring.failed,
                of_finished=ring.finished,
            )
    return found


def _luck(guard: Guard, ring: Counts, counts: Counts, cohorts: int) -> float | None:
    """How likely (a logarithm) so many failures fall on this cohort by luck; None: it does not stand out."""
    if counts.failed < 2 or counts.started >= ring.started:
        return None
    luck = log_chance_of_share(counts.started, counts.failed, ring.started, ring.failed)
    if luck + log(cohorts) > log(_LUCK):
        return None
    rest = ring.without(counts)
    if rest.finished and Fraction(rest.failed, rest.finished) > Fraction(guard.limit):
        return None
    if guard.mode is Rule.EVIDENCE:
        accept, limit = float(guard.accept), float(guard.limit)
        evidence = against_target(counts.started, counts.failed, accept, limit)
        if evidence < cohort_bar(guard, cohorts) or evaluate(guard, rest).status is Status.BREACH:
            return None
    return luck

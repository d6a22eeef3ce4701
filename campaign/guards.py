"""The kill switch: a guard is data, its evaluation a pure function of counts.

This is the plain rule, exactly: failures / attempts > limit, compared as rationals. A rate derived from the
success rate in floating point (``1 - 49/50 > 0.02``) is wrong at every exact two percent.
"""

from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import Field

from campaign.model import Frozen, Message


class Status(StrEnum):
    """What a guard says of its counts. The worst of several wins: the order is the severity."""

    BREACH = "breach"
    DEGRADED = "degraded"
    INCONCLUSIVE = "inconclusive"
    NO_DATA = "no_data"
    CONTINUE = "continue"
    HEALTHY = "healthy"


SEVERITY = tuple(Status)


class Guard(Frozen):
    """A health rule: the metric, how it is judged and the limit it must not exceed."""

    name: Annotated[str, Field(min_length=1, max_length=50)] = "failure_rate"
    metric: Literal["failure_rate"] = "failure_rate"
    mode: Literal["threshold"] = "threshold"
    limit: Decimal = Field(default=Decimal("0.02"), ge=0, lt=1)
    action: Literal["pause"] = "pause"


class Counts(Message):
    """What is known of the vehicles a guard looks at: those with an outcome, and the bad among them."""

    attempts: int = Field(default=0, ge=0)
    failures: int = Field(default=0, ge=0)

    def since(self, baseline: "Counts") -> "Counts":
        """The counts of an evidence window that began at ``baseline``.

        A success that arrives late corrects a failure the baseline still holds; it is never less than none.
        """
        return Counts(
            attempts=max(0, self.attempts - baseline.attempts),
            failures=max(0, self.failures - baseline.failures),
        )


class Verdict(Message):
    """A guard's answer with the numbers compared and one sentence an operator understands."""

    guard: str
    status: Status
    attempts: int
    failures: int
    limit: Decimal
    sentence: str


def evaluate(guard: Guard, counts: Counts) -> Verdict:
    """Judge counts by a guard; total, and exact at the limit (50 with 1 failure is exactly 2 %)."""
    if counts.attempts == 0:
        status, sentence = Status.NO_DATA, "no vehicle has an outcome yet"
    else:
        rate = Fraction(counts.failures, counts.attempts)
        breach = rate > Fraction(guard.limit)
        status = Status.BREACH if breach else Status.CONTINUE
        sentence = (
            f"{counts.failures} of {counts.attempts} failed "
            f"({percent(rate)} {'>' if breach else '<='} {percent(Fraction(guard.limit))})"
        )
    return Verdict(
        guard=guard.name,
        status=status,
        attempts=counts.attempts,
        failures=counts.failures,
        limit=guard.limit,
        sentence=f"{guard.name} {status}: {sentence}",
    )


def worst(verdicts: list[Verdict]) -> Verdict:
    """The most severe verdict, the first of equals.

    Raises:
        ValueError: there is none; a phase has at least one guard.
    """
    return min(verdicts, key=lambda verdict: SEVERITY.index(verdict.status))


def percent(rate: Fraction) -> str:
    """A rate for people, ``2.04 %``, with no digit that says nothing."""
    return f"{float(rate * 100):.3g} %" if rate else "0 %"


class Breach(Message):
    """Why the gate was closed: the phase, and the verdict with its numbers."""

    phase: int
    phase_name: str
    verdict: Verdict

    @property
    def sentence(self) -> str:
        """One line for people."""
        return f"phase {self.phase} ({self.phase_name}): {self.verdict.sentence}"

"""Judging counts by a guard: pure, total, and exact at the limit.

Rules, in order: a count above its maximum breaches; without an outcome there is no data; the plain rules
compare rationals, strictly greater; evidence breaches over the limit and degrades under it; health must be
proven with every missing report counted as failed; a phase that is over and proved nothing is inconclusive.
A rate derived from the success rate in floating point (``1 - 49/50 > 0.02``) is wrong at every exact two
percent, so no rate is.
"""

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache
from typing import Self, overload

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from campaign.evidence import against_target, below_limit, exact_upper, trip_count
from campaign.guards import Guard, Metric, Rule
from campaign.model import Message
from campaign.parts import Numbers


class Status(StrEnum):
    """What a guard says of its counts. The worst of several wins: the order is the severity."""

    BREACH = "breach"
    DEGRADED = "degraded"
    INCONCLUSIVE = "inconclusive"
    NO_DATA = "no_data"
    CONTINUE = "continue"
    HEALTHY = "healthy"


SEVERITY = tuple(Status)

#: Of a limit: by more than floating point can be wrong about the number of all vehicles there are.
_SURELY_LESS = 1 - 1e-9

#: All vehicles of a phase together, as opposed to a cohort or those that began at the same time.
RING = "ring"


class Counts(Message):
    """What a guard compares: vehicles that began, those with an outcome, and the bad among these.

    ``group`` is the phase's size; ``complete`` says that nobody is under way any more.
    """

    started: int = Field(default=0, ge=0)
    finished: int = Field(default=0, ge=0)
    failed: int = Field(default=0, ge=0)
    group: int = Field(default=0, ge=0)
    complete: bool = False

    @model_validator(mode="after")
    def _nested(self) -> Self:
        if not self.failed <= self.finished <= self.started:
            raise ValueError(
                f"failed {self.failed} <= finished {self.finished} <= started {self.started} does not hold"
            )
        return self

    def without(self, part: "Counts") -> "Counts":
        """The counts of everybody else."""
        return self.model_copy(
            update={
                "started": self.started - part.started,
                "finished": self.finished - part.finished,
                "failed": self.failed - part.failed,
            }
        )


class Verdict(Message):
    """A guard's answer with the numbers compared and one sentence an operator understands.

    ``evidence`` and ``health`` are likelihood ratios, compared with ``bar`` and the guard's health bar; they
    are None where the rule needs none. ``pause_at`` is the number of failures that would breach now.
    """

    guard: str
    slice: str = RING
    status: Status
    started: int
    finished: int
    failed: int
    limit: Decimal
    evidence: float | None = None
    bar: float | None = None
    health: float | None = None
    pause_at: int | None = None
    sentence: str


def evaluate(guard: Guard, counts: Counts, slice: str = RING, bar: float | None = None) -> Verdict:
    """Judge counts by a guard.

    Args:
        slice: whose counts they are, where not those of the whole ring.
        bar: the evidence that breaches, where several slices share the guard's risk.
    """
    if guard.mode is Rule.EVIDENCE:
        return _by_evidence(guard, counts, slice, guard.bar if bar is None else bar)
    return _by_count(guard, counts, slice)


def breached(guard: Guard, counts: Counts, bar: float | None = None) -> bool:
    """Whether ``evaluate`` says breach."""
    if not over_limit(guard, counts):
        return False
    if guard.mode is not Rule.EVIDENCE:
        return counts.finished >= _sample(guard)
    evidence = against_target(counts.started, counts.failed, float(guard.accept), float(guard.limit))
    return evidence >= (guard.bar if bar is None else bar)


def over_limit(guard: Guard, counts: Counts) -> bool:
    """Whether so many are bad as ``breached`` asks for at the least."""
    return counts.finished > 0 and counts.failed >= _least(guard, counts)


@overload
def near_limit(guard: Guard, failed: int, finished: int) -> bool: ...


@overload
def near_limit(guard: Guard, failed: Numbers, finished: Numbers) -> npt.NDArray[np.bool_]: ...


def near_limit(guard: Guard, failed: int | Numbers, finished: int | Numbers) -> bool | npt.NDArray[np.bool_]:
    """Whether so many failures of so many with an outcome may be more than the limit allows, for one pair of
    numbers or for each of many: a quick look at what ``breached`` finds out exactly."""
    return failed > finished * (float(guard.limit) * _SURELY_LESS)


def _by_count(guard: Guard, counts: Counts, slice: str) -> Verdict:
    """The rules that compare one number."""
    pause_at, sample = _least(guard, counts), _sample(guard)
    over = ">" if counts.failed >= pause_at else "<="
    if guard.mode is Rule.COUNT:
        against = f"{counts.failed} {over} {guard.max_count}"
    else:
        base = _base(guard, counts)
        rate = _beside(Fraction(counts.failed, base), guard) if base else "no share"
        whole = f" of a group of {base}" if guard.mode is Rule.GROUP_SHARE else ""
        against = f"{rate}{whole} {over} {_limit(guard)}"
    text = f"{counts.failed} of {counts.finished} {_VERBS[guard.metric]} ({against})"
    if not counts.finished:
        status, text = Status.NO_DATA, _NO_DATA
    elif counts.finished < sample:
        status = Status.INCONCLUSIVE if counts.complete else Status.CONTINUE
        text += f"; judged from {sample} on"
    else:
        status = Status.BREACH if breached(guard, counts) else Status.CONTINUE
    return _verdict(guard, counts, slice, status, text, pause_at=pause_at)


_NO_DATA = "no vehicle has an outcome yet"

#: What the bad vehicles of a metric have done.
_VERBS = {
    Metric.INSTALLATION_SUCCESS: "failed",
    Metric.FAILURE: "failed",
    Metric.DOWNLOAD_FAILURE: "failed to download",
    Metric.ROLLBACK: "rolled back",
    Metric.SILENCE: "went quiet",
    Metric.NOT_OK: "failed or went quiet",
    Metric.CRITICAL: "came to harm",
}


def _by_evidence(guard: Guard, counts: Counts, slice: str, bar: float) -> Verdict:
    accept, limit = float(guard.accept), float(guard.limit)
    evidence = against_target(counts.started, counts.failed, accept, limit)
    missing = counts.started - counts.finished
    health = below_limit(counts.started, counts.failed + missing, accept, limit)
    pause_at = max(trip_count(counts.started, bar, accept, limit), _least(guard, counts))
    numbers = {"evidence": evidence, "bar": bar, "health": health, "pause_at": pause_at}
    status, text = _weigh(guard, counts, evidence, bar, health, pause_at)
    return _verdict(guard, counts, slice, status, text, **numbers)


def _weigh(
    guard: Guard, counts: Counts, evidence: float, bar: float, health: float, pause_at: int
) -> tuple[Status, str]:
    if not counts.finished:
        return Status.NO_DATA, _NO_DATA
    failed = f"{counts.failed} of {counts.finished} {_VERBS[guard.metric]}"
    rate, limit = _beside(Fraction(counts.failed, counts.finished), guard), _limit(guard)
    target = percent(Fraction(guard.accept))
    if evidence >= bar:
        odds = f"{_odds(evidence)} against a healthy fleet's {target}"
        if breached(guard, counts, bar):
            return Status.BREACH, f"{failed} ({rate} > {limit}); {odds}, {_odds(bar)} is enough"
        return Status.DEGRADED, f"{failed} ({rate}); {odds}, though not over the {limit} limit"
    if health >= guard.health_bar:
        return Status.HEALTHY, f"{failed}; a rate under {limit} is proven {_odds(health)}"
    if counts.complete:
        known = exact_upper(counts.started, counts.failed + counts.started - counts.finished)
        upper = percent(Fraction(known))
        return Status.INCONCLUSIVE, f"{failed}; {counts.started} vehicles only show a rate under {upper}"
    pending = counts.started - counts.finished
    busy = f", {pending} under way" if pending else ""
    return Status.CONTINUE, f"{failed}{busy}; pauses at {pause_at}"


def _base(guard: Guard, counts: Counts) -> int:
    """What the limit is a share of."""
    return counts.group if guard.mode is Rule.GROUP_SHARE else counts.finished


def _least(guard: Guard, counts: Counts) -> int:
    """The fewest failures that are more than the limit; evidence asks for more than that."""
    return guard.max_count + 1 if guard.mode is Rule.COUNT else _over(guard, _base(guard, counts))


def _sample(guard: Guard) -> int:
    return 0 if guard.mode is Rule.COUNT else guard.min_sample


@lru_cache(maxsize=256)
def _fraction(rate: Decimal) -> Fraction:
    return Fraction(rate)


def _over(guard: Guard, base: int) -> int:
    """The fewest failures of ``base`` that are more than the limit."""
    limit = _fraction(guard.limit)
    return limit.numerator * base // limit.denominator + 1


def _verdict(
    guard: Guard, counts: Counts, slice: str, status: Status, text: str, **numbers: float
) -> Verdict:
    where = "" if slice == RING else f"[{slice}]"
    return Verdict(
        guard=guard.name,
        slice=slice,
        status=status,
        started=counts.started,
        finished=counts.finished,
        failed=counts.failed,
        limit=guard.limit,
        sentence=f"{guard.name}{where} {status}: {text}",
        **numbers,
    )


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """The most severe verdict, the first of equals.

    Raises:
        ValueError: there is none; a phase has at least one guard.
    """
    return min(verdicts, key=lambda verdict: SEVERITY.index(verdict.status))


def percent(rate: Fraction, digits: int = 3) -> str:
    """A rate for people, ``2.04 %``, with no digit that says nothing."""
    return f"{float(rate * 100):.{digits}g} %" if rate else "0 %"


def _beside(rate: Fraction, guard: Guard) -> str:
    """A rate with as many digits as it takes to tell it from the guard's limit."""
    limit = Fraction(guard.limit)
    texts = (percent(rate, digits) for digits in range(_digits(guard), 17))
    return next((text for text in texts if rate == limit or text != _limit(guard)), percent(rate))


def _limit(guard: Guard) -> str:
    """The limit with all of its digits."""
    return percent(Fraction(guard.limit), _digits(guard))


def _digits(guard: Guard) -> int:
    return max(3, len(guard.limit.as_tuple().digits))


def _odds(ratio: float) -> str:
    return "over 1,000,000:1" if ratio > 1_000_000 else f"{ratio:,.0f}:1"

"""Guards: what the kill switch watches. A guard is data; campaign/verdict.py judges counts by it.

A definition that names no guards gets the standard ones of its type. One that names some gets exactly these.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, ValidationError, model_validator

from campaign.model import Frozen
from campaign.problems import Problem, Refused, closest, explain


class Metric(StrEnum):
    """What is counted, as bad vehicles of all that could have been (campaign/metrics.py)."""

    INSTALLATION_SUCCESS = "installation_success_rate"
    FAILURE = "failure_rate"
    DOWNLOAD_FAILURE = "download_failure_rate"
    ROLLBACK = "rollback_rate"
    SILENCE = "silence"
    NOT_OK = "not_ok"
    CRITICAL = "critical"


class Rule(StrEnum):
    """How counts are judged.

    ``evidence``: over the limit, and too often for chance in a fleet that meets the accepted rate, however
    often one looks. ``threshold``: failures / attempts > limit, nothing else. ``group_share``: failures
    over a share of the phase's size. ``count``: more failures than a number.
    """

    EVIDENCE = "evidence"
    THRESHOLD = "threshold"
    GROUP_SHARE = "group_share"
    COUNT = "count"


class Action(StrEnum):
    """What a breach does: pause the campaign, or tell people and go on."""

    PAUSE = "pause"
    NOTIFY = "notify"


#: Rates where the definition gives none: the limit, and what a healthy fleet may show (accept). The first
#: pair is the product's promise, 99.5 % success and never more than 2 % failures; the others are proposals
#: to be calibrated by the first campaigns of a fleet.
RATES: Mapping[Metric, tuple[Decimal, Decimal]] = {
    Metric.INSTALLATION_SUCCESS: (Decimal("0.02"), Decimal("0.005")),
    Metric.FAILURE: (Decimal("0.02"), Decimal("0.005")),
    Metric.DOWNLOAD_FAILURE: (Decimal("0.05"), Decimal("0.02")),
    Metric.ROLLBACK: (Decimal("0.01"), Decimal("0.001")),
    Metric.SILENCE: (Decimal("0.03"), Decimal("0.01")),
    Metric.NOT_OK: (Decimal("0.03"), Decimal("0.015")),
    Metric.CRITICAL: (Decimal("0.02"), Decimal("0.005")),
}


class Guard(Frozen):
    """A health rule.

    ``limit`` is the rate that must not be exceeded, ``accept`` the one a healthy fleet may show; a healthy
    fleet is paused in fewer than 1 of ``bar`` campaigns, and an unhealthy one is called healthy in fewer than
    1 of ``health_bar``. ``min_sample`` is for ``threshold``, ``max_count`` for ``count``.
    """

    name: Annotated[str, Field(min_length=1, max_length=50)]
    metric: Metric = Metric.INSTALLATION_SUCCESS
    mode: Rule = Rule.EVIDENCE
    limit: Decimal = Field(ge=0, lt=1)
    accept: Decimal = Field(gt=0, lt=1)
    bar: int = Field(default=100, ge=2, le=1_000_000)
    health_bar: int = Field(default=20, ge=2, le=1_000_000)
    min_sample: int = Field(default=0, ge=0)
    max_count: int = Field(default=0, ge=0)
    action: Action = Action.PAUSE

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, given: Any) -> Any:
        """Give what is absent: the rates of the metric, and its word for a name."""
        if not isinstance(given, dict):
            return given
        metric = given.get("metric", Metric.INSTALLATION_SUCCESS)
        if metric not in list(Metric):
            return {"name": "?", "limit": 0, "accept": RATES[Metric.FAILURE][1], **given}
        limit, accept = RATES[Metric(metric)]
        return {"name": str(Metric(metric)), "limit": limit, "accept": accept, **given}

    @model_validator(mode="after")
    def _limit_lies_above_accept(self) -> Guard:
        if self.mode is Rule.EVIDENCE and self.accept * 2 > self.limit:
            raise ValueError(
                f"accept {self.accept} must be at most half of limit {self.limit}: closer rates cannot be "
                "told apart; give a lower accept, or mode: threshold for a bare limit"
            )
        return self


def standard(metric: Metric, **other: Any) -> Guard:
    """A guard with the rates of its metric and its word for a name, unless told otherwise."""
    limit, accept = RATES[metric]
    return Guard(**{"name": metric.value, "metric": metric, "limit": limit, "accept": accept, **other})


#: What a campaign is watched by when its definition names no guards.
STANDARD_GUARDS: tuple[Guard, ...] = (
    standard(Metric.CRITICAL, mode=Rule.COUNT),
    standard(Metric.INSTALLATION_SUCCESS),
    standard(Metric.ROLLBACK),
    standard(Metric.SILENCE),
    standard(Metric.NOT_OK),
    standard(Metric.DOWNLOAD_FAILURE),
)

#: Pilots have agreed to software that is not finished; what may hurt them is watched as closely.
_PILOT_RATES = {
    Metric.INSTALLATION_SUCCESS: {"limit": Decimal("0.05"), "accept": Decimal("0.01")},
    Metric.ROLLBACK: {"limit": Decimal("0.03"), "accept": Decimal("0.01")},
    Metric.NOT_OK: {"limit": Decimal("0.06"), "accept": Decimal("0.02")},
}
PILOT_GUARDS: tuple[Guard, ...] = tuple(
    guard.model_copy(update=_PILOT_RATES.get(guard.metric, {})) for guard in STANDARD_GUARDS
)

#: The plain rule by itself, for whoever wants exactly failures / attempts > limit.
PLAIN_GUARD = standard(Metric.FAILURE, mode=Rule.THRESHOLD)


def with_limits(guards: Sequence[Guard], limits: Mapping[str, Decimal]) -> tuple[Guard, ...]:
    """The guards with new limits, given by their names.

    Raises:
        Refused: there is no such guard, or the limit does not fit it.
    """
    refuse_unknown(limits, [guard.name for guard in guards])
    return tuple(_with_limit(guard, limits.get(guard.name)) for guard in guards)


def refuse_unknown(asked: Iterable[str], names: Collection[str]) -> None:
    """Refuse a name that no guard has.

    Raises:
        Refused: there is one.
    """
    for name in asked:
        if name not in names:
            cure = f"no guard of this name; {closest(name, names)}"
            raise Refused([Problem("guards", repr(name), cure)], "command")


def _with_limit(guard: Guard, limit: Decimal | None) -> Guard:
    if limit is None:
        return guard
    try:
        return Guard.model_validate({**guard.model_dump(), "limit": limit})
    except ValidationError as error:
        cures = [
            replace(problem, field=f"guards.{guard.name}", value=str(limit))
            for problem in explain(error, Guard)
        ]
        raise Refused(cures, "command") from error

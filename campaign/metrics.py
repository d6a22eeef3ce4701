"""What a metric counts: vehicles that began, those with an outcome, and the bad among them.

Vehicles that deferred, declined, were cancelled or excluded, that it does not apply to or that were never
seen are in no count. A vehicle under way counts as begun, so that fast failures do not outrun slow successes;
so does one whose download stalled, for nothing is known of it.
"""

from collections.abc import Iterable
from typing import Protocol, Self, TypeVar

from campaign.assignment import ATTEMPTS, FAILURES, HARMED, STARTED, Tally, Target
from campaign.guards import Metric
from campaign.model import Message
from campaign.verdict import Counts

#: Began, and how that ends is not known.
_UNDER_WAY = STARTED | {Target.STALLED}
#: Began to install, and how that ended is known.
_INSTALLED = HARMED | {Target.SUCCEEDED}
#: Has all of the download.
_DOWNLOADED = _INSTALLED | {Target.INSTALLING}

#: A download that came to nothing. One that stalled may be tried again, and is counted until then.
_NOT_DOWNLOADED = frozenset({Target.DOWNLOAD_FAILED, Target.STALLED})

#: Per metric: bad, and with an outcome. All the others that began are those under way.
_STATES = {
    Metric.INSTALLATION_SUCCESS: (HARMED, _INSTALLED),
    Metric.FAILURE: (FAILURES, ATTEMPTS),
    Metric.DOWNLOAD_FAILURE: (_NOT_DOWNLOADED, _DOWNLOADED | _NOT_DOWNLOADED),
    Metric.ROLLBACK: (frozenset({Target.ROLLED_BACK}), _INSTALLED),
    Metric.CRITICAL: (frozenset({Target.CRITICAL}), _INSTALLED),
}

#: What no report can tell: it takes a clock, and is judged at the tick.
CLOCKED = frozenset({Metric.SILENCE, Metric.NOT_OK})


_N = TypeVar("_N")
_Counted = TypeVar("_Counted", covariant=True)


class _Vehicles(Protocol[_Counted]):
    """A tally, or many of them as columns."""

    def of(self, states: frozenset[Target], /) -> _Counted:
        """How many are in one of these states."""


class Overdue(Message):
    """Those who began to install long enough ago: how many, and of them, when their time was up, the quiet
    and the failed. Fixed at that moment; a late report corrects the tally and not this."""

    vehicles: int = 0
    quiet: int = 0
    failed: int = 0

    def __add__(self, other: "Overdue") -> Self:
        return type(self)(
            vehicles=self.vehicles + other.vehicles,
            quiet=self.quiet + other.quiet,
            failed=self.failed + other.failed,
        )


#: Nobody is overdue, or nobody asks.
NOBODY = Overdue()


def count(
    metric: Metric, tally: Tally, overdue: Overdue, *, group: int = 0, complete: bool = False
) -> Counts:
    """The counts of a metric.

    Args:
        tally: the vehicles of one evidence window, by state.
        overdue: those of them whose time is up.
        group: the size of the phase.
        complete: whether nobody is under way any more.
    """
    failed = bad(metric, tally, overdue)
    if metric in CLOCKED:
        return Counts(
            started=overdue.vehicles, finished=overdue.vehicles, failed=failed, group=group, complete=complete
        )
    finished = tally.of(_STATES[metric][1])
    under_way = tally.of(_UNDER_WAY - _STATES[metric][1])
    return Counts(
        started=finished + under_way, finished=finished, failed=failed, group=group, complete=complete
    )


def bad(metric: Metric, tally: Tally, overdue: Overdue) -> int:
    """The bad vehicles alone, of ``count``: without one, no guard of this metric can be breached."""
    if metric in CLOCKED:
        return overdue.quiet + (overdue.failed if metric is Metric.NOT_OK else 0)
    return tally.of(_STATES[metric][0])


def outcomes(metric: Metric, vehicles: _Vehicles[_N]) -> tuple[_N, _N]:
    """The bad vehicles and those with an outcome, of ``count``, for a metric that needs no clock."""
    failing, finishing = _STATES[metric]
    return vehicles.of(failing), vehicles.of(finishing)


def total(tallies: Iterable[Tally]) -> Tally:
    """All of these together."""
    by_state: dict[Target, int] = {}
    for tally in tallies:
        for state, vehicles in tally.by_state.items():
            by_state[state] = by_state.get(state, 0) + vehicles
    return Tally(by_state=by_state)

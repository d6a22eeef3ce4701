"""A ring released under guards and brake, in looks of some minutes, many runs at once.

What the store counts is counted here: the tally, the vehicles whose slice of time is up (as they were at that
moment), and for the brake those that had time to report or have failed. The product decides on these counts:
every stop, and every hour a run that goes on, is put to ``judge`` itself.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum, auto
from math import erf, log, sqrt

import numpy as np
import numpy.typing as npt

from benchmarks.guards.bounds import bounds
from benchmarks.guards.policy import GUARDS, OVERDUE, SILENT, SLICE, TICK, Policy
from benchmarks.guards.slots import MEAN_HOURS, SIGMA
from benchmarks.guards.staircase import IntArray
from campaign.assignment import Tally, Target
from campaign.guards import Metric
from campaign.judgement import Evidence, breach, judge
from campaign.metrics import Overdue

#: Looks until the last report: ten hours, when all but one of a million have come.
_LONGEST = round(timedelta(hours=10) / TICK)
_HOUR = round(timedelta(hours=1) / TICK)
#: Looks ahead for which anything is noted.
_AHEAD = max(SILENT, SLICE + OVERDUE, _LONGEST) + 1

BoolArray = npt.NDArray[np.bool_]


class _Due(IntEnum):
    """What is known at the admission of vehicles to happen at a later look."""

    SUCCESS = 0
    FAILURE = auto()
    SILENCE = auto()
    MATURED = auto()
    QUIET = auto()
    BROKEN = auto()
    LATE = auto()
    LATE_FAILURE = auto()


@dataclass(frozen=True)
class Outcome:
    """By run: whether it was paused, how many of all that had begun were or will be harmed, and the time."""

    paused: BoolArray
    harmed: IntArray
    hours: npt.NDArray[np.float64]


def shares(pace: float) -> npt.NDArray[np.float64]:
    """The share of the reports that come one, two, ... looks after the beginning."""
    middle = log(MEAN_HOURS * pace) - SIGMA**2 / 2
    hours = (np.arange(1, _LONGEST) + 0.5) * (TICK / timedelta(hours=1))
    below = [(1 + erf((log(each) - middle) / (SIGMA * sqrt(2)))) / 2 for each in hours]
    return np.diff([0.0, *below, 1.0])


def roll_out(policy: Policy, rate: float, vehicles: int, runs: int, dice: np.random.Generator) -> Outcome:
    """Release a ring until a guard is breached or everybody has an outcome."""
    ring = _Ring(policy, rate, vehicles, runs, dice)
    paused, harmed, looks = np.zeros(runs, bool), np.zeros(runs, np.int64), np.zeros(runs, np.int64)
    running, look = np.arange(runs), 0
    while running.size:
        ring.advance(look)
        stopped = ring.breached()
        ring.put_to_judge(np.flatnonzero(stopped), stops=True)
        if look % _HOUR == 0:
            ring.put_to_judge(np.flatnonzero(~stopped)[:1], stops=False)
        done = stopped | (ring.finished == vehicles)
        if done.any():
            ended = running[done]
            paused[ended], harmed[ended], looks[ended] = stopped[done], ring.harmed[done], look
            running = running[~done]
            ring.keep(~done)
        ring.admit(look)
        look += 1
    return Outcome(paused, harmed, looks.astype(np.float64) * (TICK / timedelta(hours=1)))


class _Ring:
    """The runs that go on; every array has an entry for each of them."""

    def __init__(
        self, policy: Policy, rate: float, vehicles: int, runs: int, dice: np.random.Generator
    ) -> None:
        self.policy, self.rate, self.vehicles, self.dice = policy, rate, vehicles, dice
        self.success_shares, self.failure_shares = shares(1.0), shares(policy.pace)
        self.bounds = [(guard, bounds(guard, vehicles)) for guard in GUARDS]
        self.agenda = np.zeros((len(_Due), _AHEAD, runs), np.int32)
        self.sums = np.zeros((len(_Due), runs), np.int64)
        self.started = np.zeros(runs, np.int64)
        self.harmed = np.zeros(runs, np.int64)

    def keep(self, which: BoolArray) -> None:
        """Forget the other runs."""
        self.agenda, self.sums = self.agenda[:, :, which], self.sums[:, which]
        self.started, self.harmed = self.started[which], self.harmed[which]

    def advance(self, look: int) -> None:
        """What is due at a look happens."""
        due = self.agenda[:, look % _AHEAD]
        self.sums += due
        due[:] = 0

    @property
    def failed(self) -> IntArray:
        """Reported as failed, or silent for so long that they count as failed."""
        failed: IntArray = self.sums[_Due.FAILURE] + self.sums[_Due.SILENCE]
        return failed

    @property
    def finished(self) -> IntArray:
        finished: IntArray = self.sums[_Due.SUCCESS] + self.failed
        return finished

    def breached(self) -> BoolArray:
        """Which runs a guard stops."""
        quiet, broken, up = (self.sums[due] for due in (_Due.QUIET, _Due.BROKEN, _Due.MATURED))
        counts = {
            Metric.INSTALLATION_SUCCESS: (self.started, self.finished, self.failed),
            Metric.SILENCE: (up, up, quiet),
            Metric.NOT_OK: (up, up, quiet + broken),
        }
        answers = [each.breached(*counts[guard.metric]) for guard, each in self.bounds]
        stopped: BoolArray = np.logical_or.reduce(answers)
        return stopped

    def put_to_judge(self, runs: IntArray, *, stops: bool) -> None:
        """Ask the product about runs that stop, or do not.

        Raises:
            AssertionError: it decides otherwise.
        """
        for run in runs.tolist():
            evidence = self._evidence(run)
            found = breach(GUARDS, judge(GUARDS, evidence))
            assert (found is not None) == stops, f"{evidence}: {found}"

    def _evidence(self, run: int) -> Evidence:
        sums = [int(each) for each in self.sums[:, run]]
        states = {
            Target.SUCCEEDED: sums[_Due.SUCCESS],
            Target.FAILED: sums[_Due.FAILURE],
            Target.SILENT: sums[_Due.SILENCE],
            Target.INSTALLING: int(self.started[run] - self.finished[run]),
        }
        up = Overdue(vehicles=sums[_Due.MATURED], quiet=sums[_Due.QUIET], failed=sums[_Due.BROKEN])
        return Evidence(size=self.vehicles, tally=Tally(by_state=states), overdue=up)

    def admit(self, look: int) -> None:
        """Let as many begin as the brake allows."""
        sums = self.sums
        late = sums[_Due.LATE] + sums[_Due.LATE_FAILURE]
        known = sums[_Due.BROKEN] + sums[_Due.LATE_FAILURE] + sums[_Due.SILENCE]
        matured = sums[_Due.MATURED] + self.failed - known
        bad = self.failed + sums[_Due.QUIET] - late - sums[_Due.SILENCE]
        caps = np.array([self.policy.cap(*each) for each in zip(matured.tolist(), bad.tolist(), strict=True)])
        free = np.minimum(caps - (self.started - self.finished), self.vehicles - self.started)
        admitted = np.maximum(free, 0)
        if admitted.any():
            self._begin(look, admitted)

    def _begin(self, look: int, admitted: IntArray) -> None:
        """Throw the dice for vehicles that begin at a look, and note what will come of them."""
        harmed = self.dice.binomial(admitted, self.rate)
        silent = self.dice.binomial(harmed, self.policy.silent)
        successes = self.dice.multinomial(admitted - harmed, self.success_shares).T
        failures = self.dice.multinomial(harmed - silent, self.failure_shares).T
        self.started += admitted
        self.harmed += harmed

        up = (
            look // self.policy.slice + 1
        ) * self.policy.slice + OVERDUE  # the look at which the slice has had its time
        within = up - look
        reports = (look + 1 + np.arange(_LONGEST)) % _AHEAD
        self.agenda[_Due.SUCCESS, reports] += successes.astype(np.int32)
        self.agenda[_Due.FAILURE, reports] += failures.astype(np.int32)
        self.agenda[_Due.LATE, reports[within:]] += successes[within:].astype(np.int32)
        self.agenda[_Due.LATE_FAILURE, reports[within:]] += failures[within:].astype(np.int32)
        self.agenda[_Due.SILENCE, (look + SILENT) % _AHEAD] += silent.astype(np.int32)
        at = up % _AHEAD
        in_time = failures[:within].sum(axis=0)
        quiet = silent + successes[within:].sum(axis=0) + (harmed - silent - in_time)
        self.agenda[_Due.MATURED, at] += admitted.astype(np.int32)
        self.agenda[_Due.BROKEN, at] += in_time.astype(np.int32)
        self.agenda[_Due.QUIET, at] += quiet.astype(np.int32)

"""What a whole policy costs: guards and brake on a ring of 200,000, at every true failure rate."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import sqrt

import numpy as np

from benchmarks.guards.chance import chance
from benchmarks.guards.policy import FLOOR, LONG_SLICES, POLICIES, RING, Policy
from benchmarks.guards.rollout import roll_out
from benchmarks.guards.table import Job, Table, percent, rate, vehicles
from campaign.brake import expected_harm

RATES = (0.001, 0.003, 0.005, 0.01, 0.02, 0.025, 0.03, 0.05, 0.2, 1.0)
#: From here on the brake promises something, and runs are short: there are five times as many.
PROMISED = 0.03
#: From here on there is something to stop.
_NEAR_LIMIT = 0.02
#: Runs at a time.
_BATCH = 200


@dataclass(frozen=True)
class Cell:
    """A policy at a rate; ``error`` is the standard error of ``harmed``, ``tail`` its 95th percentile."""

    policy: str
    rate: float
    chance: float
    harmed: float
    error: float
    tail: float
    hours: float


def jobs(runs: int) -> list[Job]:
    """All cells, those that take long first."""
    cells = [(policy, each) for each in RATES for policy in POLICIES]
    cells += [(policy, each) for each in RATES if each >= _NEAR_LIMIT for policy in LONG_SLICES]
    return [partial(harm, policy, each, runs * 5 if each >= PROMISED else runs) for policy, each in cells]


def harm(policy: Policy, true_rate: float, runs: int) -> list[Cell]:
    """One cell."""
    dice = chance("harm", policy.name, true_rate)
    sizes = [min(_BATCH, runs - start) for start in range(0, runs, _BATCH)]
    outcomes = [roll_out(policy, true_rate, RING, size, dice) for size in sizes]
    harmed = np.concatenate([outcome.harmed for outcome in outcomes])
    return [
        Cell(
            policy=policy.name,
            rate=true_rate,
            chance=float(np.concatenate([outcome.paused for outcome in outcomes]).mean()),
            harmed=float(harmed.mean()),
            error=float(harmed.std() / sqrt(runs)),
            tail=float(np.quantile(harmed, 0.95)),
            hours=float(np.concatenate([outcome.hours for outcome in outcomes]).mean()),
        )
    ]


def tables(cells: Sequence[Cell]) -> list[Table]:
    """Pauses, harm, hours, and whether the promise holds."""
    return [
        _by_rate("pauses", "Chance of a pause", cells, lambda cell: percent(cell.chance)),
        _by_rate(
            "harmed",
            "Harmed when stopped: mean (95th percentile)",
            cells,
            _harmed,
        ),
        _by_rate("hours", "Hours until the pause or the end", cells, lambda cell: vehicles(cell.hours)),
        _slices(cells),
        _promise(cells),
    ]


def _by_rate(key: str, title: str, cells: Sequence[Cell], words: Callable[[Cell], str]) -> Table:
    by_place = {(cell.policy, cell.rate): cell for cell in cells}
    rows = [[policy.name, *(words(by_place[policy.name, each]) for each in RATES)] for policy in POLICIES]
    return Table(key, title, ["policy", *map(rate, RATES)], rows)


def _harmed(cell: Cell) -> str:
    return f"{vehicles(cell.harmed)} ({cell.tail:,.0f})"


def _slices(cells: Sequence[Cell]) -> Table:
    silent = [policy for policy in POLICIES if any(policy.name in each.name for each in LONG_SLICES)]
    rates = [each for each in RATES if each >= _NEAR_LIMIT]
    by_place = {(cell.policy, cell.rate): cell for cell in cells}
    rows = [
        [policy.name, *(_harmed(by_place[policy.name, each]) for each in rates)]
        for policy in (*silent, *LONG_SLICES)
    ]
    title = "Longer slices of time: harmed when stopped, mean (95th percentile)"
    return Table("slices", title, ["policy", *map(rate, rates)], rows)


def _promise(cells: Sequence[Cell]) -> Table:
    rows = []
    for policy in POLICIES:
        if policy.budget is None:
            continue
        bound = expected_harm(policy.budget, FLOOR)
        mine = [cell for cell in cells if cell.policy == policy.name and cell.rate >= PROMISED]
        worst = max(mine, key=lambda cell: cell.harmed)
        broken = [cell for cell in mine if cell.harmed - 2 * cell.error > bound]
        answer = f"no, at {', '.join(rate(cell.rate) for cell in broken)}" if broken else "yes"
        harmed = f"{worst.harmed:.1f} ± {2 * worst.error:.1f}"
        rows.append([policy.name, str(bound), harmed, rate(worst.rate), answer])
    head = ["policy", "promised at most", "most harmed, mean", "at a true rate of", "holds"]
    return Table("promise", f"Expected harm at {rate(PROMISED)} and more", head, rows)

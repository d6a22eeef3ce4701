"""Time ticks in each mode with few reports and with many, and the opening of phases small and large.

Each size on a fresh server. The smaller one, a tenth, is there for the growth, before the large one and after
it: the machine's speed moves within minutes.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Annotated

import typer
from sqlalchemy import Engine

from benchmarks import targets
from benchmarks.fresh import fresh_database, settle
from benchmarks.kill_switch import cost
from benchmarks.sheet import RESULTS, Sheet
from benchmarks.ticking import reports
from benchmarks.ticking.ticks import LEASE, milliseconds, watch
from campaign.lifecycle import State
from campaign.supervision import Mode
from store import gate
from store.connect import connect, engine
from store.supervision import tick

#: Percent of the vehicles that have reported.
FEW, MANY = 1, 70
#: Reports of a phase between two ticks, where there are any: no count can be taken from the tick before.
FRESH = 10
#: The same of vehicles that began at any time in two weeks, one in so many of all: nearly each changes a
#: slice of its own.
LATE_ONE_IN = 1000
#: The same of a phase that reports as fast as a machine of two cores records it, from tick to tick: one in so
#: many of all, who began in the last hours.
CROWD_ONE_IN = 33
HOURS, HALF_A_WEEK = timedelta(hours=3), timedelta(days=3.5)
#: So often: there are no more who could report.
CROWD_TICKS, ALL_TICKS = 5, 3
#: What reports has other things in the caches of the processor, and a worker that has waited for it is slow
#: to begin with: it ticks another campaign first, so often.
OTHERS = 5
#: Of reports, of each kind: so many at the most, and one for so many vehicles.
GROUPS, GROUP_ONE_IN = 60, 4000


@dataclass(frozen=True)
class Taken:
    """Milliseconds of a tick by mode and reports, of one after reports in the last phase and in all of
    them, after late ones and after many in the last phase, after late ones in all of them, of the first
    after a gap in which so many slices became due, of a group of reports that is judged or not, and of
    opening the first and last phase."""

    ticks: dict[tuple[Mode, int], float]
    changed_phase: float
    changed_phases: float
    after_late: float
    after_crowd: float
    after_all: float
    after_gap: float
    slices: int
    judged: dict[str, float] | None
    first_phase: float
    last_phase: float
    configurations: int


def main(
    vehicles: Annotated[int, typer.Option(min=1000, help="Targets of the campaign.")] = 100_000,
    out: Annotated[Path, typer.Option(help="Where the figures go.")] = RESULTS / "ticking.json",
) -> None:
    """Measure ticks at a tenth of the size and at the size."""
    before, large, after = (measure(size) for size in (vehicles // 10, vehicles, vehicles // 10))
    sheet = Sheet(f"Ticks over {vehicles:,} targets, {large.configurations} configurations")
    for (mode, percent), taken in large.ticks.items():
        sheet.add(f"tick {mode.value}, {percent} % reported", taken, "ms", at_most=5)
    sheet.add(f"tick after {FRESH} reports in the last phase", large.changed_phase, "ms", at_most=5)
    sheet.add(f"tick after {FRESH} reports in each phase", large.changed_phases, "ms", at_most=5)
    late, crowd = vehicles // LATE_ONE_IN, vehicles // CROWD_ONE_IN
    sheet.add(f"tick after {late:,} reports from two weeks", large.after_late, "ms", at_most=5)
    sheet.add(f"tick after {crowd:,} reports from three hours", large.after_crowd, "ms", at_most=5)
    sheet.add(f"tick after {late:,} reports in each phase, from two weeks", large.after_all, "ms")
    sheet.add(f"tick after a gap of {large.slices:,} slices", large.after_gap, "ms")
    if large.judged:
        sheet.add(
            f"{cost.REPORTS} reports with a failure, judged; floor: not judged",
            large.judged[cost.JUDGED],
            "ms",
            floor=large.judged[cost.UNJUDGED],
            at_most=1.1,
        )
    busy = max(large.ticks.values())
    sheet.add(
        "slowest tick, beside a tenth of the vehicles",
        busy,
        "ms",
        floor=fmean(max(small.ticks.values()) for small in (before, after)),
        at_most=1.3,
    )
    few, many = vehicles // 1000, vehicles - vehicles // 4
    sheet.add(
        f"opening a phase of {many:,}, beside {few:,}",
        large.last_phase,
        "ms",
        floor=fmean((before.first_phase, after.first_phase)),
        at_most=1.3,
    )
    sheet.add(
        "opening it, beside a tenth of the vehicles",
        large.last_phase,
        "ms",
        floor=fmean((before.last_phase, after.last_phase)),
        at_most=1.3,
    )
    sheet.show()
    sheet.write(out)


def measure(vehicles: int) -> Taken:
    """Everything at one size."""
    with fresh_database() as url, connect(url) as connection:
        work = engine(url)
        targets.fill(connection, vehicles)
        targets.rival(connection, work, vehicles // 100)
        # One in 250 fails, a fifth of what stops it: a campaign in which all is well.
        guards = [{"metric": "failure_rate", "mode": "evidence", "limit": "0.02", "accept": "0.01"}]
        campaign = targets.start(work, targets.definition(connection, "Measured", guards=guards))
        settle(connection)
        with work.begin() as own:
            for each in (targets.RIVAL_ID, campaign):
                gate.open_gate(own, each, 1, State.ROLLING_OUT, LEASE, new_window=False)
        opened_first, opened_last = _open(work, campaign, 1), _open(work, campaign, len(targets.PHASES))
        calm = {}
        for percent in (FEW, MANY):
            reports.record(connection, campaign, percent)
            for mode in Mode:
                calm[mode, percent] = milliseconds(work, campaign, len(targets.PHASES), mode)
        last = len(targets.PHASES)
        late, crowd = max(1, vehicles // LATE_ONE_IN), vehicles // CROWD_ONE_IN
        more, waiting = (
            partial(how, connection, campaign) for how in (reports.record_more, reports.record_waiting)
        )
        in_last, in_all, after_late, after_crowd, after_all = (
            _after(reported, work, campaign, ticks)
            for reported, ticks in (
                (partial(more, last, FRESH), 30),
                (partial(more, 1, FRESH), 30),
                (partial(more, last, late), CROWD_TICKS),
                (partial(waiting, last, crowd, HOURS), CROWD_TICKS),
                (partial(waiting, 1, late, HALF_A_WEEK), ALL_TICKS),
            )
        )
        groups = min(GROUPS, vehicles // GROUP_ONE_IN)
        judged = asyncio.run(cost.measure(url, campaign, groups)) if groups else None
        reports.forget_matured(connection)
        after_gap = _once(work, campaign, last, Mode.ROLLING_OUT)
        slices = connection.execute("SELECT count(*) FROM matured").fetchone()
        row = connection.execute("SELECT count(*) FROM configuration").fetchone()
        shut = connection.execute("SELECT breach FROM campaign WHERE NOT gate_open").fetchall()
        if shut:
            raise RuntimeError(f"a guard has stopped what was to be measured: {shut}")
        work.dispose()
    return Taken(
        calm,
        in_last,
        in_all,
        after_late,
        after_crowd,
        after_all,
        after_gap,
        int(slices[0]) if slices else 0,
        judged,
        opened_first,
        opened_last,
        int(row[0]) if row else 0,
    )


def _after(reports: Callable[[], None], work: Engine, campaign: int, ticks: int) -> float:
    """Ticks with reports between them, and with ticks of another campaign."""

    def others() -> None:
        reports()
        milliseconds(work, targets.RIVAL_ID, 1, Mode.ROLLING_OUT, OTHERS)

    return milliseconds(work, campaign, len(targets.PHASES), Mode.ROLLING_OUT, ticks, others)


def _open(work: Engine, campaign: int, phase: int) -> float:
    """The tick that releases a phase; a tick before has prepared the statements."""
    milliseconds(work, campaign, phase, Mode.HOLDING, ticks=10)
    return _once(work, campaign, phase, Mode.ROLLING_OUT)


def _once(work: Engine, campaign: int, phase: int, mode: Mode) -> float:
    began = time.perf_counter()
    with work.begin() as own:
        tick(own, watch(campaign, phase, mode), LEASE)
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    typer.run(main)

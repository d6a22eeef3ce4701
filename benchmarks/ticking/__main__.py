"""Time ticks in each mode with few reports and with many, and the opening of phases small and large.

Each size on a fresh server. The smaller one, a tenth, is there for the growth, before the large one and after
it: the machine's speed moves within minutes.
"""

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Annotated

import typer
from sqlalchemy import Engine

from benchmarks import targets
from benchmarks.fresh import fresh_database, settle
from benchmarks.sheet import RESULTS, Sheet
from benchmarks.ticking import reports
from benchmarks.ticking.ticks import LEASE, milliseconds, watch
from campaign.lifecycle import State
from campaign.supervision import Mode
from store import gate
from store.connect import Connection, connect, engine
from store.supervision import tick

#: Percent of the vehicles that have reported.
FEW, MANY = 1, 70
#: Reports of a phase between two ticks, where there are any: no count can be taken from the tick before.
FRESH = 10
#: The same of a fleet that reports as fast as it can: one in so many of all targets, for so many ticks. They
#: began at any time in two weeks, so nearly each of them changes a slice of its own.
CROWD_ONE_IN, CROWD_TICKS = 1000, 7


@dataclass(frozen=True)
class Taken:
    """Milliseconds of a tick by mode and reports, of one after reports in the last phase and in all of them,
    after many in the last phase, of the first after a gap in which so many slices became due, and of opening
    the first and last phase."""

    ticks: dict[tuple[Mode, int], float]
    changed_phase: float
    changed_phases: float
    after_crowd: float
    after_gap: float
    slices: int
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
    crowd = vehicles // CROWD_ONE_IN
    sheet.add(f"tick after {crowd:,} reports in the last phase", large.after_crowd, "ms", at_most=5)
    sheet.add(f"tick after a gap of {large.slices:,} slices", large.after_gap, "ms")
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
        # The harm done here is no subject: nobody stops at it.
        guards = [{"metric": "failure_rate", "mode": "evidence", "limit": "0.9", "accept": "0.4"}]
        campaign = targets.start(work, targets.definition(connection, "Measured", guards=guards))
        settle(connection)
        with work.begin() as own:
            gate.open_gate(own, campaign, 1, State.ROLLING_OUT, LEASE, new_window=False)
        opened_first, opened_last = _open(work, campaign, 1), _open(work, campaign, len(targets.PHASES))
        ticks = {}
        for percent in (FEW, MANY):
            reports.record(connection, campaign, percent)
            for mode in Mode:
                ticks[mode, percent] = milliseconds(work, campaign, len(targets.PHASES), mode)
        last = len(targets.PHASES)
        in_last, in_all = (_after_reports(work, connection, campaign, first) for first in (last, 1))
        crowd = partial(reports.record_more, connection, campaign, last, max(1, vehicles // CROWD_ONE_IN))
        after_crowd = milliseconds(work, campaign, last, Mode.ROLLING_OUT, CROWD_TICKS, before_each=crowd)
        reports.forget_matured(connection)
        after_gap = _once(work, campaign, last, Mode.ROLLING_OUT)
        slices = connection.execute("SELECT count(*) FROM matured").fetchone()
        row = connection.execute("SELECT count(*) FROM configuration").fetchone()
        work.dispose()
    return Taken(
        ticks,
        in_last,
        in_all,
        after_crowd,
        after_gap,
        int(slices[0]) if slices else 0,
        opened_first,
        opened_last,
        int(row[0]) if row else 0,
    )


def _after_reports(work: Engine, connection: Connection, campaign: int, first: int) -> float:
    """Ticks with reports between them in every phase from this one on."""
    more = partial(reports.record_more, connection, campaign, first, FRESH)
    return milliseconds(work, campaign, len(targets.PHASES), Mode.ROLLING_OUT, before_each=more)


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

"""Preview, register and select as the product does, and insert the same rows raw.

Each size on a fresh server; the smaller one, a tenth, is there for the growth. The campaign is decided on by
model, region, ECUs, versions and another campaign's vehicles.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Engine

from benchmarks import targets
from benchmarks.fresh import fresh_database, settle
from benchmarks.selecting import raw
from benchmarks.sheet import RESULTS, Sheet
from benchmarks.ticking.ticks import watch
from campaign.definition import Definition
from campaign.lifecycle import State
from campaign.supervision import Mode
from store import gate, supervision
from store.admission import admit
from store.campaigns import check_against_fleet, register, resolve_package, select_targets
from store.connect import Connection, connect, engine
from store.forecast import forecast, skipped
from store.group import connect_for_groups, group_transaction

LEASE = timedelta(minutes=5)
ONE = "SELECT vehicle_id FROM assignment WHERE campaign_id = %s AND phase = 1 LIMIT 1"


@dataclass
class Taken:
    """Seconds by what was done."""

    seconds: dict[str, float] = field(default_factory=dict)
    configurations: int = 0

    @contextmanager
    def taking(self, what: str) -> Iterator[None]:
        """Measure a block."""
        began = time.perf_counter()
        yield
        self.seconds[what] = time.perf_counter() - began

    def __getitem__(self, what: str) -> float:
        return self.seconds[what]


def main(
    vehicles: Annotated[int, typer.Option(min=1000, help="Targets of the campaign.")] = 100_000,
    out: Annotated[Path, typer.Option(help="Where the figures go.")] = RESULTS / "selecting.json",
) -> None:
    """Measure selections at a tenth of the size and at the size."""
    small, large = measure(vehicles // 10), measure(vehicles)
    sheet = Sheet(f"Selection of {vehicles:,} targets, {large.configurations} configurations")
    sheet.add("selection", large["select"], "s", floor=large["raw"], at_most=1.8)
    sheet.add(
        "selection, beside the floor in an empty table", large["select"], "s", floor=large["raw, empty"]
    )
    sheet.add("selection, the same without its trigger", large["select"], "s", floor=large["raw, no trigger"])
    sheet.add("preview with all breakdowns", large["preview"], "s", at_most=10)
    sheet.add("registration, which counts the targets", large["register"], "s")
    # With one phase the same vehicles are taken: what later phases cost before the first offer.
    sheet.add(
        "selection, beside one with one phase", large["select"], "s", floor=large["select of one phase"]
    )
    for size, taken in (("", large), (", a tenth of the targets", small)):
        grown = taken["select"] / taken["select of one phase"]
        offer, alone = (
            taken["select" + phases] + taken["first offer" + phases] for phases in ("", " of one phase")
        )
        name = f"approved to first offer, four phases beside one{size}"
        sheet.add(name, offer, "s", floor=alone, at_most=max(1.0, grown) * 1.02)
        offer, alone = (1000 * taken["first offer" + phases] for phases in ("", " of one phase"))
        sheet.add(f"    of it after the gate was opened{size}", offer, "ms", floor=alone)
    for what in ("select", "preview"):
        each, before = (
            taken[what] / size * 1e6 for taken, size in ((large, vehicles), (small, vehicles // 10))
        )
        sheet.add(f"{what}, per vehicle", each, "us", floor=before, at_most=1.3)
    sheet.show()
    sheet.write(out)


def measure(vehicles: int) -> Taken:
    """Everything at one size."""
    taken = Taken()
    with fresh_database() as url, connect(url) as connection:
        work = engine(url)
        targets.fill(connection, vehicles + vehicles // targets.RIVAL_ONE_IN)
        targets.rival(connection, work, vehicles // targets.RIVAL_ONE_IN)
        settle(connection)
        with taken.taking("preview"):
            _preview(work, targets.definition(connection, "Previewed", phases=_phases(vehicles)))
        campaign = _select(url, connection, work, taken, vehicles, _phases(vehicles))
        row = connection.execute(
            "SELECT count(*) FROM configuration WHERE campaign_id = %s", [campaign]
        ).fetchone()
        taken.configurations = int(row[0]) if row else 0
        settle(connection)
        floors = raw.insert(connection, campaign)
        taken.seconds |= {
            "raw": floors.among_others,
            "raw, empty": floors.tallied,
            "raw, no trigger": floors.empty,
        }
        settle(connection)
        _select(url, connection, work, taken, vehicles, targets.PHASES[3:], " of one phase")
        work.dispose()
    return taken


def _phases(vehicles: int) -> list[dict[str, object]]:
    """The usual ones, the second of them by an exact count: a twentieth with those of the first."""
    return [targets.PHASES[0], {"rollout_count": vehicles // 25}, *targets.PHASES[2:]]


def _select(
    url: str,
    connection: Connection,
    work: Engine,
    taken: Taken,
    vehicles: int,
    phases: Sequence[dict[str, object]],
    named: str = "",
) -> int:
    """Select and open the gate `raw.TIMES`, each time without the rows of the last one, and keep what was
    quickest of each; the campaign that keeps its own."""
    campaign, each = 0, []
    for number in range(raw.TIMES):
        connection.execute("DELETE FROM assignment WHERE campaign_id > %s", [targets.RIVAL_ID])
        connection.execute("VACUUM FULL assignment")
        wanted = targets.definition(connection, f"Measured {number}{named}", phases=phases)
        now = Taken()
        with now.taking("register"), work.begin() as own:
            campaign = register(own, wanted, wanted.name, "run").campaign_id
        settle(connection)
        with now.taking("select"), work.begin() as own:
            sizes = select_targets(own, campaign)
        assert sum(sizes.values()) == vehicles, sizes
        now.seconds["first offer"] = asyncio.run(_first_offer(url, work, campaign))
        each.append(now)
    for what in ("register", "select", "first offer"):
        taken.seconds[what + named] = min(now[what] for now in each)
    return campaign


def _preview(work: Engine, wanted: Definition) -> None:
    """What ``starter.py preview`` asks."""
    with work.begin() as own:
        package = resolve_package(own, wanted)
        check_against_fleet(own, wanted, package)
        forecast(own, wanted, package)
        skipped(own, wanted, package)


async def _first_offer(url: str, work: Engine, campaign: int) -> float:
    """Seconds from the opening of the gate to the offer; the gateway is connected already."""
    async with await connect_for_groups(url) as connection:
        found = await (await connection.execute(ONE, [campaign])).fetchone()
        assert found is not None
        began = time.perf_counter()
        with work.begin() as own:
            gate.open_gate(own, campaign, 1, State.ROLLING_OUT, LEASE, new_window=False)
        with work.begin() as own:
            supervision.tick(own, watch(campaign, 1, Mode.ROLLING_OUT), LEASE)
        async with group_transaction(connection):
            assert await admit(connection, [found[0]])
        return time.perf_counter() - began


if __name__ == "__main__":
    typer.run(main)

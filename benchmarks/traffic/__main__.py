"""``python -m benchmarks.traffic``: polls and reports over HTTP beside a bare hello of the same server.

One gateway process and two, PostgreSQL and the vehicles, all on the same cores. The floor of polls is the
gateway's own server with an application that says hello, that of reports what pgbench inserts into the same
PostgreSQL, both in the same run. Beside each rate stands the processor time that the gateway spent on a
request, which other work on the machine hardly moves.
"""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import fleet
from benchmarks.launch import add_package
from benchmarks.pgbench import inserts_per_second
from benchmarks.processor import used
from benchmarks.requests import poll, report
from benchmarks.rollout import roll_out
from benchmarks.sheet import RESULTS, Sheet
from benchmarks.traffic import freshness
from benchmarks.traffic.client import CONNECTIONS, Seen, ask
from benchmarks.traffic.freshness import OFFER
from benchmarks.traffic.goosebit import VERSION, NotToBeHad, goosebit, introductions
from campaign.action import action_id
from commands.local import System, system
from runtime.processes import Child, answering, free_port
from runtime.settings import load_settings
from store.connect import Connection, connect

console = Console(stderr=True)

_TOKENS = "UPDATE vehicle SET token_hash = sha256(vin::bytea) WHERE model = %s"
_INSTALLING = f"UPDATE assignment SET {fleet.INSTALLING} WHERE campaign_id = %s"
_VINS = "SELECT vin FROM vehicle WHERE model = %s ORDER BY lot"
_SUCCEEDED = "SELECT count(*) FROM assignment WHERE campaign_id = %s AND state = 'succeeded'"

#: Each report waits for its commit: more connections than polls need keep two groups full, while as many
#: vehicles are answered.
REPORTING = 320

#: Vehicles that poll around the opening of a gate, each many times; as many on each connection, so that none
#: polls twice at once.
FEW = 16 * CONNECTIONS

#: The gateway is measured, not the brake.
NO_BRAKE = {"in_flight": 1_000_000, "harm_budget": None}


def main(
    vehicles: Annotated[
        int, typer.Option(min=REPORTING, help="Vehicles of each of four kinds; all are there from the start.")
    ] = 20_000,
    seconds: Annotated[float, typer.Option(help="How long each kind of poll is asked.")] = 5,
    compare: Annotated[bool, typer.Option(help="Also fetch goosebit and ask it the same.")] = True,
    out: Annotated[Path, typer.Option(help="Where the figures go.")] = RESULTS / "traffic.json",
) -> None:
    """Measure what a gateway serves."""
    sheet = Sheet("Traffic over HTTP")
    # Here a few connections stand for a fleet: a vehicle may come as often as they let it.
    os.environ["RINGMASTER_REQUESTS_PER_SECOND"] = "1000000"
    with tempfile.TemporaryDirectory(prefix="traffic-") as folder:
        settings = load_settings(data_dir=Path(folder), log_level="ERROR")
        with system(settings, port=free_port(), ui_port=free_port()) as running:
            os.environ.update(running.environment)
            with connect(running.database_url) as connection:
                add_package(connection, settings.artifacts)
                console.print(f"filling: {4 * vehicles} vehicles …")
                vins = {letter: _vins(connection, f"Model_{letter}", vehicles) for letter in "ABCD"}
                for processes, (idle, offered) in ((1, "AB"), (2, "CD")):
                    console.print(f"{processes} process(es) …")
                    campaign = roll_out(running.database_url, f"Model_{offered}", limits=NO_BRAKE)
                    connection.execute("VACUUM ANALYZE")
                    scene = Scene(sheet, running, connection, processes, seconds)
                    scene.play(vins[idle], vins[offered], campaign)
        if compare:
            _compare(sheet, Path(folder) / "goosebit", seconds)
    sheet.show()
    sheet.write(out)


def _compare(sheet: Sheet, folder: Path, seconds: float) -> None:
    """The same idle polls and reports to goosebit, on one process; few vehicles, it keeps a row for each."""
    vins = [f"GOOSE{number:012}" for number in range(200)]
    try:
        with goosebit(folder) as (port, pid):
            ask([port], [poll(vin) for vin in vins], connections=8)
            # One after the other: of several that bring the first word of a hardware all but one are answered
            # with 500, and its server closes a connection after that.
            ask([port], introductions(vins), connections=1)
            reports = [report(vin, 1, "proceeding", "none") for vin in vins]
            for what, requests in (("idle polls", [poll(vin) for vin in vins]), ("reports", reports)):
                with used([pid]) as processor:
                    seen = ask([port], requests, seconds=seconds)
                sheet.add(f"goosebit {VERSION}: {what}, 1 process", seen.per_second, "/s")
                sheet.add("    p99", 1000 * quantiles(seen.taken, n=100)[98], "ms")
                sheet.add("    processor time of the server", 1e6 * processor.total / len(seen.taken), "us")
                if set(seen.statuses) != {b"200"}:
                    raise RuntimeError(f"goosebit answered {seen.statuses}")
    except (NotToBeHad, ConnectionError) as reason:
        console.print(f"goosebit is left out: {reason}")


def _vins(connection: Connection, model: str, vehicles: int) -> list[str]:
    """New vehicles of a model, in random order."""
    fleet.fill(connection, model, vehicles)
    connection.execute(_TOKENS, [model])
    return [row[0] for row in connection.execute(_VINS, [model])]


def _told(vehicles: Sequence[str], action: int) -> list[bytes]:
    """What vehicles tell, one after the other on each connection: some three times that it goes on, and then
    that it has succeeded.

    As in a campaign under way a quarter of the reports are successes at any moment. Therefore the first
    vehicles of three quarters of the connections say some times more that it goes on, and the last ones of
    the others.
    """
    connections = []
    for place in range(REPORTING):
        mine = vehicles[place::REPORTING]
        times = [3] * len(mine)
        times[0] += place % 4
        times[-1] += 3 - place % 4
        connections.append(
            [
                report(vin, action, *said)
                for vin, goes_on in zip(mine, times, strict=True)
                for said in (*[("proceeding", "none")] * goes_on, ("closed", "success"))
            ]
        )
    return [each for at_once in zip(*connections, strict=True) for each in at_once]


class Scene:
    """A number of processes that serve, and what is asked of them in turn."""

    def __init__(
        self, sheet: Sheet, running: System, connection: Connection, processes: int, seconds: float
    ) -> None:
        self._sheet = sheet
        self._running = running
        self._connection = connection
        self._processes = processes
        self._seconds = seconds

    def play(self, idle: Sequence[str], offered: Sequence[str], campaign: int) -> None:
        """All figures for these vehicles: some have nothing to expect, to others an update is offered."""
        with self._serving("benchmarks.traffic.hello") as hellos:
            ask(hellos.ports, [poll(vin) for vin in idle], seconds=self._seconds)
            hello = self._measured(hellos, "hello", [poll(vin) for vin in idle], b"hello")
        with self._serving("gateway") as gateways:
            polls = [poll(vin) for vin in idle]
            self._measured(gateways, "idle polls, the first of each vehicle", polls, b"sleep", once=True)
            self._measured(gateways, "idle polls", polls, b"sleep", floor=hello, at_least=0.5)
            polls = [poll(vin) for vin in offered]
            self._freshness(gateways, polls[:FEW], campaign)
            self._measured(gateways, "polls that are admitted", polls, OFFER, once=True)
            self._measured(gateways, "polls with an offer", polls, OFFER, floor=hello, at_least=0.2)
            self._report(gateways, offered, campaign)

    def _freshness(self, gateways: "Servers", polls: Sequence[bytes], campaign: int) -> None:
        def ask_all(seconds: float) -> Seen:
            return ask(gateways.ports, polls, seconds=seconds, wanted=OFFER)

        found = freshness.measure(self._running.database_url, campaign, ask_all, self._seconds)
        if not (found.while_open and found.after_shut):
            raise RuntimeError(f"nobody polled while the gate was open, or after it: {found}")
        self._sheet.add(self._named("polls sent after a gate's opening"), found.while_open)
        self._sheet.add("    answered as before it", found.without_offer, at_most=0)
        self._sheet.add(self._named("polls sent after its shut"), found.after_shut)
        self._sheet.add("    answered as before it", found.with_offer, at_most=0)

    def _report(self, gateways: "Servers", vehicles: Sequence[str], campaign: int) -> None:
        self._connection.execute(_INSTALLING, [campaign])
        self._connection.execute("VACUUM ANALYZE assignment")
        # As many on each connection: then what a vehicle says goes over one, in its order.
        vehicles = vehicles[: len(vehicles) // REPORTING * REPORTING]
        before = self._inserts_per_second()

        def floor() -> float:
            found = (before + self._inserts_per_second()) / 2
            self._sheet.add(self._named("pgbench inserts, before and after"), found, "/s")
            return found

        story = _told(vehicles, action_id(campaign, 1))
        self._measured(
            gateways, "reports", story, b"200 OK", once=True, floor=floor, at_least=0.5, most_ms=50
        )
        told = self._connection.execute(_SUCCEEDED, [campaign]).fetchone()
        if told != (len(vehicles),):
            raise RuntimeError(f"{len(vehicles)} successes were acknowledged and {told} are in the database")

    def _inserts_per_second(self) -> float:
        return inserts_per_second(self._running.database_url, max(1, round(self._seconds)))

    def _measured(
        self,
        servers: "Servers",
        what: str,
        requests: Sequence[bytes],
        wanted: bytes,
        *,
        once: bool = False,
        floor: float | Callable[[], float] | None = None,
        at_least: float | None = None,
        most_ms: float | None = None,
    ) -> float:
        """Ask, and keep the figures; all answers must be 200 and hold what is wanted. Answers per second."""
        connections = REPORTING if most_ms else CONNECTIONS
        with used(servers.pids) as processor:
            seen = ask(
                servers.ports, requests, seconds=None if once else self._seconds, wanted=wanted,
                connections=connections,
            )  # fmt: skip
        if not all(seen.had) or set(seen.statuses) != {b"200"}:
            raise RuntimeError(f"{what}: {seen.statuses}, {sum(seen.had)} of {len(seen.had)} as wanted")
        if callable(floor):
            floor = floor()
        cuts = [1000 * cut for cut in quantiles(seen.taken, n=100)]
        self._sheet.add(self._named(what), seen.per_second, "/s", floor=floor, at_least=at_least)
        self._sheet.add(f"    p50 of {connections} connections", cuts[49], "ms")
        self._sheet.add("    p99", cuts[98], "ms", at_most=most_ms)
        self._sheet.add("    processor time of the server", 1e6 * processor.total / len(seen.taken), "us")
        return seen.per_second

    def _named(self, what: str) -> str:
        return f"{what}, {self._processes} process{'es' * (self._processes > 1)}"

    @contextmanager
    def _serving(self, module: str) -> Iterator["Servers"]:
        """As many processes of a module, each on a port of its own."""
        children: list[Child] = []
        ports = [free_port() for _ in range(self._processes)]
        for port in ports:
            command = [sys.executable, "-m", module]
            environment = {**self._running.environment, "RINGMASTER_GATEWAY_PORT": str(port)}
            ready = answering(f"http://127.0.0.1:{port}/health")
            name = f"{module}-{port}"
            children.append(self._running.processes.start(name, command, env=environment, ready=ready))
        yield Servers(ports, [child.pid for child in children])
        for child in children:
            child.stop()


@dataclass(frozen=True)
class Servers:
    """Processes that serve alike."""

    ports: Sequence[int]
    pids: Sequence[int]


if __name__ == "__main__":
    typer.run(main)

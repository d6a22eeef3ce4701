"""What a vehicle does: a pure function of its record, the seed and the script. No I/O, no clock."""

from collections.abc import Mapping
from dataclasses import dataclass

from simulator.chance import lot
from simulator.faults import Kind, Rule, Script, Where
from simulator.record import Record

DOWNLOAD_SECONDS = (1.0, 3.0)  # of simulated vehicle time, before the pace divides it
INSTALL_SECONDS = (2.0, 6.0)
JITTER = 0.1  # a vehicle polls up to 5 % earlier or later than asked, always by the same amount

# What a fault says when its rule does not. The codes are this fleet's own; DDI gives them no meaning.
WORDS: Mapping[Kind, tuple[int, str]] = {
    Kind.DEFER: (3001, "battery_12v 11.4 V"),
    Kind.DOWNLOAD_FAIL: (4101, "download failed: storage full"),
    Kind.FAIL: (4201, "flash verification failed: block 17"),
    Kind.FAIL_AFTER_SUCCESS_POLL: (4202, "failed after success was reported: watchdog reset"),
    Kind.CRITICAL: (4401, "no brake assist after restart"),
    Kind.ROLLBACK: (4301, "self test failed after restart"),
    Kind.FALSE_SUCCESS: (200, "Skipped Update."),
    Kind.BRICK: (0, "never sent"),
}
PREFIXES: Mapping[Kind, str] = {
    Kind.DEFER: "deferred: ",
    Kind.ROLLBACK: "rolled back: ",
    Kind.CRITICAL: "critical: ",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong in one update, in the words the vehicle will use."""

    kind: Kind
    code: int
    message: str


@dataclass(frozen=True, slots=True)
class Plan:
    """How one update will go on one vehicle; seconds are real, the pace is in them."""

    fault: Fault | None
    download_seconds: float
    install_seconds: float
    drops_connection: bool
    sends_twice: bool
    repeats_late: bool


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One vehicle's habits. `pace` divides its working time, `spread_seconds` is the span of first polls."""

    record: Record
    seed: int
    script: Script
    pace: float = 1.0
    spread_seconds: float = 5.0

    def first_poll_seconds(self) -> float:
        """How long after its start the vehicle polls for the first time."""
        return self._draw("first poll") * self.spread_seconds

    def poll_seconds(self, asked: float) -> float:
        """The vehicle's own poll interval when the server asked for `asked` seconds."""
        return asked * (1 + JITTER * (self._draw("jitter") - 0.5))

    def owner(self) -> str:
        """What the owner says when asked: confirmed, denied or postponed, always the same."""
        lot, script = self._draw("owner"), self.script
        if lot < script.denials:
            return "denied"
        return "postponed" if lot < script.denials + script.postponements else "confirmed"

    def plan(self, update: Mapping[str, str], struck: int) -> Plan:
        """How the update (ECU to new version) goes, when faults have struck it `struck` times already."""
        script = self.script
        return Plan(
            fault=self._fault(update, struck),
            download_seconds=self._between(DOWNLOAD_SECONDS, "download") / self.pace,
            install_seconds=self._between(INSTALL_SECONDS, "install") / self.pace,
            drops_connection=self._draw("drop") < script.dropped_downloads,
            sends_twice=self._draw("twice") < script.duplicate_reports,
            repeats_late=self._draw("late") < script.out_of_order,
        )

    def _fault(self, update: Mapping[str, str], struck: int) -> Fault | None:
        for number, rule in enumerate(self.script.rules):
            if matches(rule.where, self.record, update) and self._draw(f"rule {number}") < rule.share:
                return fault(rule) if struck < times(rule) else None
        return None

    def _draw(self, about: str) -> float:
        return lot(self.seed, self.record.vin, about)

    def _between(self, limits: tuple[float, float], about: str) -> float:
        low, high = limits
        return low + (high - low) * self._draw(about)


def matches(where: Where, record: Record, update: Mapping[str, str]) -> bool:
    """Whether the rule is about this vehicle and an ECU that this update writes."""
    if where.model not in (None, record.model) or where.country not in (None, record.country):
        return False
    if where.ecu is None and where.hw_id is None:
        return True
    return any(
        ecu.name in update and where.ecu in (None, ecu.name) and where.hw_id in (None, ecu.hw_id)
        for ecu in record.ecus
    )


def times(rule: Rule) -> float:
    """How often the rule strikes the same vehicle with the same update."""
    if rule.times is not None:
        return rule.times
    return 1 if rule.kind is Kind.DEFER else float("inf")


def fault(rule: Rule) -> Fault:
    """The rule in the vehicle's words: with its kind's code and message where it gives none."""
    code, message = WORDS[rule.kind]
    message = rule.message or message
    prefix = PREFIXES.get(rule.kind, "")
    return Fault(
        kind=rule.kind,
        code=code if rule.code is None else rule.code,
        message=message if message.startswith(prefix) else prefix + message,
    )

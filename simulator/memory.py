"""What a vehicle keeps through a power cycle."""

from dataclasses import dataclass, field

from simulator.phase import Phase


@dataclass(slots=True)
class Closing:
    """The closing report of one action, at `timestamp` (ms since 1970).

    `outcome` is SUCCEEDED, FAILED, ROLLED_BACK or CRITICAL. `answer` is the HTTP status that settled it (200:
    acknowledged), None as long as it is owed.
    """

    action: str
    outcome: Phase
    code: int
    message: str
    timestamp: int
    answer: int | None = None


@dataclass(slots=True)
class Memory:
    """The vehicle's own truth, which no report can change.

    `installed` maps ECU to version where it differs from the factory's; `flashes` counts finished
    installations and `struck` the faults that hit, both per update ("Radar 1.4.0").
    """

    installed: dict[str, str] = field(default_factory=dict)
    flashes: dict[str, int] = field(default_factory=dict)
    struck: dict[str, int] = field(default_factory=dict)
    closing: Closing | None = None
    bricked: bool = False

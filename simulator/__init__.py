"""A simulated vehicle fleet that speaks hawkBit's DDI v1 over real HTTP, seeded, with faults by script.

It knows only the protocol and imports nothing else of this project, so that it can judge the gateway from
outside. `asbuilt` makes a fleet, `faults` says what goes wrong, `Fleet` drives it; `python -m simulator`
does the same from a shell.
"""

from simulator.asbuilt import as_built
from simulator.clock import Clock
from simulator.faults import BUILT_IN, Kind, Rule, Script, Where
from simulator.fleet import Fleet
from simulator.memory import Closing, Memory
from simulator.phase import Phase
from simulator.record import Record

__all__ = [
    "BUILT_IN",
    "Clock",
    "Closing",
    "Fleet",
    "Kind",
    "Memory",
    "Phase",
    "Record",
    "Rule",
    "Script",
    "Where",
    "as_built",
]

"""What a vehicle says of its single ECUs, in the details of a report.

A line such as ``ecu=Radar result=failure version=1.4.0 code=17 no heartbeat``: ``ecu`` first and ``result``
(``success`` or ``failure``) are needed, ``version`` and ``code`` may follow; what comes after is text for
people. Any other line is text, and of no ECU.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_LINE = re.compile(
    r"ecu=(?P<ecu>\S{1,100}) result=(?P<result>success|failure)"
    r"(?: version=(?P<version>\S{1,100}))?(?: code=(?P<code>-?\d{1,9}))?(?: (?P<text>.*))?",
    re.DOTALL,
)


@dataclass(frozen=True)
class EcuResult:
    """What became of one ECU, by the vehicle's own words."""

    ecu: str
    succeeded: bool
    version: str | None = None
    code: int | None = None
    text: str = ""

    def __str__(self) -> str:
        """The line it is read from."""
        result = f"ecu={self.ecu} result={'success' if self.succeeded else 'failure'}"
        version = "" if self.version is None else f" version={self.version}"
        code = "" if self.code is None else f" code={self.code}"
        return f"{result}{version}{code}" + (f" {self.text}" if self.text else "")


def read_ecu_results(details: Iterable[str]) -> list[EcuResult]:
    """The results in some details, in their order; lines that are none are left out."""
    return [
        EcuResult(
            ecu=found["ecu"],
            succeeded=found["result"] == "success",
            version=found["version"],
            code=None if found["code"] is None else int(found["code"]),
            text=found["text"] or "",
        )
        for line in details
        if (found := _LINE.fullmatch(line.strip())) is not None
    ]


def still_failed(before: Iterable[str], now: Iterable[str]) -> list[str]:
    """The lines said ``before`` by which an ECU failed, and of which nothing is said ``now``."""
    named = latest(read_ecu_results(now))
    known = latest(read_ecu_results(before)).values()
    return [str(result) for result in known if not result.succeeded and result.ecu not in named]


def latest(results: Iterable[EcuResult]) -> dict[str, EcuResult]:
    """The last word on each ECU."""
    return {result.ecu: result for result in results}

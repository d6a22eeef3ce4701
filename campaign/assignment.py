"""One target's way through a campaign: its states, the events that move it, and what a report means.

Rules, in order: a terminal state moves only by a correcting report (a success or failure after ``silent`` or
``expired``), and a success where the vehicle's own configuration contradicts it; nothing moves backwards by a
late or repeated report; a claim of success without all artifacts fetched, or with an ECU that failed, is no
success; only an outcome that is known counts as an attempt. The state a failure ends in is its class.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from pydantic import Field

from campaign.ecu_results import latest, read_ecu_results
from campaign.model import Message


class Target(StrEnum):
    """The states of an assignment."""

    PENDING = "pending"
    OFFERED = "offered"
    DOWNLOADING = "downloading"
    INSTALLING = "installing"
    DEFERRED = "deferred"
    STALLED = "stalled"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"
    SILENT = "silent"
    CRITICAL = "critical"
    DOWNLOAD_FAILED = "download_failed"
    NOT_APPLICABLE = "not_applicable"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    EXCLUDED = "excluded"


#: Waiting for its offer; holds no slot. A stalled one began a download and went quiet: a vehicle that sleeps,
#: a network that hangs, or one that installed without a word and did not come back.
OPEN = frozenset({Target.PENDING, Target.DEFERRED, Target.STALLED})
#: Holds a slot of the in-flight cap.
IN_FLIGHT = frozenset({Target.OFFERED, Target.DOWNLOADING, Target.INSTALLING})
#: Began: stopped only by the cancel handshake.
STARTED = frozenset({Target.DOWNLOADING, Target.INSTALLING})
#: May begin.
WAITING = OPEN | {Target.OFFERED}
#: Began to install and did not end well; the vehicle may be harmed.
HARMED = frozenset({Target.FAILED, Target.ROLLED_BACK, Target.SILENT, Target.CRITICAL})
#: All that did not end well; a download that failed harms no vehicle.
FAILURES = HARMED | {Target.DOWNLOAD_FAILED}
#: What did not go well, as far as is known: guards watch for it.
BAD = FAILURES | {Target.STALLED}
#: Has an outcome; the denominator of the failure rate.
ATTEMPTS = FAILURES | {Target.SUCCEEDED}
#: Is over.
TERMINAL = ATTEMPTS | {Target.NOT_APPLICABLE, Target.CANCELLED, Target.EXPIRED, Target.EXCLUDED}


class Happening(StrEnum):
    """What may happen to an assignment."""

    ADMIT = "admit"
    WITHDRAW = "withdraw"
    FETCH = "fetch"
    PROGRESS = "progress"
    INSTALL = "install"
    DEFER = "defer"
    SUCCEED = "succeed"
    FAIL = "fail"
    FAIL_DOWNLOAD = "fail_download"
    ROLL_BACK = "roll_back"
    HARM = "harm"
    CANCEL = "cancel"
    FALL_SILENT = "fall_silent"
    STALL = "stall"
    EXPIRE = "expire"
    OUTDATE = "outdate"
    EXCLUDE = "exclude"
    CONTRADICT = "contradict"
    NOTE = "note"


def _ways() -> dict[tuple[Target, Happening], Target]:
    outcomes = {
        Happening.SUCCEED: Target.SUCCEEDED,
        Happening.FAIL: Target.FAILED,
        Happening.ROLL_BACK: Target.ROLLED_BACK,
        Happening.HARM: Target.CRITICAL,
        Happening.FAIL_DOWNLOAD: Target.DOWNLOAD_FAILED,
    }
    ways = {(state, event): end for state in STARTED for event, end in outcomes.items()}
    # A failure before the first sign of a start is still this attempt's outcome.
    ways |= {
        (Target.OFFERED, event): end for event, end in outcomes.items() if event is not Happening.SUCCEED
    }
    # The truth may come late: such a report corrects what time had concluded, and tells the outcome of an
    # attempt that had gone quiet or was deferred (store/outcome.py asks that it had begun).
    late = (Target.SILENT, Target.EXPIRED, *OPEN)
    ways |= {(state, event): end for state in late for event, end in outcomes.items()}
    # Whoever had begun to install has not merely failed to download, whatever it says.
    ways |= {(state, Happening.FAIL_DOWNLOAD): Target.FAILED for state in (Target.INSTALLING, Target.SILENT)}
    ways |= {(state, Happening.EXCLUDE): Target.EXCLUDED for state in OPEN | IN_FLIGHT}
    ways |= {(state, Happening.OUTDATE): Target.NOT_APPLICABLE for state in OPEN}
    ways |= {(state, Happening.ADMIT): Target.OFFERED for state in OPEN}
    ways |= {(state, Happening.DEFER): Target.DEFERRED for state in IN_FLIGHT}
    ways |= {(state, Happening.CANCEL): Target.CANCELLED for state in IN_FLIGHT}
    ways |= {
        (state, Happening.EXPIRE): Target.EXPIRED for state in OPEN | {Target.OFFERED, Target.DOWNLOADING}
    }
    ways |= {
        (Target.OFFERED, Happening.WITHDRAW): Target.PENDING,
        (Target.OFFERED, Happening.FETCH): Target.DOWNLOADING,
        (Target.OFFERED, Happening.PROGRESS): Target.DOWNLOADING,
        (Target.DOWNLOADING, Happening.INSTALL): Target.INSTALLING,
        (Target.DOWNLOADING, Happening.STALL): Target.STALLED,
        (Target.INSTALLING, Happening.FALL_SILENT): Target.SILENT,
        # It was claimed and never so: no outcome, and offered again.
        (Target.SUCCEEDED, Happening.CONTRADICT): Target.DEFERRED,
    }
    return ways


TRANSITIONS: Mapping[tuple[Target, Happening], Target] = _ways()


def after(state: Target, event: Happening) -> Target:
    """The state that follows; the same state where the event says nothing new (late, repeated, foreign)."""
    return TRANSITIONS.get((state, event), state)


class Said(NamedTuple):
    """What a vehicle said of one action, in the words of the protocol."""

    execution: str
    finished: str
    code: int | None = None
    details: tuple[str, ...] = ()


#: Vehicles name their own rollback at the beginning of a message; the protocol has no word for it.
ROLLED_BACK_PREFIX = "rolled back"
#: Nor for a vehicle that cannot be driven or has lost a safety function.
CRITICAL_PREFIX = "critical"
#: Nor for a download that was given up. A failure that does not say so counts as one of the installation: a
#: client may have written all of the payload before it finds that the hash is wrong.
DOWNLOAD_FAILED_PREFIXES = ("download failed", "failed to download")
#: An update client that was told to skip closes the action with success all the same.
SKIPPED = "Skipped Update."


def meaning(said: Said, *, fetched: bool, complete: bool = True) -> Happening:
    """The event behind a report.

    Args:
        said: the report.
        fetched: whether this vehicle was seen to fetch an artifact of this action.
        complete: whether it was seen to fetch those of all ECUs.
    """
    if said.execution == "closed":
        # Success means all of it: one ECU that failed makes it a failure, whatever is claimed of the whole.
        if said.finished == "failure" or _some_ecu_failed(said):
            return _failure(said)
        proven = fetched and complete and not _skipped(said)
        return Happening.SUCCEED if proven else Happening.DEFER
    if said.execution == "rejected":
        return Happening.DEFER
    if said.execution in ("download", "downloaded", "scheduled"):
        # Who has been told to install at night waits, and has not begun.
        return Happening.PROGRESS
    if said.execution in ("proceeding", "resumed"):
        return Happening.INSTALL if fetched else Happening.PROGRESS
    return Happening.NOTE


def _skipped(said: Said) -> bool:
    return any(_plain(text) == _PLAIN_SKIPPED for text in said.details)


def _plain(text: str) -> str:
    return text.strip().rstrip(".").lower()


_PLAIN_SKIPPED = _plain(SKIPPED)


def _some_ecu_failed(said: Said) -> bool:
    return any(not result.succeeded for result in latest(read_ecu_results(said.details)).values())


def _failure(said: Said) -> Happening:
    """The class of a failure, from the vehicle's own words; the gravest wins."""
    texts = [text.lower().lstrip() for text in said.details]
    for prefixes, event in (
        (CRITICAL_PREFIX, Happening.HARM),
        (ROLLED_BACK_PREFIX, Happening.ROLL_BACK),
        (DOWNLOAD_FAILED_PREFIXES, Happening.FAIL_DOWNLOAD),
    ):
        if any(text.startswith(prefixes) for text in texts):
            return event
    return Happening.FAIL


class Tally(Message):
    """How many assignments are in each state; states without any are absent."""

    by_state: dict[Target, int] = Field(default_factory=dict)

    def of(self, states: frozenset[Target]) -> int:
        """How many are in one of these states."""
        found = 0
        for state, count in self.by_state.items():
            if state in states:
                found += count
        return found

    @property
    def size(self) -> int:
        return sum(self.by_state.values())

    def __add__(self, other: "Tally") -> "Tally":
        states = self.by_state.keys() | other.by_state.keys()
        return Tally(
            by_state={state: self.by_state.get(state, 0) + other.by_state.get(state, 0) for state in states}
        )


#: Of no vehicle.
NO_VEHICLE = Tally()

"""Why the vehicles of a campaign have no offer, in words for people: how many, why, until when, what to do.

Rules: reasons are told the most frequent first, phases together; a campaign in which nobody is under way says
so; what was counted a while ago says when; no sentence names a vehicle.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Self

from campaign.assignment import IN_FLIGHT, Tally, Target
from campaign.deferral import DeferralReason
from campaign.model import Message
from campaign.permission import Answer

#: Nothing bars them: they are offered the update when they poll and there is room.
READY = "ready"

#: More reasons than these would hide the first ones.
MOST_REASONS = 5

_OTHERS = "others for other reasons: `starter.py waiting` has all"
_NOTHING = "nothing to do"
_GOES_ON = "the phase's deadline ends the wait"

#: What is said of the vehicles of a reason, how their time is introduced, and what an operator can do.
_SAID: Mapping[str, tuple[str, str, str]] = {
    READY: ("free to begin when they poll and a slot is free", "", _NOTHING),
    Answer.OUTSIDE_WINDOW: ("outside their install window", "the next opens at", _NOTHING),
    Answer.UNCONFIRMED: (
        "without their owners' answer",
        "",
        "many for days: see whether the client speaks confirmationBase",
    ),
    Answer.POSTPONED: ("put off by their owners", "the first is asked again at", _NOTHING),
    Answer.DENIED: ("refused by their owners", "", _GOES_ON),
    Answer.UNWANTED: ("whose owners want recalls only", "", _GOES_ON),
    Answer.ZONE_UNKNOWN: ("without a known time zone", "", "import them with timezone"),
    DeferralReason.UNPROVEN: (
        "put off after a success they could not prove",
        "the first is offered it again at",
        "look at the client",
    ),
}


class Waiting(Message):
    """So many vehicles of a phase wait for one reason; ``state`` is pending or deferred.

    ``value`` is what most of them measured, ``next`` when the first of them may be offered the update again.
    """

    phase: int
    state: Target
    reason: str
    vehicles: int
    value: str | None = None
    next: datetime | None = None

    @property
    def sentence(self) -> str:
        """How many, why, until when, and what can be done."""
        deferred = f"put off: {self.reason.replace('_', ' ')}"
        deferred += f", mostly {self.value}" if self.value else ""
        why, until, cure = _SAID.get(self.reason, (deferred, "the first is offered it again at", _NOTHING))
        time = f", {until} {self.next:%Y-%m-%d %H:%M} UTC" if until and self.next is not None else ""
        return f"{self.vehicles} {why}{time} ({cure})"


def together(parts: Iterable[Waiting]) -> list[Waiting]:
    """One for each phase, state and reason, with the earliest time; the most frequent first."""
    sums: dict[tuple[int, Target, str], Waiting] = {}
    for part in parts:
        key = (part.phase, part.state, part.reason)
        known = sums.get(key)
        sums[key] = part if known is None else _sum(known, part)
    return sorted(sums.values(), key=lambda each: (-each.vehicles, each.phase, each.reason))


def _sum(one: Waiting, other: Waiting) -> Waiting:
    times = [time for time in (one.next, other.next) if time is not None]
    larger = max(one, other, key=lambda each: each.vehicles)
    counted = {"vehicles": one.vehicles + other.vehicles, "next": min(times, default=None)}
    return larger.model_copy(update=counted)


class Waits(Message):
    """Why the vehicles of the released phases waited when they were last counted, and when that was."""

    at: datetime
    sentences: tuple[str, ...] = ()

    @classmethod
    def of(cls, at: datetime, found: Sequence[Waiting]) -> Self:
        """What is said of these vehicles, whatever their phase."""
        kinds = together(each.model_copy(update={"phase": 0}) for each in found)
        said = [kind.sentence for kind in kinds[:MOST_REASONS]]
        left = sum(kind.vehicles for kind in kinds[MOST_REASONS:])
        return cls(at=at, sentences=(*said, f"{left} for other reasons") if left else tuple(said))

    def first(self, most: int) -> Self:
        """The same with so many sentences at the most, where there is no room for all."""
        if most >= len(self.sentences):
            return self
        return self.model_copy(update={"sentences": (*self.sentences[:most], _OTHERS)})


def told(tally: Tally, waits: Waits | None) -> str:
    """Why vehicles wait, and whether the campaign stands still for it; empty where nothing is known.

    Args:
        tally: the phases that are released.
        waits: why their vehicles wait, as last counted.
    """
    reasons = list(waits.sentences) if waits is not None else []
    counted = f" (counted at {waits.at:%H:%M:%S} UTC)" if waits is not None and reasons else ""
    stalled = tally.by_state.get(Target.STALLED, 0)
    if stalled:
        reasons.append(f"{stalled} whose download went quiet, offered again when they poll ({_NOTHING})")
    if not reasons:
        return ""
    still = "" if tally.of(IN_FLIGHT) else "nobody is under way; "
    return f"{still}waiting{counted}: {'; '.join(reasons)}"

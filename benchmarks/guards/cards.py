"""Each standard guard as a card: how many failures pause how many vehicles, and how rarely it errs."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from benchmarks.guards.exact import exposure
from benchmarks.guards.exposure import instant
from benchmarks.guards.table import Job, Table, percent, rate, vehicles
from campaign.guards import STANDARD_GUARDS, Guard, Rule

#: The ring in which a fleet exactly at the accepted rate is watched.
RING = 20_000
RATES = (0.05, 0.1, 0.2, 0.5)


@dataclass(frozen=True)
class Card:
    """``steps``: so many failures pause up to so many vehicles; from there on the limit alone decides."""

    guard: str
    accept: float
    limit: float
    steps: tuple[tuple[int, int], ...]
    false_pause: float
    vehicles: tuple[float, ...]


def jobs() -> list[Job]:
    """One per guard that judges by evidence."""
    return [partial(card, guard) for guard in STANDARD_GUARDS if guard.mode is Rule.EVIDENCE]


def card(guard: Guard) -> list[Card]:
    """The card of a guard."""
    stairs = instant(guard, RING)
    bare = instant(guard.model_copy(update={"mode": Rule.THRESHOLD}), RING)
    stricter = [k for k in range(len(bare.last)) if k <= stairs.last[k] < bare.last[k]]
    pauses = exposure(stairs, (float(guard.accept), *RATES), RING)
    return [
        Card(
            guard=guard.name,
            accept=float(guard.accept),
            limit=float(guard.limit),
            steps=tuple((k, int(stairs.last[k])) for k in stricter),
            false_pause=pauses[0].chance,
            vehicles=tuple(pause.vehicles for pause in pauses[1:]),
        )
    ]


def tables(cards: Sequence[Card]) -> list[Table]:
    """All cards; long ones in short."""
    head = [
        "guard", "accepted", "limit", "failures: in up to so many vehicles", "then",
        "pauses at the accepted rate", *(f"vehicles at {rate(each)}" for each in RATES),
    ]  # fmt: skip
    rows = [
        [
            f"`{card.guard}`", rate(card.accept), rate(card.limit), _steps(card.steps),
            f"over {rate(card.limit)}", percent(card.false_pause),
            *_means(card),
        ]
        for card in cards
    ]  # fmt: skip
    return [Table("cards", "The standard guards as cards", head, rows)]


def _means(card: Card) -> list[str]:
    """Vehicles until the pause; on the limit there is no knowing when."""
    means = zip(RATES, card.vehicles, strict=True)
    return [vehicles(mean) if each > card.limit else "-" for each, mean in means]


def _steps(steps: Sequence[tuple[int, int]]) -> str:
    words = [f"{failures}: {most:,}" for failures, most in steps]
    return ", ".join(words if len(words) <= 8 else [*words[:6], "…", words[-1]])

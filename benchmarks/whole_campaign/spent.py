"""What a process that drives a part of the fleet has spent, by stage: time, and time of the processor."""

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks import processor


def _nothing() -> dict[str, float]:
    return defaultdict(float)


@dataclass
class Spent:
    """Seconds by stage: as they pass, and those that this process and its session of the database computed.

    ``refused`` counts offers that stood no more when their vehicle began, as when a lease runs out because
    ticks are late. These vehicles are offered the update again, as any would be.
    """

    seconds: dict[str, float] = field(default_factory=_nothing)
    processor: dict[str, float] = field(default_factory=_nothing)
    refused: int = 0

    @contextmanager
    def on(self, stage: str, session: int) -> Iterator[None]:
        """What this block does, with a session of the database by its process id."""
        began, computed = time.perf_counter(), _computed(session)
        yield
        self.seconds[stage] += time.perf_counter() - began
        self.processor[stage] += _computed(session) - computed


def _computed(session: int) -> float:
    return time.process_time() + processor.seconds(session)


def together(parts: Sequence[Spent]) -> Spent:
    """What several processes have spent."""
    found = Spent(refused=sum(part.refused for part in parts))
    for part in parts:
        for stage in part.seconds:
            found.seconds[stage] += part.seconds[stage]
            found.processor[stage] += part.processor[stage]
    return found

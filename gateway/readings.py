"""What was seen of files by reading them: once for each, and again for one that has changed."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any


class Readings:
    """Whether files are the registered ones.

    A file is read when it is first asked for, and again when it has changed since; who asks meanwhile waits
    for the same reading. Update clients write what they receive before they compare its hash, so that their
    own comparison comes too late.
    """

    def __init__(self) -> None:
        self._readings: dict[str, tuple[Hashable, asyncio.Task[bool]]] = {}

    async def genuine(
        self, sha256: str, identity: Hashable, read: Callable[[str], Coroutine[Any, Any, bool]]
    ) -> bool:
        """Whether the file is genuine, as `read` says, which is asked once for each identity.

        Raises what `read` raises; the next who asks has it read again.
        """
        known, reading = self._readings.get(sha256, (None, None))
        if reading is None or known != identity or _failed(reading):
            reading = asyncio.create_task(read(sha256))
            self._readings[sha256] = identity, reading
        # A vehicle that hangs up does not end the reading for the others.
        return await asyncio.shield(reading)


def _failed(reading: asyncio.Task[bool]) -> bool:
    """Whether the file could not be read to its end, so that nothing is known of it."""
    return reading.done() and (reading.cancelled() or reading.exception() is not None)

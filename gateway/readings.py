"""What was seen of files by reading them: once for each, and again for one that has changed."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any

import structlog

from gateway.errors import Unavailable
from store.offers import StoredArtifact

log = structlog.get_logger(__name__)


class Readings:
    """Whether files are the registered ones.

    A file is read when it is first asked for, and again when it has changed since; who asks meanwhile waits
    for the same reading. Update clients write what they receive before they compare its hash, so that their
    own comparison comes too late.
    """

    def __init__(self) -> None:
        self._readings: dict[str, tuple[Hashable, asyncio.Task[bool]]] = {}

    async def check(
        self,
        stored: StoredArtifact,
        size_bytes: int,
        identity: Hashable,
        read: Callable[[str], Coroutine[Any, Any, bool]],
    ) -> None:
        """Returns where the file is genuine, as `read` says, which is asked once for each identity.

        Raises Unavailable where it is not, and what `read` raises; the next who asks has it read again.
        """
        if size_bytes != stored.size_bytes or not await self._genuine(stored.sha256, identity, read):
            raise damaged(stored, size_bytes)

    async def _genuine(
        self, sha256: str, identity: Hashable, read: Callable[[str], Coroutine[Any, Any, bool]]
    ) -> bool:
        known, reading = self._readings.get(sha256, (None, None))
        if reading is None or known != identity or _failed(reading):
            reading = asyncio.create_task(read(sha256))
            self._readings[sha256] = identity, reading
        # A vehicle that hangs up does not end the reading for the others.
        return await asyncio.shield(reading)


def unreadable(stored: StoredArtifact, error: str) -> Unavailable:
    """What a vehicle is told, which comes again, after the log was told why."""
    log.error("artifact_unreadable", sha256=stored.sha256, error=error)
    return Unavailable("the file cannot be read now; come back later")


def damaged(stored: StoredArtifact, size_bytes: int) -> Unavailable:
    """The same of a file that is not the registered one."""
    log.error("artifact_damaged", sha256=stored.sha256, size=size_bytes, registered=stored.size_bytes)
    return Unavailable("the file cannot be served now; come back later")


def _failed(reading: asyncio.Task[bool]) -> bool:
    """Whether the file could not be read to its end, so that nothing is known of it."""
    return reading.done() and (reading.cancelled() or reading.exception() is not None)

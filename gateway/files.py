"""The artifact folder: a file is given out once its bytes were seen to be the registered ones."""

import asyncio
import hashlib
import os
import stat
from pathlib import Path

import anyio.to_thread
import structlog

from gateway.errors import Unavailable
from store.offers import StoredArtifact

#: What changes when a file is written or replaced: inode, size, and times in nanoseconds.
Identity = tuple[int, int, int, int]

log = structlog.get_logger(__name__)


class Files:
    """The files of a folder, each under its sha256.

    A file is read when it is first asked for, and again when it has changed since; who asks meanwhile waits
    for the same reading. Update clients write what they receive before they compare its hash, so that their
    own comparison comes too late.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._readings: dict[str, tuple[Identity, asyncio.Task[bool]]] = {}

    def path(self, stored: StoredArtifact) -> Path:
        """Where a file lies."""
        return self._folder / stored.sha256

    async def facts(self, stored: StoredArtifact) -> os.stat_result:
        """The file's facts. Raises Unavailable where it is not the registered one: vehicles come again."""
        try:
            facts = await anyio.to_thread.run_sync(os.stat, self.path(stored))
            whole = stat.S_ISREG(facts.st_mode) and facts.st_size == stored.size_bytes
            genuine = whole and await self._genuine(stored, facts)
        except OSError as error:
            log.error("artifact_unreadable", sha256=stored.sha256, error=type(error).__name__)
            raise Unavailable("the file cannot be read now; come back later") from None
        if not genuine:
            log.error(
                "artifact_damaged", sha256=stored.sha256, size=facts.st_size, registered=stored.size_bytes
            )
            raise Unavailable("the file cannot be served now; come back later")
        return facts

    async def _genuine(self, stored: StoredArtifact, facts: os.stat_result) -> bool:
        identity = (facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)
        known, reading = self._readings.get(stored.sha256, (None, None))
        if reading is None or known != identity or _failed(reading):
            reading = asyncio.create_task(self._read(stored))
            self._readings[stored.sha256] = identity, reading
        # A vehicle that hangs up does not end the reading for the others.
        return await asyncio.shield(reading)

    async def _read(self, stored: StoredArtifact) -> bool:
        return await anyio.to_thread.run_sync(_is, self.path(stored), stored.sha256, abandon_on_cancel=True)


def _failed(reading: asyncio.Task[bool]) -> bool:
    """Whether the file could not be read to its end, so that nothing is known of it."""
    return reading.done() and (reading.cancelled() or reading.exception() is not None)


def _is(path: Path, sha256: str) -> bool:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256

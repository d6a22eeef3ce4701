"""The artifact folder: a file is given out once its bytes were seen to be the registered ones."""

import hashlib
import os
import stat
from pathlib import Path

import anyio.to_thread
import structlog

from gateway.errors import Unavailable
from gateway.readings import Readings
from store.offers import StoredArtifact

log = structlog.get_logger(__name__)


class Files:
    """The files of a folder, each under its sha256."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._readings = Readings()

    def path(self, stored: StoredArtifact) -> Path:
        """Where a file lies."""
        return self._folder / stored.sha256

    async def facts(self, stored: StoredArtifact) -> os.stat_result:
        """The file's facts. Raises Unavailable where it is not the registered one: vehicles come again."""
        try:
            facts = await anyio.to_thread.run_sync(os.stat, self.path(stored))
            whole = stat.S_ISREG(facts.st_mode) and facts.st_size == stored.size_bytes
            # What changes when a file is written or replaced: inode, size, and times in nanoseconds.
            identity = (facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)
            genuine = whole and await self._readings.genuine(stored.sha256, identity, self._read)
        except OSError as error:
            log.error("artifact_unreadable", sha256=stored.sha256, error=type(error).__name__)
            raise Unavailable("the file cannot be read now; come back later") from None
        if not genuine:
            log.error(
                "artifact_damaged", sha256=stored.sha256, size=facts.st_size, registered=stored.size_bytes
            )
            raise Unavailable("the file cannot be served now; come back later")
        return facts

    async def _read(self, sha256: str) -> bool:
        return await anyio.to_thread.run_sync(_is, self._folder / sha256, sha256, abandon_on_cancel=True)


def _is(path: Path, sha256: str) -> bool:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256

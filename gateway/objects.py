"""The object store: vehicles are sent there by a signed link, once the object was seen to be right."""

from datetime import timedelta
from typing import Literal

import structlog

from gateway.errors import Unavailable
from gateway.readings import Readings
from store.objects import ObjectStore
from store.offers import StoredArtifact

log = structlog.get_logger(__name__)


class Objects:
    """The files of an object store.

    Args:
        expires_in: how long a link opens the file; a download that has begun goes on.
    """

    def __init__(self, store: ObjectStore, expires_in: timedelta) -> None:
        self._store = store
        self._expires_in = expires_in
        self._readings = Readings()

    async def link(self, stored: StoredArtifact, method: Literal["GET", "HEAD"]) -> str:
        """Where the file is fetched. Raises Unavailable where it is not the registered one."""
        try:
            facts = await self._store.facts(stored.sha256)
            genuine = facts.size_bytes == stored.size_bytes and await self._readings.genuine(
                stored.sha256, facts.identity, self._store.genuine
            )
            link = await self._store.link(method, stored.sha256, self._expires_in)
        except OSError as error:
            log.error("artifact_unreadable", sha256=stored.sha256, error=str(error))
            raise Unavailable("the file cannot be read now; come back later") from None
        if not genuine:
            log.error(
                "artifact_damaged", sha256=stored.sha256, size=facts.size_bytes, registered=stored.size_bytes
            )
            raise Unavailable("the file cannot be served now; come back later")
        return link

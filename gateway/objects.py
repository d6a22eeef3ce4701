"""The object store: vehicles are sent there by a signed link, once the object was seen to be right."""

from datetime import timedelta
from typing import Literal, cast

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gateway.readings import Readings, unreadable
from store.objects import ObjectStore
from store.offers import StoredArtifact


class Objects:
    """The files of an object store. Parts and conditions are its own to answer: it has other entity tags.

    Args:
        expires_in: how long a link opens the file; a download that has begun goes on.
    """

    def __init__(self, store: ObjectStore, expires_in: timedelta) -> None:
        self._store = store
        self._expires_in = expires_in
        self._readings = Readings()

    async def answer(self, request: Request, stored: StoredArtifact) -> Response:
        """Where the file is. Raises Unavailable where it is not the registered one."""
        method = cast(Literal["GET", "HEAD"], request.method)  # the paths of files have no others
        try:
            facts = await self._store.facts(stored.sha256)
            await self._readings.check(stored, facts.size_bytes, facts.identity, self._store.genuine)
            link = await self._store.link(method, stored.sha256, self._expires_in)
        except OSError as error:
            raise unreadable(stored, str(error)) from None
        return RedirectResponse(link, 302, headers={"Cache-Control": "no-store"})

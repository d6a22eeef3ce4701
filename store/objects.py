"""The object store: files under their sha256 in a bucket, fetched by links that are signed and expire.

Where it is and who may enter is told by ``AWS_*`` (endpoint, region, keys) or by the machine's role, as to
every other program that speaks S3.
"""

import hashlib
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from campaign.problems import Problem, Refused

#: An answer that comes later is of no use: the vehicle was told to come back.
_TIMEOUT = timedelta(seconds=10)


class NotReadable(OSError):
    """The store is away, or has no such object, or does not let us in."""


@dataclass(frozen=True)
class Facts:
    """An object as the store describes it. `identity` is another one once the object was written again."""

    size_bytes: int
    identity: Hashable


class ObjectStore:
    """A bucket, or what is below a prefix of it, given as ``s3://BUCKET/PREFIX``."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._store = S3Store.from_url(url, retry_config={"max_retries": 2, "retry_timeout": _TIMEOUT})

    def put(self, file: Path, sha256: str) -> None:
        """Upload a file; it appears whole or not at all, and may be repeated. Raises Refused."""
        try:
            obstore.put(self._store, sha256, file)
        except (BaseError, OSError) as error:
            cure = f"cannot be written: {_first_line(error)}; check RINGMASTER_ARTIFACT_STORE, AWS_*; repeat"
            raise Refused([Problem("artifact store", self._url, cure)], subject="package") from None

    async def facts(self, sha256: str) -> Facts:
        """What is stored under this name. Raises NotReadable."""
        try:
            found = await obstore.head_async(self._store, sha256)
        except (BaseError, OSError) as error:
            raise NotReadable(_first_line(error)) from None
        return Facts(found["size"], (found["e_tag"], found["version"], found["last_modified"]))

    async def genuine(self, sha256: str) -> bool:
        """Whether the bytes are those of the name, by reading all of them. Raises NotReadable."""
        digest = hashlib.sha256()
        try:
            async for chunk in (await obstore.get_async(self._store, sha256)).stream():
                digest.update(chunk)
        except (BaseError, OSError) as error:
            raise NotReadable(_first_line(error)) from None
        return digest.hexdigest() == sha256

    async def link(self, method: Literal["GET", "HEAD"], sha256: str, expires_in: timedelta) -> str:
        """An address that answers this method, to anyone, until it expires. Raises NotReadable."""
        try:
            return await obstore.sign_async(self._store, method, sha256, expires_in)
        except (BaseError, OSError) as error:
            raise NotReadable(_first_line(error)) from None


def _first_line(error: Exception) -> str:
    """Without the debug output that follows."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__

"""The artifact folder: a file is given out once its bytes were seen to be the registered ones."""

import hashlib
import os
import stat
from pathlib import Path

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from gateway.answer import names
from gateway.errors import Changed, NoSuchRange
from gateway.ranges import satisfiable
from gateway.readings import Readings, damaged, unreadable
from store.offers import StoredArtifact

OCTETS = "application/octet-stream"


class Files:
    """The files of a folder, each under its sha256.

    Several ranges in one request are answered as multipart/byteranges.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._readings = Readings()

    async def answer(self, request: Request, stored: StoredArtifact) -> Response:
        """The file, whole or in part. Raises Unavailable where it is not the registered one."""
        facts = await self._facts(stored)
        etag = f'"{stored.sha1}"'
        response = FileResponse(
            self._folder / stored.sha256,
            headers={
                "ETag": etag,
                "X-Content-Type-Options": "nosniff",
                # A registered name has nothing in it that would need quotes.
                "Content-Disposition": f"attachment;filename={request.path_params['filename']}",
            },
            media_type=OCTETS,
            stat_result=facts,
        )
        headers = request.headers
        if "if-match" in headers and not names(headers["if-match"], etag):
            raise Changed("the file is another one")
        unchanged = headers.get("if-range") in (None, etag, response.headers["last-modified"])
        if unchanged and "range" in headers and not satisfiable(headers["range"], stored.size_bytes):
            raise NoSuchRange("no such part of the file", {"Content-Range": f"bytes */{stored.size_bytes}"})
        return response

    async def _facts(self, stored: StoredArtifact) -> os.stat_result:
        try:
            facts = await anyio.to_thread.run_sync(os.stat, self._folder / stored.sha256)
            if not stat.S_ISREG(facts.st_mode):
                raise damaged(stored, facts.st_size)
            # What changes when a file is written or replaced: inode, size, and times in nanoseconds.
            identity = (facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)
            await self._readings.check(stored, facts.st_size, identity, self._read)
        except OSError as error:
            raise unreadable(stored, type(error).__name__) from None
        return facts

    async def _read(self, sha256: str) -> bool:
        return await anyio.to_thread.run_sync(_is, self._folder / sha256, sha256, abandon_on_cancel=True)


def _is(path: Path, sha256: str) -> bool:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256

"""The download of one artifact, which survives broken connections."""

from hashlib import sha256

from aiohttp import ClientResponse

from simulator.errors import CorruptArtifact, LinkDown, Refused
from simulator.link import Link
from simulator.protocol import Artifact

BLOCK_BYTES = 65_536
RANGE_NOT_SATISFIABLE = 416


class Transfer:
    """Counts and hashes what arrives, and keeps none of it: 2,000 vehicles would not fit into memory."""

    def __init__(self, artifact: Artifact) -> None:
        self._artifact = artifact
        self._restart()

    @property
    def complete(self) -> bool:
        """All bytes are here and have been verified."""
        return self._verified

    async def attempt(self, link: Link, *, break_at: int | None = None) -> None:
        """Goes on where the last attempt ended; with `break_at` drops the connection after so many bytes.

        Raises LinkDown when the rest must be fetched by another attempt, Refused when the server does not
        give the artifact away, and CorruptArtifact when it is not the promised one.
        """
        try:
            async with link.open(self._artifact.url, self._received) as response:
                self._align(response)
                # One byte more than promised, or a body that is too long would pass for a good one.
                upto = self._artifact.size + 1 if break_at is None else break_at
                while self._received < upto:
                    block = await response.content.read(min(BLOCK_BYTES, upto - self._received))
                    if not block:
                        break
                    self._take(block)
        except Refused as refusal:
            if refusal.status != RANGE_NOT_SATISFIABLE:
                raise
            self._restart()
            raise LinkDown("range not satisfiable") from refusal
        if break_at is None:
            self._verify()

    def _align(self, response: ClientResponse) -> None:
        """A server that does not resume at our byte must be heard from the beginning."""
        if not self._received:
            return
        if response.status == 200:
            self._restart()
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {self._received}-"):
            self._restart()
            raise LinkDown("another range than asked for")

    def _take(self, block: bytes) -> None:
        self._received += len(block)
        self._digest.update(block)
        if self._received > self._artifact.size:
            raise CorruptArtifact(f"size mismatch of {self._artifact.filename}")

    def _verify(self) -> None:
        if self._received < self._artifact.size:
            raise LinkDown("short body")
        if self._digest.hexdigest() != self._artifact.sha256:
            raise CorruptArtifact(f"sha256 mismatch of {self._artifact.filename}")
        self._verified = True

    def _restart(self) -> None:
        self._received = 0
        self._digest = sha256()
        self._verified = False

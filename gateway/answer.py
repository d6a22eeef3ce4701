"""Answering a GET with a document: formats, ETag and 304."""

import hashlib
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import cbor2
import orjson
from starlette.requests import Request
from starlette.responses import Response

from gateway.body import CBOR, JSON
from gateway.errors import NotAcceptable
from gateway.headers import header
from gateway.whole import Whole

HAL = "application/hal+json"

#: What is spoken, the default first.
_FORMATS: Mapping[str, Callable[[Any], bytes]] = {HAL: orjson.dumps, JSON: orjson.dumps, CBOR: cbor2.dumps}

_QUALITY = re.compile(r"[01](\.[0-9]{0,3})?", re.ASCII)


class Tagged(NamedTuple):
    """An answer and its ETag, a hash of the body."""

    response: Response
    etag: str

    def unless_known(self, condition: str | None) -> Response:
        """The answer, or 304 where the If-None-Match header of a client says that it has it already."""
        if names(condition, self.etag):
            return Response(status_code=304, headers={"ETag": self.etag})
        return self.response


def tagged(body: bytes, media_type: str, headers: Mapping[str, str] | None = None) -> Tagged:
    """The body with its ETag and these headers."""
    etag = f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
    return Tagged(Whole(body, headers={**(headers or {}), "ETag": etag}, media_type=media_type), etag)


def written(content: Any, kind: str) -> Tagged:
    """The document in one of the formats of `media_type`."""
    return tagged(_FORMATS[kind](content), kind)


def document(request: Request, content: Any) -> Response:
    """The document, or 304 where the client has it already.

    Raises:
        NotAcceptable: the client wants another format. A handler that changes anything asks before.
    """
    kind = media_type(header(request.scope, b"accept"))
    return written(content, kind).unless_known(header(request.scope, b"if-none-match"))


@lru_cache(maxsize=1_000)  # a client sends the same header with every request
def media_type(accept: str | None) -> str:
    """The format an Accept header is answered with: the best liked, of equals the one that is named.

    Raises:
        NotAcceptable: none that is spoken here will do.
    """
    ranges = [_liking(part) for part in (accept or "*/*").split(",") if part.strip()] or [("*/*", 1.0)]
    liked = {kind: _how_much(kind, ranges) for kind in _FORMATS}
    best = max(liked, key=liked.__getitem__)  # of equals the first, the default
    if liked[best] <= (0.0, 2):
        raise NotAcceptable(f"{', '.join(_FORMATS)} are spoken here")
    return best


def _how_much(kind: str, ranges: list[tuple[str, float]]) -> tuple[float, int]:
    """How much a format is liked, 0 to 1, and how closely it is named; the closest range decides."""
    for closeness, wanted in ((2, kind), (1, "application/*"), (0, "*/*")):
        found = [quality for named, quality in ranges if named == wanted]
        if found:
            return max(found), closeness
    return 0.0, 0


def _liking(part: str) -> tuple[str, float]:
    """A range of an Accept header and its q; one that is no number counts as 1."""
    named, *parameters = (piece.strip().lower() for piece in part.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q" and _QUALITY.fullmatch(value.strip()):
            return named, min(float(value), 1.0)
    return named, 1.0


def names(condition: str | None, etag: str) -> bool:
    """Whether an If-Match or If-None-Match header names this ETag; weak ones count, as for any GET."""
    if condition is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in condition.split(",")]
    return etag in tags or tags == ["*"]

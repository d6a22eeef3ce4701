"""Answering a GET with a document: formats, ETag and 304."""

import hashlib
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import cbor2
import orjson
from starlette.requests import Request
from starlette.responses import Response

from gateway.body import CBOR, JSON
from gateway.errors import NotAcceptable

HAL = "application/hal+json"

#: What is spoken, the default first.
_FORMATS: Mapping[str, Callable[[Any], bytes]] = {HAL: orjson.dumps, JSON: orjson.dumps, CBOR: cbor2.dumps}

_QUALITY = re.compile(r"[01](\.[0-9]{0,3})?", re.ASCII)


def document(request: Request, content: Any) -> Response:
    """The document, or 304 where the client has it already. The ETag is a hash of the body.

    Raises:
        NotAcceptable: the client wants another format. A handler that changes anything asks before.
    """
    kind = media_type(request.headers.get("accept"))
    body = _FORMATS[kind](content)
    return unless_known(request, body, {}, kind)


def unless_known(request: Request, body: bytes, headers: Mapping[str, str], media_type: str) -> Response:
    """The body with its ETag and these headers, or 304 where the client has it already."""
    etag = {"ETag": f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'}
    if names(request.headers.get("if-none-match"), etag["ETag"]):
        return Response(status_code=304, headers=etag)
    return Response(body, headers={**headers, **etag}, media_type=media_type)


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

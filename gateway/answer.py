"""Answering a GET with a document: formats, ETag and 304."""

import hashlib
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gateway.body import JSON
from gateway.errors import NotAcceptable

HAL = "application/hal+json"
_ANY = ("*/*", "application/*", HAL)


def document(request: Request, content: dict[str, Any]) -> Response:
    """The document, or 304 where the client has it already. The ETag is a hash of the body.

    Raises:
        NotAcceptable: the client wants neither JSON nor HAL.
    """
    kind = media_type(request.headers.get("accept"))
    body = orjson.dumps(content)
    etag = f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
    if names(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers={"ETag": etag})
    return Response(body, headers={"ETag": etag}, media_type=kind)


def media_type(accept: str | None) -> str:
    """What an Accept header is answered with: JSON where it is asked for, else HAL.

    Raises:
        NotAcceptable: neither will do.
    """
    if accept is None or accept == "*/*":
        return HAL
    wanted = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    if JSON in wanted:
        return JSON
    if any(kind in wanted for kind in _ANY):
        return HAL
    raise NotAcceptable(f"{JSON} and {HAL} are spoken here")


def names(condition: str | None, etag: str) -> bool:
    """Whether an If-Match or If-None-Match header names this ETag; weak ones count, as for any GET."""
    if condition is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in condition.split(",")]
    return etag in tags or tags == ["*"]

"""Reading a request's body: bounded, and as lenient as the protocol's clients need."""

import json
from typing import Any

import orjson
from starlette.requests import Request

from gateway.errors import Malformed, TooLarge, UnsupportedFormat

JSON = "application/json"


async def json_body(request: Request, limit_bytes: int) -> Any:
    """The decoded JSON of a request.

    Raises:
        UnsupportedFormat: another content type. TooLarge. Malformed: not JSON.
    """
    kind = request.headers.get("content-type")
    if kind is not None and kind.partition(";")[0].strip().lower() != JSON:
        raise UnsupportedFormat(f"send {JSON}")
    return decoded(await _bounded(request, limit_bytes))


def decoded(body: bytes) -> Any:
    """JSON as its senders write it: SWUpdate puts raw line ends and foreign bytes into strings.

    Raises:
        Malformed: not even so.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(body.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError):
        raise Malformed("the body is not JSON") from None


async def _bounded(request: Request, limit_bytes: int) -> bytes:
    # The declared length is read as digits only: a header is no reason for a fault of ours.
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > limit_bytes:
        raise TooLarge(f"at most {limit_bytes} bytes")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit_bytes:
            raise TooLarge(f"at most {limit_bytes} bytes")
    return body

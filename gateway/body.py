"""Reading a request's body: bounded in size and time, and as lenient as the protocol's clients need."""

import json
from collections.abc import Callable
from typing import Any, NoReturn

import cbor2
import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.types import Scope

from gateway.errors import Malformed, TooLarge, UnsupportedFormat
from gateway.headers import header

JSON = "application/json"
CBOR = "application/cbor"

#: Deeper than any document of the protocol.
CBOR_MAX_DEPTH = 16


async def read_body(request: Request, limit_bytes: int) -> Any:
    """The decoded JSON or CBOR of a request; without a Content-Type it is JSON.

    Raises:
        UnsupportedFormat: another content type. TooLarge. Malformed: not what its type says.
    """
    decode = decoder(request.scope)
    return decode(await bounded(request, limit_bytes))


def decoder(scope: Scope) -> Callable[[bytes], Any]:
    """What reads a body of the type that a request names; without a Content-Type it is JSON.

    Raises:
        UnsupportedFormat: another type.
    """
    named = header(scope, b"content-type") or JSON
    decode = _DECODERS.get(named) or _DECODERS.get(named.partition(";")[0].strip().lower())
    if decode is None:
        raise UnsupportedFormat(f"send {JSON} or {CBOR}")
    return decode


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


def decoded_cbor(body: bytes) -> Any:
    """CBOR without tags: the protocol needs none, and some make a decoder compute for minutes.

    Raises:
        Malformed: anything else.
    """
    try:
        return cbor2.loads(
            body, semantic_decoders=_NoTags(), max_depth=CBOR_MAX_DEPTH, strict_hashable_types=True
        )
    except (cbor2.CBORError, ValueError, OverflowError):
        raise Malformed("the body is not plain CBOR") from None


class _NoTags(dict[int, Callable[..., Any]]):
    """A decoder for every tag there is, and it refuses."""

    def __contains__(self, tag: object) -> bool:
        return True

    def __getitem__(self, tag: int) -> Callable[..., Any]:
        return _refuse

    def get(self, tag: int, default: object = None) -> Callable[..., Any]:
        return _refuse


def _refuse(*_: object) -> NoReturn:
    raise ValueError("a tag")


_DECODERS: dict[str, Callable[[bytes], Any]] = {JSON: decoded, CBOR: decoded_cbor}


async def bounded(request: Request, limit_bytes: int) -> bytes:
    """The body itself; one that does not come is not waited for (gateway/connection.py).

    Raises:
        TooLarge. ClientDisconnect: the client has gone.
    """
    # The declared length is read as digits only: a header is no reason for a fault of ours.
    declared = header(request.scope, b"content-length") or ""
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > limit_bytes:
        raise TooLarge(f"at most {limit_bytes} bytes")
    body, more = b"", True
    while more:  # Starlette's stream does the same for twice the time
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > limit_bytes:
            raise TooLarge(f"at most {limit_bytes} bytes")
        more = message.get("more_body", False)
    return body

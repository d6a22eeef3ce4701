"""Reports read without a parser, where it has read their like before.

The vehicles of a fleet run a few programs, and the heads of what such a program sends differ in four places:
who asks, the action, the proof and the length of the body. What else a head holds is its shape. The parser of
HTTP has read a shape once, so that there is nothing in it that ends a connection, encodes a body or waits for
a word of ours; and no letters, digits or visible characters in those four places can change how the rest is
read. To look a shape up takes a microsecond; parser and scope of a request take six.

What proxies add of each client or request is no part of a shape: reports are recorded without it. Where
vehicles send other headers that differ, no shape comes twice, and all are parsed.
"""

import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from starlette.types import Scope

from gateway.body import decoder
from gateway.errors import UnsupportedFormat
from gateway.recent import Recent

#: A fleet has a handful.
MOST_SHAPES = 64

#: The parts of a head that are its shape: before the proof, between it and the length, and after that.
Shape = tuple[bytes, bytes, bytes]
Decode = Callable[[bytes], Any]

#: Only what is no longer than this is kept: ten times the longest head known.
SHAPE_MAX_BYTES = 2_048


def _before(mark: bytes) -> bytes:
    """The lines before the first that begins so, and no second try: of a long head it would take minutes."""
    return rb"((?:(?!%b)[^\r\n]++\r\n)*+)" % mark


_LINES = rb"((?:[^\r\n]++\r\n)*+)"

#: What a proxy says of each client or request, in the names that proxies use.
_OF_A_PROXY = re.compile(
    rb"(?im:^(?:forwarded|x-forwarded-for|x-real-ip|x-request-id|x-amzn-trace-id|traceparent):[ -~]*\r\n)"
)


def _own(shape: Shape) -> Shape:
    """A shape without what proxies add."""
    before, between, after = (_OF_A_PROXY.sub(b"", lines) for lines in shape)
    return before, between, after


class Sent(NamedTuple):
    """A report as it was sent, its body not yet decoded."""

    vin: str
    action: str
    authorization: str
    decode: Decode
    body: bytes


class Shapes:
    """The shapes of heads with which reports come.

    Args:
        vehicles: the path of all vehicles, up to the VIN.
    """

    def __init__(self, vehicles: str) -> None:
        self._vehicles = vehicles
        self._report = re.compile(
            rb"POST %b([\w-]{1,256})/deploymentBase/([0-9]{1,10})/feedback HTTP/1\.1\r\n"
            rb"%bAuthorization: ([!-~][ -~]{0,512})\r\n%bContent-Length: ([0-9]{1,6})\r\n%b\r\n"
            % (
                re.escape(vehicles.encode()),
                _before(b"Authorization: "),
                _before(b"Content-Length: "),
                _LINES,
            )
        )
        self._decoders: Recent[Shape, Decode | None] = Recent(MOST_SHAPES)

    def read(self, data: bytes) -> Sent | None:
        """The report that this is, from its first byte to its last; None: the parser must say what it is."""
        match = self._whole(data)
        if match is None:
            return None
        vin, action, before, authorization, between, _, after = match.groups()
        shape = before, between, after
        decode = self._decoders.get(shape, None) or self._decoders.get(_own(shape), None)
        if decode is None:
            return None
        return Sent(vin.decode(), action.decode(), authorization.decode(), decode, data[match.end() :])

    def learn(self, data: bytes, scope: Scope) -> None:
        """Keep the shape of a request, if it is a report's.

        Args:
            data: a request that came whole; where it is not alone nothing is kept.
            scope: what the parser read last in it: of HTTP/1.1, and asking for no more than an answer.
        """
        match = self._whole(data)
        if match is None or match.end() > SHAPE_MAX_BYTES:
            return
        vin, action, before, authorization, between, length, after = match.groups()
        path = f"{self._vehicles}{vin.decode()}/deploymentBase/{action.decode()}/feedback"
        varying = {b"authorization": authorization, b"content-length": length}
        seen = [(name, value) for name, value in scope["headers"] if name in varying]
        if scope["path"] != path or seen != list(varying.items()):
            return
        with suppress(UnsupportedFormat):  # whoever reads the body says so
            self._decoders.put(_own((before, between, after)), decoder(scope))

    def _whole(self, data: bytes) -> re.Match[bytes] | None:
        """A report that is all of this."""
        match = self._report.match(data)
        return match if match is not None and len(data) - match.end() == int(match[6]) else None

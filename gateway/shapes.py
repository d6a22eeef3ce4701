"""Reports read without a parser, where it has read their like before.

The vehicles of a fleet run a few programs, and the heads of what such a program sends differ in four places:
who asks, the action, the proof and the length of the body. What else a head holds is its shape. The parser of
HTTP has read a shape once, so that there is nothing in it that ends a connection, encodes a body or waits for
a word of ours; and no letters, digits or visible characters in those four places can change how the rest is
read. To look a shape up takes a microsecond; parser and scope of a request take six.
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

_LINES = rb"((?:[^\r\n]+\r\n)*?)"


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
            rb"POST %b([\w-]{1,256})/deploymentBase/([0-9]{1,10})/feedback HTTP/1\.1\r\n%b"
            rb"Authorization: ([!-~][ -~]{0,512})\r\n%bContent-Length: ([0-9]{1,6})\r\n%b\r\n"
            % (re.escape(vehicles.encode()), _LINES, _LINES, _LINES)
        )
        self._decoders: Recent[Shape, Decode | None] = Recent(MOST_SHAPES)

    def read(self, data: bytes) -> Sent | None:
        """The report that this is, from its first byte to its last; None: the parser must say what it is."""
        match = self._report.match(data)
        if match is None:
            return None
        vin, action, before, authorization, between, length, after = match.groups()
        decode = self._decoders.get((before, between, after), None)
        if decode is None or len(data) - match.end() != int(length):
            return None
        return Sent(vin.decode(), action.decode(), authorization.decode(), decode, data[match.end() :])

    def learn(self, data: bytes, scope: Scope) -> None:
        """Keep the shape of a request, if it is a report's.

        Args:
            data: the request, and nothing else.
            scope: what the parser read in it: of HTTP/1.1, with nothing that asks for more than an answer.
        """
        match = self._report.match(data)
        if match is None:
            return
        vin, action, before, authorization, between, length, after = match.groups()
        path = f"{self._vehicles}{vin.decode()}/deploymentBase/{action.decode()}/feedback"
        varying = {b"authorization": authorization, b"content-length": length}
        seen = [(name, value) for name, value in scope["headers"] if name in varying]
        if scope["path"] != path or seen != list(varying.items()):
            return
        with suppress(UnsupportedFormat):  # whoever reads the body says so
            self._decoders.put((before, between, after), decoder(scope))

"""Requests read without a parser, where it has read their like before.

The vehicles of a fleet run a few programs, and the heads of what such a program sends differ in a few
places: who asks, the action, the proof, the answer it has, the length of the body. What else a head holds is
its shape. The parser of HTTP has read a shape once, so that there is nothing in it that ends a connection,
encodes a body or waits for a word of ours; and no letters, digits or visible characters in those places can
change how the rest is read.
To look a shape up takes a microsecond; parser and scope of a request take six.

What proxies add of each client or request is no part of a shape: these requests are answered without it.
Where vehicles send other headers that differ, no shape comes twice, and all are parsed.
"""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Generic, NamedTuple, TypeVar

from starlette.types import Scope

from gateway.errors import Refusal
from gateway.recent import Recent

#: A fleet has a handful.
MOST_SHAPES = 64

#: The parts of a head that are its shape: those before, between and after its places.
Shape = tuple[bytes, ...]
#: What is kept of a shape.
Kept = TypeVar("Kept")

#: Only what is no longer than this is kept: ten times the longest head known.
SHAPE_MAX_BYTES = 2_048

_LINES = rb"((?:[^\r\n]++\r\n)*+)"

#: What a proxy says of each client or request, in the names that proxies use.
_OF_A_PROXY = re.compile(
    rb"(?im:^(?:forwarded|x-forwarded-for|x-real-ip|true-client-ip|cf-connecting-ip|cf-ray|x-request-id"
    rb"|x-correlation-id|x-amzn-trace-id|x-cloud-trace-context|traceparent|tracestate|b3|x-b3-[a-z]+)"
    rb":[ -~]*\r\n)"
)


def _own(shape: Shape) -> Shape:
    """A shape without what proxies add."""
    return tuple([_OF_A_PROXY.sub(b"", lines) for lines in shape])


class Place(NamedTuple):
    """A header of which each request has its own.

    ``group``: what its value is called; ``value``: what such a value looks like.
    """

    name: bytes
    group: str
    value: bytes
    optional: bool = False

    @property
    def header(self) -> bytes:
        """Its name as the parser gives it."""
        return self.name.lower()

    @property
    def pattern(self) -> bytes:
        """The lines before the first of that name, and its own. No second try: of a long head it would take
        minutes.
        """
        mark = self.name + b": "
        line = rb"(?:%b(?P<%b>%b)\r\n)" % (mark, self.group.encode(), self.value)
        return rb"((?:(?!%b)[^\r\n]++\r\n)*+)" % mark + line + b"?+" * self.optional


#: The VIN in a path. None of these characters means anything to HTTP.
VIN = rb"(?P<vin>[\w-]{1,256})"

PROOF = Place(b"Authorization", "proof", rb"[!-~][ -~]{0,512}")
LENGTH = Place(b"Content-Length", "length", rb"[0-9]{1,6}")
CONDITION = Place(b"If-None-Match", "condition", rb"[!-~][ -~]{0,512}", optional=True)


class Sent(NamedTuple, Generic[Kept]):
    """A request as it was sent: its head, its body, and what is kept of its shape."""

    head: re.Match[bytes]
    body: bytes
    kept: Kept

    def word(self, group: str) -> str:
        """What stands in a place that every such head has."""
        return self.head[group].decode()

    def optional(self, group: str) -> str | None:
        """What stands in a place that a head may lack."""
        word: bytes | None = self.head[group]
        return None if word is None else word.decode()


class Shapes(Generic[Kept]):
    """The shapes of heads with which requests of one kind come.

    Args:
        method: theirs.
        path: a pattern of the path. What its groups hold has letters, digits, ``-`` and ``_`` alone.
        places: the headers of which each request has its own, in the order in which they come.
        keep: what is kept of a shape, by what the parser read in it. Raises Refusal: nothing is.
    """

    def __init__(
        self, method: bytes, path: bytes, places: Sequence[Place], keep: Callable[[Scope], Kept]
    ) -> None:
        line = rb"%b (?P<path>%b) HTTP/1\.1\r\n" % (method, path)
        self._head = re.compile(line + b"".join(place.pattern for place in places) + _LINES + rb"\r\n")
        named = self._head.groupindex.values()
        self._shape = [group for group in range(1, self._head.groups + 1) if group not in named]
        self._places = {place.header: place.group for place in places}
        self._has_body = LENGTH in places
        self._keep = keep
        self._kept: Recent[Shape, Kept | None] = Recent(MOST_SHAPES)

    def read(self, data: bytes) -> Sent[Kept] | None:
        """The request that this is, from its first byte to its last; None: the parser must say what it is."""
        head = self._whole(data)
        if head is None:
            return None
        shape = head.group(*self._shape)
        kept = self._kept.get(shape, None) or self._kept.get(_own(shape), None)
        return None if kept is None else Sent(head, data[head.end() :], kept)

    def learn(self, data: bytes, scope: Scope) -> None:
        """Keep the shape of a request, if it is one of the kind.

        Args:
            data: a request that came whole; where it is not alone nothing is kept.
            scope: what the parser read last in it, asking for no more than an answer.
        """
        head = self._whole(data)
        if head is None or head.end() > SHAPE_MAX_BYTES or scope["path"] != head["path"].decode():
            return
        read = [(name, value) for name, value in scope["headers"] if name in self._places]
        if read != [(name, head[group]) for name, group in self._places.items() if head[group] is not None]:
            return
        with suppress(Refusal):  # whoever answers the request says so
            self._kept.put(_own(head.group(*self._shape)), self._keep(scope))

    def _whole(self, data: bytes) -> re.Match[bytes] | None:
        """The head of a request that is all of this."""
        head = self._head.match(data)
        if head is None:
            return None
        length = int(head[LENGTH.group]) if self._has_body else 0
        return head if len(data) - head.end() == length else None

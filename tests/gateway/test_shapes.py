"""Heads read by their shape say what the parser of HTTP reads in them, or nothing."""

import subprocess
import sys
from typing import Any

import httptools
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.known_polls import shapes_of_polls
from gateway.known_reports import Decode, shapes_of_reports
from gateway.shapes import Shapes

VEHICLES = "/DEFAULT/controller/v1/"

#: What a shape lets vary, and pieces that would change how the rest is read.
PIECES = st.sampled_from(
    [b"VIN1", b"-", b"_", b"/", b"..", b"%2e", b"?", b"#", b" ", b"\r", b"\n", b"\r\n", b":", b"\0", b"\xe4"]
)
WORD = st.lists(PIECES, max_size=3).map(b"".join)
ACTION = st.sampled_from([b"1", b"007", b"12345678901", b"x"])
LENGTH = st.one_of(
    st.integers(0, 20).map(lambda n: b"%d" % n),
    st.sampled_from([b"", b"+2", b"0x2", b"002", b"2 ", b"-1", b"9" * 30]),
)
MORE = st.lists(
    st.sampled_from(
        [
            b"Host: x", b"Accept: */*", b"Connection: close", b"Connection: keep-alive", b"Content-Length: 3",
            b"Transfer-Encoding: chunked", b"Content-Type: application/json",
            b"authorization: TargetToken other", b"Expect: 100-continue", b"Upgrade: h2c", b" folded",
            b"X-Empty:", b"no header", b"X-Forwarded-Host: y",
        ]
    ),
    max_size=2,
)  # fmt: skip


#: What a proxy adds before and after the proof of one and not of the other.
ADDED = st.sampled_from(
    [
        b"",
        b"X-Forwarded-For: 10.0.0.1\r\n",
        b"forwarded: for=\0\r\n",
        b"Forwarded: a\r\n b\r\n",
        b"traceparent:\r\n",
    ]
)


def sent(vin: bytes, action: bytes, token: bytes, length: bytes, more: list[bytes], body: bytes) -> bytes:
    """A report as a client sends it."""
    lines = [
        b"POST %b%b/deploymentBase/%b/feedback HTTP/1.1" % (VEHICLES.encode(), vin, action),
        *more[:1], b"Authorization: TargetToken %b" % token, *more[1:], b"Content-Length: %b" % length,
        b"", b"",
    ]  # fmt: skip
    return b"\r\n".join(lines) + body


def polled(vin: bytes, token: bytes, more: list[bytes], condition: bytes | None) -> bytes:
    """A poll as a client sends it."""
    lines = [
        b"GET %b%b HTTP/1.1" % (VEHICLES.encode(), vin),
        *more[:1], b"Authorization: TargetToken %b" % token, *more[1:],
        *([] if condition is None else [b"If-None-Match: %b" % condition]), b"", b"",
    ]  # fmt: skip
    return b"\r\n".join(lines)


def with_added(data: bytes, token: bytes, added: bytes) -> bytes:
    """A request with what a proxy adds at two places."""
    for line in (b" HTTP/1.1\r\n", b"Authorization: TargetToken %b\r\n" % token):
        data = data.replace(line, line + added, 1)
    return data


class Parsed:
    """What httptools reads: a request, whole, after which the connection goes on; else no `path`."""

    def __init__(self, data: bytes) -> None:
        self.path: str | None = None
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self._url, self._begun, self._ended = b"", 0, 0
        self._parser = httptools.HttpRequestParser(self)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            return
        if self._begun == self._ended == 1 and self._parser.should_keep_alive():
            self.path = httptools.parse_url(self._url).path.decode("latin-1")

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_begin(self) -> None:
        self._begun += 1

    def on_message_complete(self) -> None:
        self._ended += 1

    @property
    def scope(self) -> dict[str, Any]:
        """As the gateway knows it."""
        return {"path": self.path, "headers": self.headers, "scheme": "http"}

    def of(self, name: bytes) -> list[str]:
        """The values of the headers of this name."""
        return [value.decode() for each, value in self.headers if each == name]


@given(WORD, ACTION, WORD, LENGTH, MORE, ADDED, st.binary(max_size=20))
@example(b"VIN1", b"1", b"t", b"2", [], b"forwarded: for=\0\r\n", b"{}")
@example(b"VIN1", b"1", b"t", b"2", [], b"Forwarded: a\r\n b\r\n", b"{}")
def test_what_is_read_by_its_shape_is_what_the_parser_reads(
    vin: bytes, action: bytes, token: bytes, length: bytes, more: list[bytes], added: bytes, body: bytes
) -> None:
    shapes = shapes_of_reports(VEHICLES)
    learnt = sent(b"VIN2", b"12", b"another", b"2", more, b"{}")
    like_it = Parsed(learnt)
    if like_it.path is not None:
        shapes.learn(learnt, like_it.scope)
    data = with_added(sent(vin, action, token, length, more, body), token, added)

    found = shapes.read(data)

    if found is not None:
        parsed = Parsed(data)
        assert parsed.path == f"{VEHICLES}{found.word('vin')}/deploymentBase/{found.word('action')}/feedback"
        assert parsed.of(b"authorization") == [found.word("proof")]
        assert parsed.body == found.body


@given(WORD, WORD, MORE, st.none() | WORD, st.none() | WORD, ADDED)
@example(b"VIN1", b"t", [], None, b'"a"', b"")
@example(b"VIN1", b"t", [b"Host: x"], b'"a"', None, b"X-Forwarded-For: 10.0.0.1\r\n")
def test_a_poll_that_is_read_by_its_shape_is_what_the_parser_reads(
    vin: bytes,
    token: bytes,
    more: list[bytes],
    before: bytes | None,
    condition: bytes | None,
    added: bytes,
) -> None:
    shapes = shapes_of_polls(VEHICLES)
    learnt = with_added(polled(b"VIN2", b"another", more, before), b"another", added)
    like_it = Parsed(learnt)
    if like_it.path is not None:
        shapes.learn(learnt, like_it.scope)
    data = with_added(polled(vin, token, more, condition), token, added)

    found = shapes.read(data)

    if found is not None:
        parsed = Parsed(data)
        assert parsed.path == f"{VEHICLES}{found.word('vin')}"
        assert parsed.of(b"authorization") == [found.word("proof")]
        assert parsed.of(b"if-none-match") == ([] if condition is None else [found.optional("condition")])
        go_by = (b"host", b"x-forwarded-host", b"x-forwarded-proto")
        assert found.kept.scope["headers"] == [each for each in parsed.headers if each[0] in go_by]
        assert (parsed.body, found.body) == (b"", b"")


def test_polls_of_one_shape_are_read_with_a_condition_and_without() -> None:
    shapes = shapes_of_polls(VEHICLES)
    first = polled(b"VIN2", b"another", [b"Host: x"], None)
    shapes.learn(first, Parsed(first).scope)
    for condition in (None, b'"etag"'):
        found = shapes.read(polled(b"VIN1", b"mine", [b"Host: x"], condition))
        assert found is not None
        assert found.optional("condition") == (None if condition is None else '"etag"')


def test_the_shape_of_a_poll_whose_answer_would_not_be_read_is_not_kept() -> None:
    shapes = shapes_of_polls(VEHICLES)
    for accept, kept in ((b"Accept: text/html", False), (b"Accept: application/cbor", True)):
        data = polled(b"VIN2", b"another", [accept], None)
        shapes.learn(data, Parsed(data).scope)
        assert (shapes.read(data) is not None) is kept


def learnt(*more: bytes) -> Shapes[Decode]:
    """After one report with these headers."""
    shapes = shapes_of_reports(VEHICLES)
    data = sent(b"VIN2", b"12", b"another", b"2", [b"Host: x", *more], b"{}")
    shapes.learn(data, Parsed(data).scope)
    return shapes


def test_a_shape_that_came_before_is_read_for_every_vehicle_action_proof_and_length() -> None:
    found = learnt().read(sent(b"VIN1", b"7", b"mine", b"11", [b"Host: x"], b"[1, 2, 3, 4"))

    assert found is not None
    words = [found.word(group) for group in ("vin", "action", "proof")]
    assert words == ["VIN1", "7", "TargetToken mine"]
    assert found.body == b"[1, 2, 3, 4"


def test_other_headers_are_another_shape() -> None:
    assert learnt().read(sent(b"VIN1", b"7", b"mine", b"2", [b"Host: y"], b"{}")) is None


def test_what_a_proxy_says_of_each_client_is_no_part_of_a_shape() -> None:
    shapes = learnt(b"X-Forwarded-For: 10.0.0.1")
    for said in (
        [b"x-forwarded-for: 10.0.0.2, 10.1.0.1"],
        [b"Traceparent: 00-1-2-01", b"tracestate: a=b"],
        [b"b3: 1-2"],
        [b"X-B3-TraceId: 1", b"X-B3-Sampled: 1"],
        [b"CF-Ray: 1"],
        [],
    ):
        assert shapes.read(sent(b"VIN1", b"7", b"mine", b"2", [b"Host: x", *said], b"{}")) is not None


def test_a_body_that_is_not_all_there_or_has_more_behind_it_is_left_to_the_parser() -> None:
    for body in (b"{", b"{} "):
        assert learnt().read(sent(b"VIN1", b"7", b"mine", b"2", [b"Host: x"], body)) is None


def test_a_shape_with_a_second_proof_or_length_is_not_kept() -> None:
    for more in (b"authorization: TargetToken other", b"content-length: 2"):
        assert learnt(more).read(sent(b"VIN1", b"7", b"mine", b"2", [b"Host: x", more], b"{}")) is None


def test_the_type_of_the_body_belongs_to_the_shape() -> None:
    shapes = learnt(b"Content-Type: application/cbor")
    found = shapes.read(
        sent(b"VIN1", b"7", b"mine", b"1", [b"Host: x", b"Content-Type: application/cbor"], b"\xa0")
    )
    assert found is not None
    assert found.kept(found.body) == {}


def test_only_a_request_that_came_alone_teaches_a_shape() -> None:
    shapes = shapes_of_reports(VEHICLES)
    of_another_type = sent(b"VIN1", b"7", b"mine", b"2", [b"Content-Type: text/plain"], b"{}")
    last = sent(b"VIN1", b"7", b"mine", b"2", [], b"{}")

    shapes.learn(of_another_type + last, Parsed(last).scope)

    assert shapes.read(of_another_type) is None


def test_a_shape_that_is_long_is_not_kept() -> None:
    for more, kept in ((b"X: %b" % (b"x" * 1_000), True), (b"X: %b" % (b"x" * 3_000), False)):
        again = sent(b"VIN1", b"7", b"mine", b"2", [b"Host: x", more], b"{}")
        assert (learnt(more).read(again) is not None) == kept


def test_a_long_head_is_given_up_at_once() -> None:
    """In a process of its own, for a pattern that tries again does so for hours."""
    program = f"""if True:
        from gateway.known_polls import shapes_of_polls
        from gateway.known_reports import shapes_of_reports
        more = 4_000 * b"Authorization: x\\r\\n" + 4_000 * b"Content-Length: 1\\r\\n"
        more += 4_000 * b"If-None-Match: x\\r\\n"
        for shapes, line in (
            (shapes_of_reports, b"POST {VEHICLES}X/deploymentBase/1/feedback HTTP/1.1\\r\\n"),
            (shapes_of_polls, b"GET {VEHICLES}X HTTP/1.1\\r\\n"),
        ):
            assert shapes({VEHICLES!r}).read(line + more + b"X") is None
    """
    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == 0

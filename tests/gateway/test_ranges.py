"""Which Range headers are served and which are refused, and how Accept and ETags are read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.answer import HAL, media_type, names
from gateway.body import CBOR, JSON
from gateway.errors import NotAcceptable
from gateway.ranges import satisfiable

SIZE = 2_048


WITHIN = """
    bytes=0-0  bytes=0-  bytes=2047-  bytes=10-20  bytes=-1  bytes=-9999  bytes=0-99999  bytes=0-1,5-6
    bytes=5-6,0-4  bytes=-5,2042-2042
"""
OUTSIDE = """
    bytes=2048-  bytes=5-4  bytes=-0  bytes=-  bytes=  bytes=a-b  bytes=1_0-20  items=0-1  bytes=0-1,9999-
    bytes=0-9,9-10  bytes=5-,0-5  bytes=-5,2043-2043  bytes=0-99999,2047-  bytes=3-3,3-3
    bytes=0-1,  bytes  bytes=--5  bytes=5--1  0-1
"""


@pytest.mark.parametrize("header", [*WITHIN.split(), "bytes=0-1, -5", "bytes= 0-1"])
def test_ranges_within_the_file_are_served(header: str) -> None:
    assert satisfiable(header, SIZE)


@pytest.mark.parametrize("header", [*OUTSIDE.split(), "", "bytes=\u0665-", "bytes=0-" + "9" * 5_000])
def test_other_ranges_are_refused(header: str) -> None:
    assert not satisfiable(header, SIZE)


@given(st.text(alphabet="bytes=0123456789-, _x", max_size=30), st.integers(0, 50))
def test_any_header_is_judged(header: str, size: int) -> None:
    satisfiable(header, size)
    satisfiable("bytes=" + header, size)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, HAL),
        ("*/*", HAL),
        ("application/*;q=0.8", HAL),
        ("application/hal+json", HAL),
        ("application/json", JSON),
        ("application/json;charset=UTF-8", JSON),
        ("text/html, Application/JSON", JSON),
        ("text/html, */*", HAL),
        ("", HAL),
        ("application/*", HAL),
        ("application/cbor", CBOR),
        ("application/json;q=0.5, application/cbor", CBOR),
        ("application/cbor;q=0.5, application/json;q=0.9", JSON),
        ("application/hal+json;q=0, */*", JSON),
        ("application/cbor;q=nan, */*;q=1e9", CBOR),
        ("*/*, application/cbor;q=0.1", HAL),
    ],
)
def test_the_best_liked_format_is_answered_and_hal_where_all_are_equal(accept: str | None, kind: str) -> None:
    assert media_type(accept) == kind


@pytest.mark.parametrize(
    "accept", ["text/html", "application/xml", "image/*", "application/json;q=0", "*/*;q=0.0"]
)
def test_other_formats_are_refused(accept: str) -> None:
    with pytest.raises(NotAcceptable):
        media_type(accept)


@pytest.mark.parametrize(
    ("condition", "named"),
    [
        (None, False),
        ('"a"', True),
        ('W/"a"', True),
        ('"b", "a"', True),
        ("*", True),
        ('"b"', False),
        ("", False),
    ],
)
def test_a_condition_names_an_etag(condition: str | None, named: bool) -> None:
    assert names(condition, '"a"') is named

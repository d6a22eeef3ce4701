"""Versions are ordered as versions, and what has no place in the order lies in no range."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign.versions import check_range, in_range, parse_version, same_version

NUMBERS = st.lists(st.integers(0, 30), min_size=1, max_size=4).map(tuple)


@pytest.mark.parametrize(
    ("version", "wanted", "inside"),
    [
        ("1.10", ">1.9", True),
        ("1.9", ">1.10", False),
        ("1.10.0", "<1.9", False),
        ("1.4.0rc1", "<1.4.0", True),
        ("1.4.0rc1", ">=1.4.0", False),
        ("1.4.0.dev1", "<1.4.0rc1", True),
        ("1.4.0.post1", ">1.4.0", True),
        ("1.4", "==1.4.0", True),
        ("1.4", "!=1.4.0", False),
        ("1.4.1", "!=1.4.0", True),
        ("1.4.0", "<=1.4.0", True),
        ("1.4.0", ">=1.4.0", True),
        ("1.4.0", "<1.4.0", False),
        ("1.4.0", ">1.4.0", False),
        ("1.3.9", ">=1.2,<1.4.0", True),
        ("1.4.0", ">=1.2,<1.4.0", False),
        ("1.1", ">=1.2,<1.4.0", False),
        ("1.3", " >= 1.2 , < 1.4.0 ", True),
        ("v1.3", "<1.4", True),
    ],
)
def test_a_version_lies_in_a_range_by_the_order_of_versions(version: str, wanted: str, inside: bool) -> None:
    assert in_range(version, wanted) is inside


@pytest.mark.parametrize("version", ["MU-0923-b", "", "latest", "1.4.0-final-x"])
@pytest.mark.parametrize("wanted", [">=0", "<999", "!=1.0", "==1.0"])
def test_a_version_without_a_place_in_the_order_lies_in_no_range(version: str, wanted: str) -> None:
    assert parse_version(version) is None
    assert not in_range(version, wanted)


@given(NUMBERS, NUMBERS)
def test_ranges_agree_with_the_order_of_the_numbers(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    first, second = ".".join(map(str, one)), ".".join(map(str, other))
    padded = (one + (0,) * 4)[:4], (other + (0,) * 4)[:4]
    assert in_range(first, f"<{second}") is (padded[0] < padded[1])
    assert in_range(first, f">={second}") is (padded[0] >= padded[1])
    assert in_range(first, f"=={second}") is same_version(first, second) is (padded[0] == padded[1])
    assert in_range(first, f"!={second}") is (padded[0] != padded[1])


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1.4", "1.4.0", True),
        ("1.4.0", "1.4.1", False),
        ("MU-1", "MU-1", True),
        ("MU-1", "MU-2", False),
        ("MU-1", "1.4", False),
        ("1.4", "MU-1", False),
    ],
)
def test_two_texts_may_name_one_version(one: str, other: str, same: bool) -> None:
    assert same_version(one, other) is same


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1.4", "list of comparisons"),
        ("", "list of comparisons"),
        (">=1.2,", "list of comparisons"),
        ("=1.2", "list of comparisons"),
        ("~=1.2", "list of comparisons"),
        (">=1.2 <1.4", "list of comparisons"),
        ("<MU-1", "'MU-1' is no version; write numbers such as 1.4.0"),
    ],
)
def test_a_range_that_cannot_be_read_is_refused_with_the_form(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_range(text)


def test_a_range_stays_as_it_was_written() -> None:
    assert check_range(" >=1.2, <1.4 ") == " >=1.2, <1.4 "

"""VINs: 17 characters without I, O and Q; the check digit binds in North America and China only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign.vin import _plainly_good, _read, check_vin
from simulator.vin import ALPHABET, YEAR_CODES, check_digit

LETTERS = ALPHABET + "0123456789"

#: Everything but the check digit; position 10 is a model year.
DRAFTS = st.builds(
    lambda head, year, tail: f"{head}0{year}{tail}",
    st.text(LETTERS, min_size=7, max_size=7),
    st.sampled_from(YEAR_CODES),
    st.text(LETTERS, min_size=7, max_size=7),
)


def test_the_factory_vin_of_the_example_is_taken_as_it_is() -> None:
    assert check_vin("1HGCM82633A004352") == "1HGCM82633A004352"


def test_a_vin_comes_out_in_capitals() -> None:
    assert check_vin("1hgcm82633a004352") == "1HGCM82633A004352"


def test_a_european_vin_needs_no_check_digit() -> None:
    assert check_vin("WVWZZZ1JZXW000001") == "WVWZZZ1JZXW000001"


@pytest.mark.parametrize("letter", "IOQ")
def test_i_o_and_q_are_in_no_vin(letter: str) -> None:
    with pytest.raises(ValueError, match="'I', 'O', and 'Q'"):
        check_vin(f"WVWZZZ1JZXW00000{letter}")


@pytest.mark.parametrize(
    "text", ["", "1HGCM82633A00435", "1HGCM82633A0043521", "1HGCM82633A00435\N{DIGIT TWO}2"]
)
def test_a_vin_has_17_characters(text: str) -> None:
    with pytest.raises(ValueError, match="17 chars"):
        check_vin(text)


@given(first=st.sampled_from("12345"), draft=DRAFTS)
def test_north_america_takes_the_right_check_digit_and_no_other(first: str, draft: str) -> None:
    _takes_one_digit_only(first + draft)


@given(first=st.sampled_from(["L" + letter for letter in ALPHABET]), draft=DRAFTS)
def test_china_takes_the_right_check_digit_and_no_other(first: str, draft: str) -> None:
    _takes_one_digit_only(first + draft[1:])


@given(first=st.sampled_from("JKSTVWXYZ"), draft=DRAFTS, digit=st.sampled_from(LETTERS))
def test_elsewhere_position_9_may_hold_anything(first: str, draft: str, digit: str) -> None:
    vin = first + draft
    assert check_vin(vin[:8] + digit + vin[9:]) == vin[:8] + digit + vin[9:]


def _takes_one_digit_only(vin: str) -> None:
    right = check_digit(vin)
    for digit in "0123456789X":
        text = vin[:8] + digit + vin[9:]
        if digit == right:
            assert check_vin(text) == text
        else:
            with pytest.raises(ValueError, match="check digit"):
                check_vin(text)


@given(
    first=st.sampled_from(["1HG", "5YJ", "LRW", "XP7", "JHM", "2", "L", "W"]),
    text=st.text(LETTERS, min_size=17),
)
def test_the_short_way_says_yes_only_where_the_library_does(first: str, text: str) -> None:
    vin = (first + text)[:17]
    for digit in "0123456789X":
        candidate = vin[:8] + digit + vin[9:]
        if _plainly_good(candidate):
            assert _read(candidate) == candidate

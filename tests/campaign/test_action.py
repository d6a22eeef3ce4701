"""Action ids: 31 bits, and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign.action import MAX_ATTEMPT, MAX_CAMPAIGN, action_id, split


@given(st.integers(1, MAX_CAMPAIGN), st.integers(1, MAX_ATTEMPT))
def test_an_action_id_leads_back_to_campaign_and_attempt_and_fits_31_bits(
    campaign: int, attempt: int
) -> None:
    action = action_id(campaign, attempt)
    assert split(action) == (campaign, attempt)
    assert 0 < action < 2**31


def test_the_largest_id_is_the_largest_of_31_bits() -> None:
    assert action_id(MAX_CAMPAIGN, MAX_ATTEMPT) == 2**31 - 1
    assert (MAX_CAMPAIGN, MAX_ATTEMPT) == (16_777_215, 127)


@pytest.mark.parametrize(
    ("campaign", "attempt"),
    [(0, 1), (-1, 1), (MAX_CAMPAIGN + 1, 1), (1, 0), (1, -1), (1, MAX_ATTEMPT + 1)],
)
def test_a_number_that_does_not_fit_is_refused(campaign: int, attempt: int) -> None:
    with pytest.raises(ValueError, match=f"no action id for campaign {campaign}, attempt {attempt}"):
        action_id(campaign, attempt)


@given(st.integers(0, 2**31 - 1))
def test_a_foreign_number_is_split_into_numbers_within_the_columns(action: int) -> None:
    campaign, attempt = split(action)
    assert 0 <= campaign <= MAX_CAMPAIGN
    assert 0 <= attempt <= MAX_ATTEMPT

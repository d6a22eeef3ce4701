"""The action ids vehicles see: campaign and attempt packed into 31 bits.

Update clients read them as 32-bit integers, so they stay below 2**31: 16.7 million campaigns of 127 attempts.
An id is unique for one vehicle; other vehicles of the campaign share it.
"""

_ATTEMPT_BITS = 7
MAX_ATTEMPT = (1 << _ATTEMPT_BITS) - 1
MAX_CAMPAIGN = (1 << (31 - _ATTEMPT_BITS)) - 1


def action_id(campaign_id: int, attempt: int) -> int:
    """The id of a campaign's ``attempt``-th offer (from 1) to a vehicle.

    Raises:
        ValueError: a number does not fit.
    """
    if not (1 <= campaign_id <= MAX_CAMPAIGN and 1 <= attempt <= MAX_ATTEMPT):
        raise ValueError(f"no action id for campaign {campaign_id}, attempt {attempt}")
    return campaign_id << _ATTEMPT_BITS | attempt


def split(action: int) -> tuple[int, int]:
    """The campaign and attempt of an action id; of a foreign number, a pair that is nowhere stored."""
    return action >> _ATTEMPT_BITS, action & MAX_ATTEMPT

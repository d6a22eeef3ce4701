"""The four standard rings as a preset."""

from datetime import timedelta
from decimal import Decimal

from campaign.criteria import Criterion
from campaign.definition import Order, Phase

#: Ring 0 is 10 to 50 internal vehicles.
TEST_FLEET = range(10, 51)


def standard_rings(
    country: str, *, test_fleet: int = 30, volunteers_first: bool = False
) -> tuple[Phase, ...]:
    """Test fleet, canary, regional, global.

    Args:
        country: where ring 2 takes place, an ISO 3166 code or name.
        test_fleet: how many internal vehicles go first, 10 to 50.
        volunteers_first: whether the canary prefers volunteers to a purely random choice.

    Raises:
        ValueError: the test fleet is too small or too large, or the country unknown.
    """
    if test_fleet not in TEST_FLEET:
        raise ValueError(
            f"test_fleet = {test_fleet}: give {TEST_FLEET[0]} to {TEST_FLEET[-1]} internal vehicles"
        )
    day = timedelta(days=1)
    return (
        Phase(
            name="test fleet",
            criteria=Criterion(groups=("internal",)),
            rollout_count=test_fleet,
            wait_time=day,
        ),
        Phase(
            name="canary",
            criteria=Criterion(**{"not": Criterion(groups=("internal",))}),
            rollout_count=1_000,
            order=Order.VOLUNTEERS_FIRST if volunteers_first else Order.RANDOM,
            wait_time=day,
        ),
        Phase(
            name="regional",
            criteria=Criterion(country=(country,)),
            rollout_count=10_000,
            wait_time=2 * day,
        ),
        Phase(name="global", rollout_percent=Decimal(100)),
    )

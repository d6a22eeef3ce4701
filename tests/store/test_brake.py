"""The brake: the tick writes how many may be under way, by what is known, and the admission obeys."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest

from campaign.assignment import Target
from campaign.supervision import Mode
from tests.store.fleet import NO_BRAKE, Fleet, Gateway, cars, closing, connected, plain

CAP = "SELECT in_flight FROM campaign"
#: Failures are what these tests are about, not what stops them.
DEAF = plain("0.99")


def matured(fleet: Fleet, good: int, bad: int = 0, quiet: int = 0, **changes: Any) -> tuple[int, list[int]]:
    """A campaign of 300 of whom some began long ago; the rest waits."""
    ids = fleet.add(cars(300))
    campaign = fleet.launch(guards=DEAF, **changes)
    fleet.install(campaign, ids[: good + bad + quiet], 4)
    fleet.run("UPDATE assignment SET state = 'succeeded' WHERE vehicle_id = ANY(:v)", v=ids[:good])
    fleet.run("UPDATE assignment SET state = 'failed' WHERE vehicle_id = ANY(:v)", v=ids[good : good + bad])
    return campaign, ids


def cap(fleet: Fleet, campaign: int, **changes: Any) -> int:
    """The cap after a tick; what it says is what it wrote."""
    seen = fleet.tick(campaign, **changes)
    assert seen.cap == fleet.value(CAP)
    return int(fleet.value(CAP))


def test_before_anything_has_matured_the_cap_is_the_floor(fleet: Fleet) -> None:
    campaign, ids = matured(fleet, 0)
    assert cap(fleet, campaign) == 30
    fleet.install(campaign, ids[:100], 1)
    assert cap(fleet, campaign) == 30
    fleet.run("UPDATE assignment SET state = 'succeeded' WHERE state = 'installing'")
    assert cap(fleet, campaign) == 30  # well, and too soon to know


def test_a_floor_above_the_ceiling_is_the_ceiling(fleet: Fleet) -> None:
    campaign, _ = matured(fleet, 0, limits={"in_flight": 10})
    assert cap(fleet, campaign) == 10


@pytest.mark.parametrize(
    ("good", "bad", "quiet", "expected"),
    [(10, 0, 0, 90), (100, 0, 0, 675), (95, 5, 0, 223), (95, 0, 5, 223), (50, 50, 0, 41), (0, 100, 0, 30)],
)
def test_the_cap_grows_with_those_that_matured_well_and_shrinks_with_the_bad(
    good: int, bad: int, quiet: int, expected: int, fleet: Fleet
) -> None:
    campaign, _ = matured(fleet, good, bad, quiet)
    fleet.run("UPDATE campaign SET breach = NULL")
    assert fleet.tick(campaign).cap == expected


def test_a_failure_brakes_before_its_time_is_up(fleet: Fleet) -> None:
    campaign, ids = matured(fleet, 95)
    before = cap(fleet, campaign)
    fleet.install(campaign, ids[100:105], 1)
    fleet.put(campaign, Target.FAILED, ids[100:105])
    assert (before, cap(fleet, campaign)) == (643, 223)


def test_a_quiet_vehicle_that_reports_at_last_releases_the_brake(fleet: Fleet) -> None:
    campaign, _ = matured(fleet, 95, quiet=5)
    assert cap(fleet, campaign) == 223
    fleet.run("UPDATE assignment SET state = 'succeeded' WHERE state = 'installing'")
    assert cap(fleet, campaign) == 675


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"in_flight": 600}, 600),
        ({"harm_budget": 5}, 135),
        ({"in_flight_floor": 700}, 700),
        ({"in_flight": 600, "in_flight_floor": 700}, 600),
        (NO_BRAKE | {"in_flight": 123}, 123),
    ],
    ids=str,
)
def test_the_cap_lies_between_floor_and_ceiling_and_follows_the_budget(
    limits: dict[str, Any], expected: int, fleet: Fleet
) -> None:
    campaign, _ = matured(fleet, 100, limits=limits)
    assert cap(fleet, campaign) == expected


@pytest.mark.parametrize(("mode", "expected"), [(Mode.BAKING, 675), (Mode.PROVING, 675), (Mode.HOLDING, 30)])
def test_the_cap_is_written_wherever_vehicles_are_admitted(mode: Mode, expected: int, fleet: Fleet) -> None:
    campaign, _ = matured(fleet, 100)
    fleet.tick(campaign, mode=mode)
    assert fleet.value(CAP) == expected


def test_a_new_evidence_window_begins_at_the_floor(fleet: Fleet) -> None:
    campaign, _ = matured(fleet, 100)
    assert cap(fleet, campaign) == 675
    fleet.shut(campaign, 2)
    fleet.open(campaign, 3, new_window=True)
    assert cap(fleet, campaign, seq=3) == 30


def test_all_phases_teach_the_brake(fleet: Fleet) -> None:
    ids = fleet.add(cars(300))
    campaign = fleet.launch(guards=DEAF, phases=[{"rollout_percent": 50}, {"rollout_percent": 100}])
    fleet.install(campaign, ids[:100], 4)
    fleet.run("UPDATE assignment SET state = 'succeeded' WHERE state = 'installing'")
    assert fleet.value("SELECT count(DISTINCT phase) FROM assignment WHERE state = 'succeeded'") == 2
    assert cap(fleet, campaign) == 675


async def test_many_gateways_together_never_exceed_the_brake(fleet: Fleet) -> None:
    """Ten matured well, so 90 may be under way: 20 are, eight gateways ask for all the rest."""
    campaign, ids = matured(fleet, 10)
    fleet.install(campaign, ids[10:30], 0.5)
    assert cap(fleet, campaign) == 90
    async with AsyncExitStack() as stack:
        gateways = [await stack.enter_async_context(connected(fleet.url)) for _ in range(8)]

        async def poll(gateway: Gateway, mine: list[int]) -> int:
            return sum([len(await gateway.admit(*mine[at : at + 3])) for at in range(0, len(mine), 3)])

        parts = [ids[30 + place :: 8] for place in range(8)]
        counts = await asyncio.gather(*map(poll, gateways, parts))
    assert sum(counts) == 70
    fleet.assert_tally()


async def test_failures_take_room_from_who_asks_next(fleet: Fleet, gateway: Gateway) -> None:
    campaign, ids = matured(fleet, 100)
    assert cap(fleet, campaign) == 675
    offered = await gateway.admit(*ids[100:160])
    assert len(offered) == 60
    fleet.put(campaign, Target.INSTALLING, list(offered))
    await gateway.record(*closing(campaign, list(offered)[:25], "failure"))
    left = cap(fleet, campaign)
    assert 35 < left < 160
    assert len(await gateway.admit(*ids[160:])) == left - 35

"""A group decides before it has the campaign's lock: what others change meanwhile is decided on anew."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from campaign.action import action_id
from campaign.assignment import Target
from store import reports
from store.reports import Effect, Report
from store.words import LOCK_SQL
from tests.store.fleet import Fleet, Gateway, cars, closing, connected, report, waiting_for_a_lock


@pytest.fixture
def decisions(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """How groups have decided, each time that one did: whether under the lock."""
    found: list[bool] = []
    record = reports.record

    async def noted(*args: Any, decided_locked: bool = False) -> Sequence[Effect]:
        found.append(decided_locked)
        return await record(*args, decided_locked=decided_locked)

    monkeypatch.setattr(reports, "record", noted)
    return found


@asynccontextmanager
async def decided(
    fleet: Fleet, gateway: Gateway, campaign: int, *group: Report
) -> AsyncIterator[tuple[Gateway, asyncio.Task[list[Effect]]]]:
    """While the block runs the group has decided and waits for the campaign, which the given one holds."""
    async with connected(fleet.url) as holder:
        async with holder.connection.transaction():
            await holder.connection.execute(LOCK_SQL, [[campaign]])
            telling = asyncio.create_task(gateway.record(*group))
            await waiting_for_a_lock(fleet)
            yield holder, telling
        await telling


async def test_who_has_decided_holds_the_campaign_only_to_write(
    fleet: Fleet, gateway: Gateway, decisions: list[bool]
) -> None:
    told, other = fleet.add(cars(2))
    campaign = fleet.launch()
    fleet.put(campaign, Target.INSTALLING)
    async with decided(fleet, gateway, campaign, *closing(campaign, [told], "success")) as (holder, telling):
        assert decisions == [False]
        await holder.connection.execute(
            "UPDATE assignment SET heard_at = clock_timestamp() WHERE vehicle_id = %s", [other]
        )
    assert telling.result() == [Effect.RECORDED]
    assert decisions == [False]


async def test_a_report_that_a_pause_overtakes_begins_nothing(
    fleet: Fleet, gateway: Gateway, decisions: list[bool]
) -> None:
    [vehicle] = fleet.add(cars(1))
    campaign = fleet.launch()
    fleet.put(campaign, Target.OFFERED)
    begins = report(vehicle, action_id(campaign, 1), "proceeding")
    async with decided(fleet, gateway, campaign, begins) as (holder, telling):
        await holder.connection.execute("UPDATE campaign SET gate_open = false")
    assert telling.result() == [Effect.OVER]
    assert fleet.state(vehicle, campaign) == "pending"
    assert decisions == [False, True]


async def test_a_report_that_the_outcome_of_its_vehicle_overtakes_changes_it_no_more(
    fleet: Fleet, gateway: Gateway, decisions: list[bool]
) -> None:
    [vehicle] = fleet.add(cars(1))
    campaign = fleet.launch()
    fleet.put(campaign, Target.INSTALLING)
    late = report(vehicle, action_id(campaign, 1), "closed", "failure")
    async with decided(fleet, gateway, campaign, late) as (holder, telling):
        assert await holder.record(*closing(campaign, [vehicle], "success")) == [Effect.RECORDED]
    assert telling.result() == [Effect.OVER]
    assert fleet.state(vehicle, campaign) == "succeeded"
    assert decisions == [False, False, True]


async def test_of_a_group_that_is_overtaken_everything_is_written_once(
    fleet: Fleet, gateway: Gateway, decisions: list[bool]
) -> None:
    first, second = ids = fleet.add(cars(2))
    campaign = fleet.launch()
    fleet.put(campaign, Target.INSTALLING)
    async with decided(fleet, gateway, campaign, *closing(campaign, ids, "success")) as (holder, telling):
        await holder.record(report(first, action_id(campaign, 1), "proceeding"))
    assert telling.result() == [Effect.RECORDED] * 2
    assert decisions == [False, False, True]
    assert fleet.value("SELECT count(*) FROM report WHERE execution = 'closed'") == 2
    assert fleet.value("SELECT count(*) FROM software_change WHERE campaign_id IS NOT NULL") == 2
    assert {fleet.state(vehicle, campaign) for vehicle in (first, second)} == {"succeeded"}


async def test_an_outcome_that_an_exclusion_overtakes_is_in_no_slice_of_time(
    fleet: Fleet, gateway: Gateway, decisions: list[bool]
) -> None:
    [vehicle] = fleet.add(cars(1))
    campaign = fleet.launch()
    fleet.put(campaign, Target.DOWNLOADING)
    fails = closing(campaign, [vehicle], "failure")
    async with decided(fleet, gateway, campaign, *fails) as (holder, telling):
        await holder.connection.execute("UPDATE configuration SET excluded = true")
        await holder.connection.execute("UPDATE campaign SET excluded = ARRAY['model=Model_Y']")
    assert telling.result() == [Effect.RECORDED]
    assert fleet.value("SELECT count(*) FROM assignment WHERE slice IS NOT NULL") == 0
    assert decisions == [False, True]

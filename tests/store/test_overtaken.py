"""A group decides before it has the campaign's lock: what others change meanwhile is decided on anew."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from psycopg import AsyncConnection

from campaign.action import action_id
from campaign.assignment import Target
from campaign.cohorts import Cohort
from campaign.lifecycle import State
from store import exclusion, gate, reports
from store.reports import Effect, Overtaken, Report
from store.words import LOCK_SQL
from tests.store.fleet import (
    Fleet,
    Gateway,
    another_makes_it,
    cars,
    closing,
    connected,
    report,
    waiting_for_a_lock,
)


@pytest.fixture
def tries(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of groups, each time that one decides."""
    found: list[int] = []
    record = reports.record

    async def noted(connection: AsyncConnection, group: Sequence[Report]) -> Sequence[Effect]:
        found.append(len(group))
        return await record(connection, group)

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


async def test_what_others_change_elsewhere_overtakes_nobody(
    fleet: Fleet, gateway: Gateway, tries: list[int]
) -> None:
    told, other = fleet.add(cars(2))
    campaign = fleet.launch()
    fleet.put(campaign, Target.INSTALLING)
    async with decided(fleet, gateway, campaign, *closing(campaign, [told], "success")) as (holder, telling):
        moved = "UPDATE assignment SET heard_at = clock_timestamp() WHERE vehicle_id = %s"
        await holder.connection.execute(moved, [other])
        await holder.connection.execute("UPDATE campaign SET lease_until = lease_until + interval '1 minute'")
    assert telling.result() == [Effect.RECORDED]
    assert tries == [1]


async def test_a_report_that_a_pause_overtakes_begins_nothing(
    fleet: Fleet, gateway: Gateway, tries: list[int]
) -> None:
    [vehicle] = fleet.add(cars(1))
    campaign = fleet.launch()
    fleet.put(campaign, Target.OFFERED)
    with fleet.engine.begin() as connection:
        gate.shut_gate(connection, campaign, 2, State.PAUSED)
        telling = asyncio.create_task(gateway.say(vehicle, action_id(campaign, 1), "proceeding"))
        await waiting_for_a_lock(fleet)
    assert await telling is Effect.OVER
    assert fleet.state(vehicle, campaign) == "pending"
    assert tries == [1, 1]


async def test_an_offer_whose_lease_ends_while_its_report_waits_begins_nothing(
    fleet: Fleet, gateway: Gateway, tries: list[int]
) -> None:
    [vehicle] = fleet.add(cars(1))
    campaign = fleet.launch()
    fleet.put(campaign, Target.OFFERED)
    begins = report(vehicle, action_id(campaign, 1), "proceeding")
    async with decided(fleet, gateway, campaign, begins) as (holder, telling):
        await holder.connection.execute("UPDATE campaign SET lease_until = clock_timestamp()")
    assert telling.result() == [Effect.OVER]
    assert fleet.state(vehicle, campaign) == "pending"
    assert tries == [1, 1]


async def test_a_report_that_the_outcome_of_its_vehicle_overtakes_changes_it_no_more(
    fleet: Fleet, gateway: Gateway, tries: list[int]
) -> None:
    [vehicle] = fleet.add(cars(1))
    campaign = fleet.launch()
    fleet.put(campaign, Target.INSTALLING)
    late = report(vehicle, action_id(campaign, 1), "closed", "failure")
    async with decided(fleet, gateway, campaign, late) as (holder, telling):
        assert await holder.record(*closing(campaign, [vehicle], "success")) == [Effect.RECORDED]
    assert telling.result() == [Effect.OVER]
    assert fleet.state(vehicle, campaign) == "succeeded"
    assert tries == [1, 1, 1]


async def test_a_word_that_an_installation_goes_on_is_not_heard_of_one_that_has_ended_meanwhile(
    fleet: Fleet, gateway: Gateway, tries: list[int]
) -> None:
    [vehicle] = fleet.add(cars(1))
    campaign = fleet.launch()
    fleet.put(campaign, Target.INSTALLING)
    action = action_id(campaign, 1)
    assert await gateway.say(vehicle, action, "proceeding") is Effect.RECORDED  # the next one is only heard
    async with decided(fleet, gateway, campaign, report(vehicle, action, "proceeding")) as (holder, telling):
        ended = "UPDATE assignment SET state = 'critical', finished_at = clock_timestamp()"
        await holder.connection.execute(ended)
    assert telling.result() == [Effect.OVER]
    assert tries == [1, 1, 1]


async def test_of_a_group_that_is_overtaken_everything_is_written_once(
    fleet: Fleet, gateway: Gateway, tries: list[int]
) -> None:
    first, second = ids = fleet.add(cars(2))
    campaign = fleet.launch()
    fleet.put(campaign, Target.INSTALLING)
    async with decided(fleet, gateway, campaign, *closing(campaign, ids, "success")) as (holder, telling):
        await holder.record(report(first, action_id(campaign, 1), "proceeding"))
    assert telling.result() == [Effect.RECORDED] * 2
    assert tries == [2, 1, 2]
    assert fleet.value("SELECT count(*) FROM report WHERE execution = 'closed'") == 2
    assert fleet.value("SELECT count(*) FROM software_change WHERE campaign_id IS NOT NULL") == 2
    assert {fleet.state(vehicle, campaign) for vehicle in (first, second)} == {"succeeded"}


async def test_an_outcome_that_an_exclusion_overtakes_is_in_no_slice_of_time(
    fleet: Fleet, gateway: Gateway, tries: list[int]
) -> None:
    [vehicle, _] = fleet.add(cars(1) + cars(1, first=2, hw_id="EVO15"))
    campaign = fleet.launch()
    fleet.put(campaign, Target.DOWNLOADING)
    with fleet.engine.begin() as connection:
        exclusion.exclude(connection, campaign, Cohort.read("hw_id=EVO14"))
        telling = asyncio.create_task(gateway.record(*closing(campaign, [vehicle], "failure")))
        await waiting_for_a_lock(fleet)
    assert await telling == [Effect.RECORDED]
    assert fleet.value("SELECT count(*) FROM assignment WHERE slice IS NOT NULL") == 0
    assert tries == [1, 1]


async def test_a_group_that_is_overtaken_each_time_is_refused_and_leaves_nothing(
    fleet: Fleet, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = fleet.add(cars(1))
    campaign = fleet.launch()
    fleet.put(campaign, Target.INSTALLING)
    before = fleet.everything()
    monkeypatch.setattr(reports, "LOCK_AS_READ_SQL", "SELECT refuse_overtaken(false)")
    with pytest.raises(Overtaken):
        await gateway.record(*closing(campaign, ids, "success"))
    assert fleet.everything() == before
    monkeypatch.undo()
    assert await gateway.record(*closing(campaign, ids, "success")) == [Effect.RECORDED]


async def test_a_success_that_waits_for_a_new_variant_holds_no_campaign(
    fleet: Fleet, gateway: Gateway
) -> None:
    vehicle, like = fleet.add(cars(2))
    campaign = fleet.launch()
    fleet.put(campaign, Target.INSTALLING, [vehicle])
    making = another_makes_it(fleet, like, "Radar", "1.4.0")
    async with asyncio.TaskGroup() as tasks, making, asyncio.timeout(20):
        telling = tasks.create_task(gateway.record(*closing(campaign, [vehicle], "success")))
        await waiting_for_a_lock(fleet)
        await asyncio.to_thread(fleet.shut, campaign, 2)
        assert not telling.done()
    assert telling.result() == [Effect.RECORDED]

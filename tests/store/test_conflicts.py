"""Campaigns that would leave the same vehicles with other software: refused, made to wait, or kept apart."""

import asyncio

import pytest

from campaign.assignment import OPEN, TERMINAL, Target
from campaign.definition import Definition
from campaign.package import Package
from campaign.problems import Refused
from store.campaigns import Waiting
from store.forecast import skipped
from tests.store.fleet import MODULE, PACKAGE, Fleet, cars, connected, define, waiting_for_a_lock

#: The same ECU with other software.
OTHER = Package.model_validate({"name": "Pkg2", "modules": [MODULE | {"version": "1.5.0"}]})


def rival(**changes: object) -> Definition:
    return define(**{"name": "rival", "package": OTHER} | changes)


def test_a_campaign_that_contradicts_another_one_is_refused_at_the_door(fleet: Fleet) -> None:
    fleet.add(cars(3))
    fleet.add(cars(2, first=3, country="FR"))
    fleet.launch(criteria={"country": "FR"})
    with pytest.raises(Refused) as caught:
        fleet.register(rival())
    assert str(caught.value) == (
        "definition refused: package = 'Pkg2': campaign 'Winter' is not done with 2 of its vehicles (Radar "
        "1.5.0 against 1.4.0). Leave these vehicles out (conflicts: skip, or exclude), wait for the other "
        "one to end (conflicts: wait), or end it"
    )
    assert fleet.value("SELECT count(*) FROM campaign") == 1


@pytest.mark.parametrize("state", sorted(TERMINAL), ids=str)
def test_with_a_vehicle_that_is_over_another_campaign_is_no_conflict(state: Target, fleet: Fleet) -> None:
    fleet.add(cars(2))
    fleet.put(fleet.launch(), state)
    assert fleet.register(rival()) == {1: 2}


def test_campaigns_of_the_same_software_or_of_other_vehicles_are_no_conflict(fleet: Fleet) -> None:
    fleet.add(cars(4))
    fleet.launch()
    fleet.launch(name="again", package=PACKAGE)
    fleet.add(cars(2, first=10, model="Model_X"))
    assert fleet.register(rival(criteria={"model": "Model_X"})) == {1: 2}


def test_of_two_registered_before_either_selected_the_second_to_select_is_refused(fleet: Fleet) -> None:
    fleet.add(cars(3))
    fleet.register(define())
    fleet.register(rival())
    first, second = [row[0] for row in fleet.rows("SELECT id FROM campaign ORDER BY id")]
    fleet.select(first)
    with pytest.raises(Refused, match="'Winter' is not done with 3 of its vehicles"):
        fleet.select(second)
    assert fleet.value("SELECT count(*) FROM assignment WHERE campaign_id = :c", c=second) == 0


def test_one_that_waits_selects_when_the_other_is_done_with_its_vehicles(fleet: Fleet) -> None:
    fleet.add(cars(3))
    first = fleet.launch()
    fleet.register(rival(conflicts="wait", criteria=None))
    second = fleet.value("SELECT max(id) FROM campaign")
    for state in sorted(OPEN):
        fleet.put(first, state)
        with pytest.raises(Waiting, match="campaign 'Winter' is not done with 3 of its vehicles"):
            fleet.select(second)
    fleet.put(first, Target.FAILED)
    assert fleet.select(second) == {1: 3}


def test_one_that_skips_leaves_out_the_vehicles_another_one_is_not_done_with(fleet: Fleet) -> None:
    free = fleet.add(cars(3))
    fleet.add(cars(2, first=3, country="FR"))
    fleet.launch(criteria={"country": "FR"})
    campaign = fleet.launch(rival(conflicts="skip"))
    assert sorted(fleet.states(campaign)) == free
    with fleet.engine.connect() as connection:
        assert skipped(connection, rival(conflicts="skip", name="third"), OTHER) == {"Winter": 2}
        assert skipped(connection, rival(name="third"), OTHER) == {}


async def test_two_selections_at_once_that_contradict_each_other_take_turns(fleet: Fleet) -> None:
    fleet.add(cars(3))
    fleet.register(define())
    fleet.register(rival())
    first, second = [row[0] for row in fleet.rows("SELECT id FROM campaign ORDER BY id")]
    other = Fleet.looking(fleet.url)
    async with connected(fleet.url) as session:
        async with session.connection.transaction():
            lock = "SELECT pg_advisory_xact_lock(hashtextextended('ringmaster selects for Radar', 0))"
            await session.connection.execute(lock)
            selection = asyncio.create_task(asyncio.to_thread(other.select, first))
            await waiting_for_a_lock(fleet)
        assert await selection == {1: 3}
    other.close()
    with pytest.raises(Refused):
        fleet.select(second)

"""A file withdrawn everywhere is delivered by no campaign from one commit on, until it is reinstated."""

import asyncio
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from campaign.action import action_id
from campaign.assignment import Target
from campaign.problems import Refused
from store import journal, withdrawals
from store.reports import Effect
from store.tables import ArtifactRow
from store.withdrawals import Withdrawn
from store.words import LOCK_SQL
from tests.store.fleet import (
    ARTIFACT,
    MODULE,
    SHA256,
    Fleet,
    Gateway,
    cars,
    define,
    report,
    until,
    waiting_for_a_lock,
)

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
OTHER = "d" * 64
HARMLESS: dict[str, Any] = {
    "name": "Harmless",
    "modules": [MODULE | {"artifact": ARTIFACT | {"sha256": OTHER}}],
}
#: Another package with the same file.
TWIN: dict[str, Any] = {"name": "Twin", "modules": [MODULE | {"version": "1.4.1"}]}


def withdraw(fleet: Fleet, what: str = "Pkg", now: datetime = NOW) -> Withdrawn:
    return withdrawals.withdraw(fleet.engine, what, "ann", "brakes fail", now)


def reinstate(fleet: Fleet, what: str = "Pkg") -> list[str]:
    with fleet.engine.begin() as connection:
        return withdrawals.reinstate(connection, what, "ann", "found harmless", datetime.now(UTC))


def texts(fleet: Fleet, campaign: int) -> list[str]:
    with fleet.engine.connect() as connection:
        return [line.text for line in journal.read(connection, campaign)]


@pytest.fixture
def two(fleet: Fleet) -> tuple[int, int]:
    """Ten vehicles for a campaign, ten for one of a package with the same file."""
    fleet.add(cars(10, country="DE") + cars(10, 10, country="FR"))
    one = fleet.launch(name="One", criteria={"country": "DE"})
    return one, fleet.launch(name="Two", criteria={"country": "FR"}, package=TWIN)


@pytest.mark.parametrize("what", ["Pkg", SHA256])
def test_every_campaign_with_the_file_is_stopped_by_the_name_of_a_package_or_the_hash(
    what: str, fleet: Fleet, two: tuple[int, int]
) -> None:
    assert withdraw(fleet, what) == Withdrawn([SHA256], ["One", "Two"])
    assert [fleet.gate_open(campaign) for campaign in two] == [False, False]
    assert fleet.value("SELECT count(*) FROM campaign WHERE shut_at IS NULL") == 0
    for campaign in two:
        assert texts(fleet, campaign) == [f"{what} was withdrawn everywhere by ann: brakes fail"]


@pytest.mark.parametrize("held", [0, 1])
async def test_a_campaign_that_holds_its_lock_keeps_no_other_from_being_stopped(
    held: int, fleet: Fleet, two: tuple[int, int]
) -> None:
    """It may be ending, which takes its time; it is stopped as soon as it lets go."""
    with fleet.engine.begin() as holder:
        holder.exec_driver_sql(LOCK_SQL, ([two[held]],))
        stopping = asyncio.create_task(asyncio.to_thread(withdraw, fleet))
        await until(lambda: not fleet.gate_open(two[1 - held]))
        assert fleet.gate_open(two[held])
        await waiting_for_a_lock(fleet)
    assert (await stopping).campaigns == ["One", "Two"]
    assert not fleet.gate_open(two[held])


async def test_nobody_is_admitted_nor_begins_and_who_downloads_is_asked_to_cancel(
    fleet: Fleet, gateway: Gateway, two: tuple[int, int]
) -> None:
    campaign = two[0]
    offered, downloads, installs, waits, *_ = sorted(fleet.states(campaign))
    action = action_id(campaign, 1)
    for vehicle in (offered, downloads, installs):
        await gateway.admit(vehicle)
    assert await gateway.begin(downloads, action)
    fleet.put(campaign, Target.INSTALLING, [installs])
    withdraw(fleet)
    states = fleet.states(campaign)
    assert [states[each] for each in (offered, downloads, installs)] == [
        "pending",
        "downloading",
        "installing",
    ]
    assert not await gateway.begin(offered, action)
    assert await gateway.say(offered, action, "proceeding") is Effect.OVER
    assert await gateway.admit(offered, waits) == {}
    assert fleet.rows("SELECT vehicle_id FROM assignment WHERE cancel_wanted") == [(downloads,)]
    assert fleet.state(offered, campaign) == "pending"
    assert await gateway.record(report(downloads, action, "closed", channel="cancel")) == [Effect.RECORDED]
    assert fleet.state(downloads, campaign) == "cancelled"
    fleet.assert_tally()


def test_a_download_that_an_ended_campaign_left_running_is_asked_to_cancel(
    fleet: Fleet, two: tuple[int, int]
) -> None:
    campaign = two[0]
    vehicle = min(fleet.states(campaign))
    fleet.put(campaign, Target.DOWNLOADING, [vehicle])
    fleet.finish(campaign, 2)
    assert withdraw(fleet).campaigns == ["Two"]
    assert fleet.rows("SELECT vehicle_id FROM assignment WHERE cancel_wanted") == [(vehicle,)]
    assert texts(fleet, campaign) == []


@pytest.mark.parametrize("new_window", [False, True])
def test_no_gate_opens_for_what_is_withdrawn_and_trying_changes_nothing(
    new_window: bool, fleet: Fleet, two: tuple[int, int]
) -> None:
    withdraw(fleet)
    fleet.run("UPDATE campaign SET shut_at = shut_at - interval '3 hours'")
    before = fleet.everything()
    fleet.open(two[0], 5, new_window=new_window)
    assert fleet.everything() == before


def test_a_gate_shut_before_does_not_open_either(fleet: Fleet, two: tuple[int, int]) -> None:
    fleet.shut(two[0], 2)
    withdraw(fleet)
    fleet.open(two[0], 3, new_window=True)
    assert not fleet.gate_open(two[0])


def test_a_tick_sees_who_withdrew_it_and_why(fleet: Fleet, two: tuple[int, int]) -> None:
    assert fleet.tick(two[0]).withdrawn == ""
    withdraw(fleet)
    seen = fleet.tick(two[0])
    assert (seen.withdrawn, seen.gate_open) == ("ann: brakes fail", False)
    assert not fleet.gate_open(two[0])


def test_a_new_definition_with_it_is_refused_at_the_door(fleet: Fleet, two: tuple[int, int]) -> None:
    withdraw(fleet)
    cure = (
        "package = 'Twin': a file of it was withdrawn everywhere by ann (brakes fail); give another "
        "package, or `package reinstate` it"
    )
    with pytest.raises(Refused, match=re.escape(cure)):
        fleet.register(define(name="New", package=TWIN))
    assert fleet.value("SELECT count(*) FROM campaign WHERE name = 'New'") == 0


async def test_the_campaign_of_another_file_goes_on(
    fleet: Fleet, gateway: Gateway, two: tuple[int, int]
) -> None:
    fleet.insert(ArtifactRow, sha256=OTHER, sha1="b", md5="c", size_bytes=7)
    vehicles = fleet.add(cars(2, 50, country="IT"))
    other = fleet.launch(name="Other", package=HARMLESS, criteria={"country": "IT"})
    assert withdraw(fleet).campaigns == ["One", "Two"]
    seen = fleet.tick(other)
    assert (seen.gate_open, seen.withdrawn) == (True, "")
    assert set(await gateway.admit(*vehicles)) == set(vehicles)
    assert texts(fleet, other) == []


async def test_what_is_reinstated_is_delivered_again_once_its_campaigns_are_resumed(
    fleet: Fleet, gateway: Gateway, two: tuple[int, int]
) -> None:
    vehicles = list(fleet.states(two[0]))
    withdraw(fleet)
    assert reinstate(fleet) == [SHA256]
    assert await gateway.admit(*vehicles) == {}
    fleet.open(two[0], 2, new_window=True)
    seen = fleet.tick(two[0], seq=2)
    assert (seen.gate_open, seen.withdrawn) == (True, "")
    assert set(await gateway.admit(*vehicles)) == set(vehicles)
    assert not fleet.gate_open(two[1])
    assert texts(fleet, two[0])[1:] == ["Pkg was reinstated by ann: found harmless"]
    assert reinstate(fleet) == []
    assert len(texts(fleet, two[0])) == 2
    assert fleet.register(define(name="New", conflicts="wait")) == {1: 20}


def test_a_withdrawal_that_comes_twice_is_written_once(fleet: Fleet, two: tuple[int, int]) -> None:
    first = withdraw(fleet)
    before = fleet.everything()
    assert withdraw(fleet) == first
    assert fleet.everything() == before


def test_the_first_who_withdrew_a_file_stays_on_record(fleet: Fleet, two: tuple[int, int]) -> None:
    withdraw(fleet)
    withdrawals.withdraw(fleet.engine, "Twin", "bob", "so they say", NOW.replace(hour=13))
    assert fleet.rows("SELECT sha256, actor, reason FROM withdrawal") == [(SHA256, "ann", "brakes fail")]
    assert len(texts(fleet, two[0])) == 2


@pytest.mark.parametrize("act", [withdraw, reinstate])
def test_what_no_package_has_is_refused_with_the_closest_name(act: Any, fleet: Fleet) -> None:
    with pytest.raises(
        Refused, match=r"'Pkgg': no registered package has this name or file; did you mean 'Pkg'"
    ):
        act(fleet, "Pkgg")
    assert fleet.rows("SELECT * FROM withdrawal") == []

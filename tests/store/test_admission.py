"""Who is offered an update now: gate, lease, allowance, cap, one offer at a time, order of campaigns."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from campaign.action import MAX_ATTEMPT, action_id, split
from campaign.assignment import IN_FLIGHT, OPEN, STARTED, TERMINAL, Target
from store.beginning import Beginning, begin_group
from store.reports import Effect
from store.tables import ArtifactRow
from tests.store.fleet import MODULE, SHA256, Fleet, Gateway, car, cars, define, earlier

TWO = [{"rollout_percent": 40}, {"rollout_percent": 100}]


async def test_an_open_gate_admits_and_the_action_names_campaign_and_attempt(
    fleet: Fleet, gateway: Gateway
) -> None:
    ids = fleet.add(cars(3))
    campaign = fleet.launch()
    assert await gateway.admit(*ids[:2]) == dict.fromkeys(ids[:2], action_id(campaign, 1))
    assert fleet.states(campaign) == {ids[0]: "offered", ids[1]: "offered", ids[2]: "pending"}
    fleet.assert_tally()


BARRED: dict[str, Callable[[Fleet, int], object]] = {
    "gate never opened": lambda fleet, c: fleet.run("UPDATE campaign SET gate_open = false"),
    "gate shut": lambda fleet, c: fleet.shut(c, 2),
    "lease expired": lambda fleet, c: fleet.run("UPDATE campaign SET lease_until = clock_timestamp()"),
    "no lease": lambda fleet, c: fleet.run("UPDATE campaign SET lease_until = NULL"),
    "phase not released": lambda fleet, c: fleet.run("UPDATE phase SET allowance = 0"),
    "no slot": lambda fleet, c: fleet.run("UPDATE campaign SET in_flight = 0"),
    "deferred until later": lambda fleet, c: fleet.run(
        "UPDATE assignment SET state = 'deferred', not_before = clock_timestamp() + interval '1 minute'"
    ),
    "attempts used up": lambda fleet, c: fleet.run(f"UPDATE assignment SET attempt = {MAX_ATTEMPT}"),
    "finished": lambda fleet, c: fleet.finish(c, 2),
}


@pytest.mark.parametrize("bar", BARRED.values(), ids=list(BARRED))
async def test_each_bar_alone_admits_nobody(
    bar: Callable[[Fleet, int], object], fleet: Fleet, gateway: Gateway
) -> None:
    ids = fleet.add(cars(3))
    campaign = fleet.launch()
    bar(fleet, campaign)
    before = fleet.everything()
    assert await gateway.admit(*ids) == {}
    assert fleet.everything() == before


async def test_a_registered_campaign_admits_nobody_before_its_gate_is_opened(
    fleet: Fleet, gateway: Gateway
) -> None:
    ids = fleet.add(cars(3))
    campaign = fleet.launch(start=False)
    assert await gateway.admit(*ids) == {}
    fleet.open(campaign, 1)
    assert await gateway.admit(*ids) == {}  # no phase is released
    fleet.tick(campaign)
    assert len(await gateway.admit(*ids)) == 3


async def test_a_deferred_vehicle_is_offered_again_when_its_time_has_come(
    fleet: Fleet, gateway: Gateway
) -> None:
    [vehicle] = fleet.add(cars(1))
    campaign = fleet.launch()
    first = (await gateway.admit(vehicle))[vehicle]
    assert await gateway.say(vehicle, first, "rejected") is Effect.RECORDED
    assert await gateway.admit(vehicle) == {}
    fleet.run("UPDATE assignment SET not_before = clock_timestamp()")
    assert await gateway.admit(vehicle) == {vehicle: action_id(campaign, 2)}


async def test_the_allowance_is_counted_per_phase_over_all_that_left_the_open_states(
    fleet: Fleet, gateway: Gateway
) -> None:
    ids = fleet.add(cars(20))
    campaign = fleet.launch(phases=TWO)
    first = [row[0] for row in fleet.rows("SELECT vehicle_id FROM assignment WHERE phase = 1 ORDER BY 1")]
    fleet.put(campaign, Target.SUCCEEDED, first[:3])
    fleet.put(campaign, Target.INSTALLING, first[3:4])
    fleet.put(campaign, Target.DEFERRED, first[4:5])
    fleet.run("UPDATE phase SET allowance = 6 WHERE number = 1")
    admitted = await gateway.admit(*ids)
    assert len(admitted) == 2
    assert set(admitted) <= set(first)
    assert await gateway.admit(*ids) == {}
    fleet.run("UPDATE phase SET allowance = 1 WHERE number = 2")
    [other] = await gateway.admit(*ids)
    assert other not in first


@pytest.mark.parametrize("state", sorted(TERMINAL | {Target.DEFERRED}), ids=str)
async def test_the_cap_counts_those_in_flight_and_no_others(
    state: Target, fleet: Fleet, gateway: Gateway
) -> None:
    ids = fleet.add(cars(10))
    campaign = fleet.launch(limits={"in_flight": 4})
    for flying, vehicle in zip(sorted(IN_FLIGHT), ids, strict=False):
        fleet.put(campaign, flying, [vehicle])
    assert len(await gateway.admit(*ids)) == 1
    assert await gateway.admit(*ids) == {}
    fleet.put(campaign, state, ids[:2])
    assert len(await gateway.admit(*ids[2:])) == 2
    assert await gateway.admit(*ids[2:]) == {}


async def test_the_cap_holds_over_all_phases_together(fleet: Fleet, gateway: Gateway) -> None:
    ids = fleet.add(cars(20))
    campaign = fleet.launch(phases=TWO, limits={"in_flight": 5})
    fleet.tick(campaign, phase=2)
    assert len(await gateway.admit(*ids)) == 5


async def test_first_come_is_first_served(fleet: Fleet, gateway: Gateway) -> None:
    ids = fleet.add(cars(10))
    fleet.launch(limits={"in_flight": 3})
    line = [ids[7], ids[2], ids[9], ids[0]]
    assert set(await gateway.admit(*line)) == set(line[:3])


async def test_a_full_phase_takes_no_place_from_another(fleet: Fleet, gateway: Gateway) -> None:
    ids = fleet.add(cars(20))
    campaign = fleet.launch(phases=TWO)
    fleet.run("UPDATE phase SET allowance = 2")
    await gateway.admit(*ids)
    offered = "SELECT phase, count(*) FROM assignment WHERE state = 'offered' GROUP BY phase ORDER BY phase"
    assert fleet.rows(offered) == [(1, 2), (2, 2)]
    assert len(fleet.states(campaign)) == 20


@pytest.mark.parametrize(
    ("held", "priority"),
    [(Target.OFFERED, "LOW"), *((state, "CRITICAL") for state in sorted(STARTED))],
    ids=str,
)
async def test_a_vehicle_holds_one_offer_at_a_time(
    held: Target, priority: str, fleet: Fleet, gateway: Gateway
) -> None:
    [vehicle] = fleet.add(cars(1))
    low = fleet.launch(name="low", priority="LOW")
    high = fleet.launch(name="high", priority=priority, start=False)
    await gateway.admit(vehicle)
    fleet.put(low, held)
    fleet.open(high, 1)
    fleet.tick(high)
    assert await gateway.admit(vehicle) == {}
    fleet.put(low, Target.SUCCEEDED)
    assert await gateway.admit(vehicle) == {vehicle: action_id(high, 1)}


async def test_an_offer_not_started_steps_back_for_a_higher_one_and_returns_later(
    fleet: Fleet, gateway: Gateway
) -> None:
    [vehicle] = fleet.add(cars(1))
    low = fleet.launch(name="low")
    first = await gateway.admit(vehicle)
    assert not await gateway.admissible(vehicle)
    high = fleet.launch(name="high", priority="CRITICAL")
    assert await gateway.admissible(vehicle)
    assert await gateway.admit(vehicle) == {vehicle: action_id(high, 1)}
    assert (fleet.state(vehicle, low), fleet.state(vehicle, high)) == ("pending", "offered")
    assert not await gateway.begin(vehicle, first[vehicle])
    assert not await gateway.admissible(vehicle)
    fleet.put(high, Target.FAILED)
    assert await gateway.admit(vehicle) == first
    fleet.assert_tally()


@pytest.mark.parametrize("obstacle", ["no slot", "allowance used up", "not open", "unwanted"])
async def test_an_offer_steps_back_for_no_campaign_that_has_no_room_for_the_vehicle(
    obstacle: str, fleet: Fleet, gateway: Gateway
) -> None:
    vehicle, other = fleet.add(cars(2))
    low = fleet.launch(name="low", priority="LOW")
    held = await gateway.admit(vehicle)
    high = fleet.launch(name="high", priority="CRITICAL", start=obstacle != "not open")
    spoil = {
        "no slot": "UPDATE campaign SET in_flight = 0 WHERE id = :it",
        "allowance used up": "UPDATE phase SET allowance = 0 WHERE campaign_id = :it",
        "not open": "UPDATE campaign SET state = state WHERE id = :it",
        "unwanted": "UPDATE vehicle SET update_preference = 'never' WHERE id <> :it OR id = :it",
    }
    fleet.run(spoil[obstacle], it=high)
    assert await gateway.admit(vehicle) == {}
    assert (fleet.state(vehicle, low), fleet.state(vehicle, high)) == ("offered", "pending")
    if obstacle != "unwanted":
        # Nor does it keep others from the lower campaign.
        assert await gateway.admit(other) == {other: held[vehicle]}


async def test_of_two_that_give_way_to_one_place_the_other_keeps_its_offer(
    fleet: Fleet, gateway: Gateway
) -> None:
    ids = fleet.add(cars(2))
    low = fleet.launch(name="low", priority="LOW")
    held = await gateway.admit(*ids)
    high = fleet.launch(name="high", priority="CRITICAL", limits={"in_flight": 1})
    offered = await gateway.admit(*ids)
    assert offered == {ids[0]: action_id(high, 1), ids[1]: held[ids[1]]}
    assert fleet.states(low) == {ids[0]: "pending", ids[1]: "offered"}
    fleet.assert_tally()


async def test_higher_priority_goes_first_then_the_older_campaign(fleet: Fleet, gateway: Gateway) -> None:
    [vehicle] = fleet.add(cars(1))
    campaigns = {
        fleet.launch(name=f"{number}", priority=priority): (priority, number)
        for number, priority in enumerate(["LOW", "NORMAL", "CRITICAL", "NORMAL", "CRITICAL"])
    }
    served = []
    while offered := await gateway.admit(vehicle):
        campaign, _ = split(offered[vehicle])
        served.append(campaigns[campaign])
        fleet.put(campaign, Target.SUCCEEDED)
    assert served == [("CRITICAL", 2), ("CRITICAL", 4), ("NORMAL", 1), ("NORMAL", 3), ("LOW", 0)]


@pytest.mark.parametrize("end", ["shut", "lease"])
async def test_an_offer_of_a_campaign_that_delivers_no_more_does_not_block_another(
    end: str, fleet: Fleet, gateway: Gateway
) -> None:
    [vehicle] = fleet.add(cars(1))
    dead = fleet.launch(name="dead", priority="CRITICAL")
    alive = fleet.launch(name="alive", priority="LOW")
    assert await gateway.admit(vehicle) == {vehicle: action_id(dead, 1)}
    column = "gate_open = false" if end == "shut" else "lease_until = clock_timestamp()"
    fleet.run(f"UPDATE campaign SET {column} WHERE id = :c", c=dead)
    assert await gateway.admit(vehicle) == {vehicle: action_id(alive, 1)}
    assert fleet.state(vehicle, dead) == "pending"
    fleet.assert_tally()


async def test_a_vehicle_nobody_wants_is_offered_nothing(fleet: Fleet, gateway: Gateway) -> None:
    [target, other] = fleet.add([*cars(1), *cars(1, 1, hw_id="EVO16")])
    fleet.launch()
    assert set(await gateway.admit(other, 999, target)) == {target}
    assert await gateway.admit() == {}


@pytest.mark.parametrize("state", sorted(TERMINAL), ids=str)
async def test_a_vehicle_that_is_done_is_never_offered_the_campaign_again(
    state: Target, fleet: Fleet, gateway: Gateway
) -> None:
    [vehicle] = fleet.add(cars(1))
    campaign = fleet.launch()
    fleet.put(campaign, state)
    assert await gateway.admit(vehicle) == {}


async def test_a_new_offer_takes_nothing_of_the_earlier_attempt_for_its_own(
    fleet: Fleet, gateway: Gateway
) -> None:
    [vehicle] = fleet.add(cars(1))
    campaign = fleet.launch()
    fleet.put(campaign, Target.DEFERRED)
    fleet.run("UPDATE assignment SET cancel_wanted = true, not_before = clock_timestamp()")
    second = (await gateway.admit(vehicle))[vehicle]
    columns = "SELECT attempt, heard_at, fetched_at < offered_at, not_before, cancel_wanted FROM assignment"
    assert fleet.rows(columns) == [(2, None, True, None, False)]
    assert await gateway.say(vehicle, second, "closed", "success") is Effect.RECORDED
    assert fleet.state(vehicle, campaign) == "deferred"  # fetched in attempt 1 proves nothing now


async def test_beginning_needs_an_offer_that_is_delivered(fleet: Fleet, gateway: Gateway) -> None:
    ids = fleet.add(cars(4))
    campaign = fleet.launch()
    action = action_id(campaign, 1)
    assert not await gateway.begin(ids[0], action)  # not admitted
    await gateway.admit(*ids)
    assert not await gateway.begin(ids[0], action_id(campaign, 2))
    assert not await gateway.begin(ids[0], action_id(campaign + 1, 1))
    assert await gateway.begin(ids[0], action)
    assert fleet.state(ids[0], campaign) == "downloading"
    fleet.run("UPDATE assignment SET cancel_wanted = true WHERE vehicle_id = :v", v=ids[1])
    assert not await gateway.begin(ids[1], action)
    fleet.run("UPDATE campaign SET lease_until = clock_timestamp()")
    assert not await gateway.begin(ids[2], action)
    fleet.run("UPDATE campaign SET lease_until = clock_timestamp() + interval '1 hour', gate_open = false")
    assert not await gateway.begin(ids[3], action)
    assert await gateway.begin(ids[0], action)  # had begun: it may go on
    fleet.assert_tally()


async def test_beginning_twice_keeps_the_time_of_the_first(fleet: Fleet, gateway: Gateway) -> None:
    [vehicle] = fleet.add(cars(1))
    fleet.launch()
    action = (await gateway.admit(vehicle))[vehicle]
    await gateway.begin(vehicle, action)
    before = fleet.everything()
    assert await gateway.begin(vehicle, action)
    assert fleet.everything() == before


async def test_a_group_begins_as_each_of_it_would_alone(fleet: Fleet, gateway: Gateway) -> None:
    """One is not admitted, one asks twice, one has begun; one file is none of the campaign's."""
    ids = fleet.add(cars(5))
    campaign = fleet.launch()
    actions = await gateway.admit(*ids[:4])
    await gateway.begin(ids[2], actions[ids[2]])
    action = action_id(campaign, 1)
    asked = [
        Beginning(ids[0], action, SHA256),
        Beginning(ids[4], action, SHA256),
        Beginning(ids[1], action, SHA256),
        Beginning(ids[0], action, SHA256),
        Beginning(ids[2], action, SHA256),
        Beginning(ids[3], action, "f" * 64),
        Beginning(ids[1], action_id(campaign, 2), SHA256),
    ]
    async with gateway.connection.transaction():
        may = await begin_group(gateway.connection, asked)
    assert may == [True, False, True, True, True, True, False]
    assert fleet.rows("SELECT vehicle_id, state, files FROM assignment ORDER BY 1") == [
        (ids[0], "downloading", 1),
        (ids[1], "downloading", 1),
        (ids[2], "downloading", 1),
        (ids[3], "downloading", 0),
        (ids[4], "pending", 0),
    ]
    fleet.assert_tally()


async def test_a_group_begins_several_files_of_a_vehicle_together(fleet: Fleet, gateway: Gateway) -> None:
    radar, gw = ({"name": name, "hw_id": "EVO14", "sw_version": "1.3.0"} for name in ("Radar", "GW"))
    [vehicle] = fleet.add([car(0, ecus=[radar, gw])])
    other = {"filename": "gw.swu", "size_bytes": 7, "sha256": "d" * 64}
    modules = [MODULE, MODULE | {"ecu": "GW", "artifact": other}]
    fleet.insert(ArtifactRow, sha256="d" * 64, sha1="b", md5="c", size_bytes=7)
    fleet.launch(package={"name": "Two", "modules": modules})
    action = (await gateway.admit(vehicle))[vehicle]
    group = [Beginning(vehicle, action, sha256) for sha256 in (SHA256, "d" * 64)]
    async with gateway.connection.transaction():
        assert await begin_group(gateway.connection, group) == [True, True]
    assert fleet.rows("SELECT state, files FROM assignment") == [("downloading", 3)]


@pytest.mark.parametrize("state", sorted(OPEN | TERMINAL), ids=str)
async def test_nothing_can_begin_where_nothing_is_in_flight(
    state: Target, fleet: Fleet, gateway: Gateway
) -> None:
    [vehicle] = fleet.add(cars(1))
    campaign = fleet.launch()
    fleet.put(campaign, state)
    assert not await gateway.begin(vehicle, action_id(campaign, 1))
    assert fleet.state(vehicle, campaign) == state


async def test_a_vehicle_that_reported_a_start_before_it_fetched_may_still_fetch_and_it_counts(
    fleet: Fleet, gateway: Gateway
) -> None:
    """SWUpdate reports `proceeding` first and fetches then."""
    [vehicle] = fleet.add(cars(1))
    campaign = fleet.launch()
    action = (await gateway.admit(vehicle))[vehicle]
    await gateway.say(vehicle, action, "proceeding")
    assert fleet.state(vehicle, campaign) == "downloading"
    assert fleet.value("SELECT fetched_at FROM assignment") is None
    assert await gateway.begin(vehicle, action)
    await gateway.say(vehicle, action, "closed", "success")
    assert fleet.state(vehicle, campaign) == "succeeded"


async def test_an_allowance_by_rate_admits_no_more_than_the_rate(fleet: Fleet, gateway: Gateway) -> None:
    ids = fleet.add(cars(30))
    campaign = fleet.launch(define(limits={"per_minute": 10}))
    assert len(await gateway.admit(*ids)) == 1
    fleet.run("UPDATE phase SET pace_since = pace_since - interval '1 minute'")
    fleet.tick(campaign, lease=timedelta(hours=1))
    assert len(await gateway.admit(*ids)) == 10


async def test_an_offer_withdrawn_before_the_vehicle_said_anything_is_offered_as_the_same_attempt(
    fleet: Fleet, gateway: Gateway
) -> None:
    silent, heard = fleet.add(cars(2))
    campaign = fleet.launch()
    await gateway.admit(silent, heard)
    await gateway.say(heard, action_id(campaign, 1), "canceled")
    fleet.shut(campaign, 2)
    fleet.open(campaign, 3)
    assert await gateway.admit(silent, heard) == {
        silent: action_id(campaign, 1),
        heard: action_id(campaign, 2),
    }


#: What an ended campaign leaves in flight, and what becomes of it when the vehicle asks again.
LEFT_BEHIND = [
    (Target.OFFERED, "finished", 0, "expired"),
    (Target.DOWNLOADING, "finished", 25, "expired"),
    (Target.DOWNLOADING, "finished", 23, "downloading"),
    (Target.INSTALLING, "finished", 25, "silent"),
    (Target.INSTALLING, "finished", 23, "installing"),
    (Target.DOWNLOADING, "shut", 25, "stalled"),
    (Target.INSTALLING, "shut", 25, "silent"),
    (Target.INSTALLING, "delivering", 25, "installing"),
]


@pytest.mark.parametrize(("state", "end", "hours", "becomes"), LEFT_BEHIND)
async def test_what_went_quiet_in_a_campaign_that_delivers_no_more_does_not_hold_its_vehicle(
    state: Target, end: str, hours: int, becomes: str, fleet: Fleet, gateway: Gateway
) -> None:
    [vehicle] = fleet.add(cars(1))
    old = fleet.launch(name="old")
    new = fleet.launch(name="new")
    fleet.put(old, state)
    if end == "finished":
        fleet.run("UPDATE campaign SET finished_at = now() WHERE id = :c", c=old)
    if end != "delivering":
        fleet.run("UPDATE campaign SET gate_open = false WHERE id = :c", c=old)
    fleet.run(f"UPDATE assignment SET {earlier(f'{hours} hours')}")
    offered = await gateway.admit(vehicle)
    assert fleet.state(vehicle, old) == becomes
    assert bool(offered.get(vehicle) == action_id(new, 1)) is (Target(becomes) not in IN_FLIGHT)
    fleet.assert_tally()

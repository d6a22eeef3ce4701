"""What no report can tell is judged at the tick: who is overdue, who is not well, who began to fail when."""

from campaign.action import action_id
from campaign.assignment import Target
from campaign.supervision import Observation
from tests.store.fleet import Fleet, Gateway, cars, closing, plain


def stop(seen: Observation) -> tuple[str, str]:
    """The guard that has stopped the campaign, and whose counts it judged."""
    assert seen.breach is not None
    assert not seen.gate_open
    return seen.breach.verdict.guard, seen.breach.verdict.slice


async def test_silence_stops_the_campaign_at_the_tick_when_enough_vehicles_are_overdue(fleet: Fleet) -> None:
    """Of 20 that began four hours ago two quiet ones are chance; three are not."""
    ids = fleet.add(cars(20))
    campaign = fleet.launch()
    fleet.install(campaign, ids, 4)
    fleet.run("UPDATE assignment SET state = 'succeeded' WHERE vehicle_id = ANY(:v)", v=ids[3:])
    assert fleet.states(campaign)[ids[0]] == "installing"
    assert stop(fleet.tick(campaign)) == ("silence", "ring")
    assert not fleet.gate_open(campaign)
    assert fleet.states(campaign)[ids[0]] == "installing"  # overdue, and not given up


async def test_few_overdue_vehicles_stop_nothing(fleet: Fleet) -> None:
    ids = fleet.add(cars(20))
    campaign = fleet.launch()
    fleet.install(campaign, ids, 4)
    fleet.run("UPDATE assignment SET state = 'succeeded' WHERE vehicle_id = ANY(:v)", v=ids[2:])
    assert fleet.tick(campaign).gate_open


async def test_who_has_time_left_is_not_overdue(fleet: Fleet) -> None:
    ids = fleet.add(cars(20))
    campaign = fleet.launch()
    fleet.install(campaign, ids, 3.05)
    assert fleet.tick(campaign).gate_open


async def test_the_overdue_time_is_that_of_the_phase(fleet: Fleet) -> None:
    ids = fleet.add(cars(20))
    campaign = fleet.launch(limits={"overdue_after": "PT6H"})
    fleet.install(campaign, ids, 6.05)
    assert fleet.tick(campaign).gate_open
    fleet.install(campaign, ids, 6.1)
    assert stop(fleet.tick(campaign)) == ("silence", "ring")


async def test_quiet_and_failed_vehicles_are_not_ok_together_where_neither_is_enough_alone(
    fleet: Fleet,
) -> None:
    ids = fleet.add(cars(20))
    campaign = fleet.launch()
    fleet.install(campaign, ids, 4)
    fleet.run("UPDATE assignment SET state = 'succeeded' WHERE vehicle_id = ANY(:v)", v=ids[3:])
    fleet.run("UPDATE assignment SET state = 'failed' WHERE vehicle_id = :v", v=ids[2])
    assert fleet.tick(campaign).gate_open  # two quiet and one failed of 20
    other = fleet.add(cars(20, 20, country="FR"))
    again = fleet.launch(name="Again", criteria={"country": "FR"})
    fleet.install(again, other, 4)
    fleet.run("UPDATE assignment SET state = 'succeeded' WHERE vehicle_id = ANY(:v)", v=other[4:])
    fleet.run("UPDATE assignment SET state = 'failed' WHERE vehicle_id = ANY(:v)", v=other[2:4])
    assert stop(fleet.tick(again)) == ("not_ok", "ring")


async def test_a_late_report_does_not_take_back_that_a_vehicle_was_overdue(
    fleet: Fleet, gateway: Gateway
) -> None:
    ids = fleet.add(cars(20))
    campaign = fleet.launch()
    fleet.install(campaign, ids, 4)
    fleet.run("UPDATE assignment SET state = 'succeeded' WHERE vehicle_id = ANY(:v)", v=ids[2:])
    assert fleet.tick(campaign).gate_open
    await gateway.record(*closing(campaign, ids[:2], "success"))
    [silence] = [each for each in fleet.tick(campaign).verdicts if each.guard == "silence"]
    assert (silence.failed, silence.finished) == (2, 20)


async def test_the_culprit_of_a_silence_is_named_from_those_under_way(fleet: Fleet) -> None:
    old, new = fleet.add(cars(60)), fleet.add(cars(20, 60, hw_id="EVO15"))
    campaign = fleet.launch()
    fleet.install(campaign, old + new, 4)
    fleet.run("UPDATE assignment SET state = 'succeeded' WHERE vehicle_id = ANY(:v)", v=old + new[10:])
    seen = fleet.tick(campaign)
    assert stop(seen) == ("silence", "ring")
    assert seen.breach is not None
    assert seen.breach.culprit is not None
    assert seen.breach.culprit.sentence == (
        "10 of 10 failures are on hw_id=EVO15 (10 of its 20 failed, 0 of the other 60)"
    )


async def test_those_who_began_together_stop_the_campaign_where_the_many_before_them_hide_it(
    fleet: Fleet, gateway: Gateway
) -> None:
    """The reports see the whole ring, 4 of 320, and go on; the tick sees 4 of the 20 of the last hour."""
    ids = fleet.add(cars(320))
    campaign = fleet.launch()
    fleet.install(campaign, ids[:300], 8.5)
    fleet.run("UPDATE assignment SET state = 'succeeded' WHERE state = 'installing'")
    fleet.install(campaign, ids[300:310], 0.7)
    fleet.install(campaign, ids[310:], 0.5)
    await gateway.record(*closing(campaign, ids[308:311], "failure"))
    assert fleet.tick(campaign).gate_open
    await gateway.record(*closing(campaign, ids[311:312], "failure"))
    assert fleet.gate_open(campaign)
    assert stop(fleet.tick(campaign)) == ("installation_success_rate", "stretch 2")


async def test_a_single_stretch_is_the_ring_and_is_not_judged_twice(fleet: Fleet, gateway: Gateway) -> None:
    ids = fleet.add(cars(20))
    campaign = fleet.launch(guards=[{}])
    fleet.install(campaign, ids, 1)
    await gateway.record(*closing(campaign, ids[:3], "failure"))
    assert [each.slice for each in fleet.tick(campaign).verdicts] == ["ring"]


async def test_what_happened_before_the_window_is_in_no_clocked_guard(fleet: Fleet) -> None:
    ids = fleet.add(cars(20))
    campaign = fleet.launch()
    fleet.install(campaign, ids, 4)
    assert stop(fleet.tick(campaign)) == ("silence", "ring")
    fleet.open(campaign, 2, new_window=True)
    seen = fleet.tick(campaign, seq=2)
    assert (seen.gate_open, seen.breach) == (True, None)
    assert {each.guard: each.started for each in seen.verdicts}["silence"] == 0


async def test_a_vehicle_in_flight_across_a_resume_counts_where_no_clock_is_needed(
    fleet: Fleet, gateway: Gateway
) -> None:
    ids = fleet.add(cars(20))
    campaign = fleet.launch(guards=plain())
    fleet.put(campaign, Target.INSTALLING, ids)
    fleet.shut(campaign, 2)
    fleet.open(campaign, 3, new_window=True)
    await gateway.say(ids[0], action_id(campaign, 1), "closed", "failure")
    assert not fleet.gate_open(campaign)

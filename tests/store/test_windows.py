"""A resume begins a new evidence window: what was known is acknowledged, the rest goes over into it."""

from campaign.action import action_id
from campaign.assignment import Target
from tests.store.fleet import Fleet, Gateway, cars, closing, earlier, plain, report

ACKNOWLEDGED = "SELECT state, vehicles, acknowledged FROM tally WHERE vehicles > 0 ORDER BY state"


def resume(fleet: Fleet, campaign: int, seq: int) -> None:
    """A person has seen what happened, and lets the campaign go on."""
    fleet.shut(campaign, seq - 1)
    fleet.open(campaign, seq, new_window=True)


def counted(fleet: Fleet, campaign: int, guard: str = "installation_success_rate") -> tuple[int, int, int]:
    """Failed, finished and started, as a guard of the first phase counts them now."""
    seen = fleet.tick(campaign, seq=99)
    [found] = [each for each in seen.verdicts if (each.guard, each.slice) == (guard, "ring")]
    return found.failed, found.finished, found.started


async def test_a_resume_acknowledges_the_outcomes_and_those_under_way_go_over(
    fleet: Fleet, gateway: Gateway
) -> None:
    ids = fleet.add(cars(100))
    campaign = fleet.launch()
    fleet.put(campaign, Target.INSTALLING)
    action = action_id(campaign, 1)
    await gateway.record(*closing(campaign, ids[:20], "success"), *closing(campaign, ids[20:25], "failure"))
    await gateway.record(report(ids[25], action, "closed", "failure", "rolled back"))
    assert not fleet.gate_open(campaign)
    resume(fleet, campaign, 3)
    assert fleet.rows(ACKNOWLEDGED) == [
        ("failed", 5, 5),
        ("installing", 74, 0),
        ("rolled_back", 1, 1),
        ("succeeded", 20, 20),
    ]
    assert fleet.rows('SELECT gate_open, "window", breach FROM campaign') == [(True, 2, None)]
    assert counted(fleet, campaign) == (0, 0, 74)
    await gateway.record(*closing(campaign, ids[30:33], "success"), *closing(campaign, ids[33:35], "failure"))
    assert counted(fleet, campaign) == (2, 5, 74)
    fleet.assert_tally()


async def test_a_silent_vehicle_that_is_known_to_be_and_tells_of_its_failure_is_no_new_one(
    fleet: Fleet, gateway: Gateway
) -> None:
    ids = fleet.add(cars(20))
    campaign = fleet.launch(guards=plain())
    for vehicle in ids[:10]:
        await gateway.start(vehicle)
    fleet.run(f"UPDATE assignment SET {earlier('2 days')} WHERE state = 'installing'")
    fleet.tick(campaign)
    resume(fleet, campaign, 3)
    await gateway.record(*closing(campaign, ids[:10], "failure"))
    assert fleet.gate_open(campaign)
    assert fleet.rows(ACKNOWLEDGED) == [("failed", 10, 10), ("pending", 10, 0)]
    action = await gateway.start(ids[15])
    await gateway.say(ids[15], action, "closed", "failure")
    assert not fleet.gate_open(campaign)
    fleet.assert_tally()


def test_those_who_install_over_a_pause_are_watched_for_silence_in_the_new_window(fleet: Fleet) -> None:
    ids = fleet.add(cars(40))
    campaign = fleet.launch()
    fleet.install(campaign, ids[:20], 1)
    resume(fleet, campaign, 3)
    assert fleet.tick(campaign, seq=3).breach is None
    later = "interval '4 hours'"
    fleet.run(f"UPDATE assignment SET {earlier('4 hours')}, slice = slice - {later}")
    fleet.run(f"UPDATE campaign SET window_began_at = window_began_at - {later}")
    seen = fleet.tick(campaign, seq=3)
    assert seen.breach is not None
    assert (seen.breach.window, seen.breach.verdict.guard) == (2, "silence")
    assert seen.breach.verdict.failed == 20
    fleet.assert_tally()


def test_who_is_quiet_at_a_resume_is_known_to_be_and_is_no_news_ever_after(fleet: Fleet) -> None:
    ids = fleet.add(cars(40))
    campaign = fleet.launch()
    fleet.install(campaign, ids[:20], 4)
    assert fleet.tick(campaign).breach is not None
    resume(fleet, campaign, 3)
    assert fleet.rows(ACKNOWLEDGED) == [("pending", 20, 0), ("silent", 20, 20)]
    fleet.run(f"UPDATE assignment SET {earlier('2 days')} WHERE heard_at IS NOT NULL")
    seen = fleet.tick(campaign, seq=3)
    assert (seen.gate_open, seen.breach) == (True, None)
    fleet.assert_tally()


def test_the_brake_begins_at_its_floor_with_the_resume_and_not_with_the_next_tick(fleet: Fleet) -> None:
    ids = fleet.add(cars(300))
    campaign = fleet.launch()
    fleet.install(campaign, ids[:100], 4)
    fleet.run("UPDATE assignment SET state = 'succeeded' WHERE state = 'installing'")
    assert (fleet.tick(campaign).cap or 0) > 600
    resume(fleet, campaign, 3)
    assert fleet.value("SELECT in_flight FROM campaign") == 30


async def test_new_failures_stop_the_campaign_again_and_the_breach_names_its_window(
    fleet: Fleet, gateway: Gateway
) -> None:
    ids = fleet.add(cars(100))
    campaign = fleet.launch()
    fleet.put(campaign, Target.INSTALLING)
    await gateway.record(*closing(campaign, ids[:5], "failure"))
    resume(fleet, campaign, 3)
    await gateway.record(*closing(campaign, ids[5:9], "failure"))
    assert fleet.gate_open(campaign)
    await gateway.record(*closing(campaign, ids[9:10], "failure"))
    assert not fleet.gate_open(campaign)
    assert fleet.rows("SELECT breach ->> 'window', breach #>> '{verdict,failed}' FROM campaign") == [
        ("2", "5")
    ]


async def test_an_old_window_stays_readable(fleet: Fleet, gateway: Gateway) -> None:
    ids = fleet.add(cars(100))
    rings = [{"name": "first", "rollout_percent": 50}, {"name": "second", "rollout_percent": 100}]
    campaign = fleet.launch(phases=rings)
    first = [row[0] for row in fleet.rows("SELECT vehicle_id FROM assignment WHERE phase = 1 ORDER BY 1")]
    fleet.put(campaign, Target.INSTALLING, first)
    assert fleet.tick(campaign).windows == ()
    await gateway.record(*closing(campaign, first[:2], "failure"))
    resume(fleet, campaign, 3)
    await gateway.record(*closing(campaign, first[2:10], "success"))
    resume(fleet, campaign, 5)
    later, earlier = fleet.tick(campaign, seq=5).windows
    assert (later.number, earlier.number) == (2, 1)
    assert later.ended_at > earlier.ended_at
    assert earlier.sentences == (
        "phase 1 (first): installation_success_rate continue: 2 of 2 failed, 48 under way; pauses at 4",
    )
    assert later.sentences == (
        "phase 1 (first): installation_success_rate continue: 0 of 8 failed, 40 under way; pauses at 4",
    )
    assert len(ids) == 100


def test_the_last_three_windows_are_shown(fleet: Fleet) -> None:
    fleet.add(cars(2))
    campaign = fleet.launch()
    for seq in range(3, 13, 2):
        resume(fleet, campaign, seq)
    seen = fleet.tick(campaign, seq=11)
    assert (seen.window, [each.number for each in seen.windows]) == (6, [5, 4, 3])
    assert fleet.rows("SELECT number FROM evidence_window ORDER BY 1") == [(1,), (2,), (3,), (4,), (5,)]


def test_a_resume_that_comes_twice_begins_one_window(fleet: Fleet) -> None:
    fleet.add(cars(2))
    campaign = fleet.launch()
    resume(fleet, campaign, 3)
    before = fleet.everything()
    fleet.open(campaign, 3, new_window=True)
    assert fleet.everything() == before


def test_a_gate_opened_for_the_next_phase_begins_no_window(fleet: Fleet) -> None:
    ids = fleet.add(cars(10))
    campaign = fleet.launch()
    fleet.put(campaign, Target.SUCCEEDED, ids[:5])
    fleet.open(campaign, 2)
    assert fleet.rows('SELECT "window" FROM campaign') == [(1,)]
    assert fleet.rows(ACKNOWLEDGED) == [("pending", 5, 0), ("succeeded", 5, 0)]


async def test_a_correction_takes_its_acknowledgement_along(fleet: Fleet, gateway: Gateway) -> None:
    """Ten were silent and known to be; nine of them turn out well, so that one is left to acknowledge."""
    ids = fleet.add(cars(20))
    campaign = fleet.launch(guards=plain("0.9"))
    for vehicle in ids[:10]:
        await gateway.start(vehicle)
    fleet.run(f"UPDATE assignment SET {earlier('2 days')} WHERE state = 'installing'")
    fleet.tick(campaign)
    resume(fleet, campaign, 3)
    await gateway.record(*closing(campaign, ids[:9], "success"))
    assert fleet.rows(ACKNOWLEDGED) == [("pending", 10, 0), ("silent", 1, 1), ("succeeded", 9, 9)]


async def test_a_correction_of_an_acknowledged_failure_hides_no_failure_that_came_before_it(
    fleet: Fleet, gateway: Gateway
) -> None:
    """One is silent and known to be, then another falls silent, then the first turns out well."""
    known, new, *_ = fleet.add(cars(10))
    campaign = fleet.launch(guards=plain("0.9"))
    for vehicle in (known, new):
        await gateway.start(vehicle)
    quiet = f"UPDATE assignment SET {earlier('2 days')} WHERE vehicle_id = :v"
    fleet.run(quiet, v=known)
    fleet.tick(campaign)
    resume(fleet, campaign, 3)
    fleet.run(quiet, v=new)
    assert counted(fleet, campaign, "failure_rate") == (1, 1, 1)
    await gateway.record(*closing(campaign, [known], "success"))
    assert counted(fleet, campaign, "failure_rate") == (1, 1, 1)
    fleet.assert_tally()


def test_never_more_is_acknowledged_than_there_is_whatever_moves_a_state(fleet: Fleet) -> None:
    ids = fleet.add(cars(10))
    campaign = fleet.launch()
    fleet.put(campaign, Target.SILENT, ids[:4])
    resume(fleet, campaign, 3)
    fleet.put(campaign, Target.SUCCEEDED, ids[:3])
    assert fleet.rows(ACKNOWLEDGED)[1:] == [("silent", 1, 1), ("succeeded", 3, 0)]


async def test_a_correction_of_a_failure_of_this_window_leaves_what_is_acknowledged(
    fleet: Fleet, gateway: Gateway
) -> None:
    known, new, *_ = fleet.add(cars(10))
    campaign = fleet.launch(guards=plain("0.9"))
    for vehicle in (known, new):
        await gateway.start(vehicle)
    quiet = f"UPDATE assignment SET {earlier('2 days')} WHERE vehicle_id = :v"
    fleet.run(quiet, v=known)
    fleet.tick(campaign)
    resume(fleet, campaign, 3)
    fleet.run(quiet, v=new)
    fleet.tick(campaign, seq=3)
    await gateway.record(*closing(campaign, [new], "success"))
    assert counted(fleet, campaign, "failure_rate") == (0, 1, 1)
    assert fleet.rows(ACKNOWLEDGED)[1] == ("silent", 1, 1)

"""Downloads that go quiet: no failure of an installation, and never a reason to go faster.

A vehicle may sleep, its network may hang, or it has installed without a word and did not come back.
"""

from campaign.assignment import Target
from campaign.promotion import Promotion
from campaign.supervision import Mode
from store.reports import Effect
from tests.store.fleet import Fleet, Gateway, cars, earlier, plain

QUIET = f"UPDATE assignment SET {earlier('1 hour', ':h')} WHERE state = 'downloading'"


async def downloading(fleet: Fleet, gateway: Gateway, count: int, hours: int) -> tuple[int, dict[int, int]]:
    """A campaign whose vehicles fetched so many hours ago and said nothing since; their actions."""
    ids = fleet.add(cars(count))
    campaign = fleet.launch(limits={"in_flight_floor": count})
    actions = await gateway.admit(*ids)
    for vehicle, action in actions.items():
        assert await gateway.begin(vehicle, action)
    fleet.run(QUIET, h=hours)
    return campaign, actions


async def test_who_fetches_and_never_says_another_word_is_seen_and_stops_the_campaign(
    fleet: Fleet, gateway: Gateway
) -> None:
    campaign, _ = await downloading(fleet, gateway, 30, 25)
    seen = fleet.tick(campaign)
    assert seen.total.by_state == {Target.STALLED: 30}
    assert seen.breach is not None
    assert seen.breach.verdict.sentence.startswith(
        "download_failure_rate breach: 30 of 30 failed to download (100 % > 5 %)"
    )
    assert not fleet.gate_open(campaign)


async def test_a_network_that_hangs_lets_no_more_begin(fleet: Fleet, gateway: Gateway) -> None:
    """Well before the downloads are given up."""
    campaign, actions = await downloading(fleet, gateway, 30, 4)
    assert fleet.tick(campaign).cap == 30
    for vehicle, action in list(actions.items())[:15]:
        await gateway.say(vehicle, action, "closed", "success")
    fleet.run("UPDATE assignment SET slice = slice - interval '4 hours' WHERE slice IS NOT NULL")
    fleet.run("UPDATE campaign SET window_began_at = window_began_at - interval '1 day'")
    # Fifteen well and fifteen quiet, instead of fifteen well and no more known.
    assert fleet.tick(campaign).cap == 37


async def test_who_downloads_and_is_heard_now_and_then_brakes_nobody(fleet: Fleet, gateway: Gateway) -> None:
    campaign, actions = await downloading(fleet, gateway, 2, 4)
    [(one, action), _] = actions.items()
    await gateway.say(one, action, "download")
    assert fleet.value("SELECT count(*) FROM assignment WHERE heard_at > now() - interval '1 hour'") == 1
    seen = fleet.tick(campaign)
    assert seen.total.by_state == {Target.DOWNLOADING: 2}


async def test_a_stalled_download_is_missing_in_every_proof(fleet: Fleet, gateway: Gateway) -> None:
    ids = fleet.add(cars(199))
    campaign = fleet.launch(guards=[{}])
    fleet.put(campaign, Target.SUCCEEDED, ids[:198])
    fleet.put(campaign, Target.STALLED, ids[198:])
    [verdict] = fleet.tick(campaign, mode=Mode.PROVING, promotion=Promotion()).verdicts
    assert (verdict.finished, verdict.started, verdict.status.value) == (198, 199, "inconclusive")


async def test_a_stalled_vehicle_that_polls_is_offered_it_again_as_a_new_attempt(
    fleet: Fleet, gateway: Gateway
) -> None:
    campaign, actions = await downloading(fleet, gateway, 1, 25)
    fleet.tick(campaign)
    [(vehicle, first)] = actions.items()
    again = await gateway.admit(vehicle)
    assert again[vehicle] > first
    fleet.assert_tally()


async def test_a_failure_of_an_attempt_that_stalled_counts_though_it_was_offered_again(
    fleet: Fleet, gateway: Gateway
) -> None:
    campaign, actions = await downloading(fleet, gateway, 2, 25)
    fleet.tick(campaign)
    (failing, first), (well, other) = actions.items()
    again = await gateway.admit(failing, well)
    assert await gateway.say(failing, first, "closed", "failure", "brake test") is Effect.RECORDED
    assert await gateway.say(well, other, "closed", "success") is Effect.RECORDED
    assert [fleet.state(each, campaign) for each in (failing, well)] == ["failed", "succeeded"]
    assert fleet.rows("SELECT message FROM assignment WHERE state = 'failed'") == [("brake test",)]
    # The offer that lay waiting is over with it.
    assert not await gateway.begin(failing, again[failing])
    fleet.assert_tally()


async def test_once_the_next_attempt_has_begun_the_earlier_one_is_only_logged(
    fleet: Fleet, gateway: Gateway
) -> None:
    campaign, actions = await downloading(fleet, gateway, 1, 25)
    fleet.tick(campaign)
    [(vehicle, first)] = actions.items()
    again = (await gateway.admit(vehicle))[vehicle]
    assert await gateway.begin(vehicle, again)
    assert await gateway.say(vehicle, first, "closed", "failure") is Effect.OVER
    assert fleet.state(vehicle, campaign) == "downloading"
    assert fleet.rows("SELECT finished, effect FROM report") == [("failure", "earlier attempt")]


async def test_an_earlier_attempt_that_never_began_has_no_outcome_unless_it_did_harm(
    fleet: Fleet, gateway: Gateway
) -> None:
    one, two = fleet.add(cars(2))
    campaign = fleet.launch(guards=plain("0.9"))
    actions = await gateway.admit(one, two)
    for vehicle, action in actions.items():
        await gateway.say(vehicle, action, "rejected")
    fleet.run("UPDATE assignment SET not_before = NULL")
    await gateway.admit(one, two)
    assert await gateway.say(one, actions[one], "closed", "failure") is Effect.OVER
    assert await gateway.say(two, actions[two], "closed", "failure", "critical: no brakes") is Effect.RECORDED
    assert [fleet.state(each, campaign) for each in (one, two)] == ["offered", "critical"]


async def test_harm_counts_also_where_the_offer_had_been_taken_back(fleet: Fleet, gateway: Gateway) -> None:
    [vehicle] = fleet.add(cars(1))
    campaign = fleet.launch()
    action = (await gateway.admit(vehicle))[vehicle]
    fleet.shut(campaign, 2)
    assert await gateway.say(vehicle, action, "closed", "failure", "critical: no brakes") is Effect.RECORDED
    assert fleet.state(vehicle, campaign) == "critical"


async def test_an_offer_that_was_left_alone_lets_others_go_first(fleet: Fleet, gateway: Gateway) -> None:
    one, two = fleet.add(cars(2))
    campaign = fleet.launch(limits={"in_flight": 1, "offer_timeout": "PT30M"})
    assert set(await gateway.admit(one)) == {one}
    fleet.run("UPDATE assignment SET offered_at = offered_at - interval '31 minutes' WHERE state = 'offered'")
    fleet.tick(campaign)
    assert set(await gateway.admit(one, two)) == {two}
    fleet.run("UPDATE assignment SET state = 'pending', not_before = NULL")
    assert set(await gateway.admit(one)) == {one}


async def test_who_was_told_to_install_at_night_waits_and_is_not_quiet(
    fleet: Fleet, gateway: Gateway
) -> None:
    campaign, actions = await downloading(fleet, gateway, 1, 0)
    [(vehicle, action)] = actions.items()
    for word in ("downloaded", "scheduled"):
        await gateway.say(vehicle, action, word)
    assert fleet.state(vehicle, campaign) == "downloading"
    fleet.run(QUIET, h=4)
    seen = fleet.tick(campaign)
    [silence] = [each for each in seen.verdicts if each.guard == "silence"]
    assert (silence.failed, silence.started) == (0, 0)

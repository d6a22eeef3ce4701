"""The stop is in the commit: the report that breaches a guard closes the gate in its own transaction."""

import asyncio

import pytest

from campaign.action import action_id
from campaign.assignment import Target
from store import admission, reports
from store.reports import Effect
from tests.store.fleet import (
    Fleet,
    Gateway,
    cars,
    closing,
    connected,
    plain,
    software_locked,
    waiting_for_a_lock,
)


@pytest.mark.parametrize(("attempts", "open_after"), [(49, False), (50, True), (51, True)])
@pytest.mark.parametrize("together", [False, True])
async def test_the_gate_closes_above_two_percent_and_not_at_it(
    attempts: int, open_after: bool, together: bool, fleet: Fleet, gateway: Gateway
) -> None:
    ids = fleet.add(cars(60))
    campaign = fleet.launch(guards=plain())
    fleet.put(campaign, Target.INSTALLING, ids[:attempts])
    good, bad = (
        closing(campaign, ids[1:attempts], "success"), closing(campaign, ids[:1], "failure")
    )  # fmt: skip
    if together:
        await gateway.record(*bad, *good)
    else:
        await gateway.record(*good)
        assert fleet.gate_open(campaign)
        await gateway.record(*bad)
    assert fleet.gate_open(campaign) is open_after
    assert bool(await gateway.admit(ids[-1])) is open_after
    breach = fleet.value("SELECT breach #>> '{verdict,sentence}' FROM campaign")
    if open_after:
        assert breach is None
    else:
        assert breach == "failure_rate breach: 1 of 49 failed (2.04 % > 2 %)"
        assert fleet.value("SELECT shut_at IS NOT NULL AND breach ->> 'phase' = '1' FROM campaign")


async def test_no_other_session_is_admitted_after_the_commit_of_the_breaching_report(fleet: Fleet) -> None:
    """Before it, others still see an open gate; an admission in between waits, and gets nothing."""
    ids = fleet.add(cars(3))
    campaign = fleet.launch(guards=plain())
    fleet.put(campaign, Target.INSTALLING, ids[:1])
    async with connected(fleet.url) as one, connected(fleet.url) as other:
        async with one.connection.transaction():
            effects = await reports.record(one.connection, closing(campaign, ids[:1], "failure"))
            assert effects == [Effect.RECORDED]
            assert fleet.gate_open(campaign)
            poll = asyncio.create_task(other.admit(*ids[1:]))
            await waiting_for_a_lock(fleet)
        assert not fleet.gate_open(campaign)
        assert await poll == {}
        assert await other.admit(*ids[1:]) == {}


async def test_a_breach_waits_for_an_admission_under_way_and_what_was_offered_may_not_begin(
    fleet: Fleet,
) -> None:
    bad, offered = fleet.add(cars(2))
    campaign = fleet.launch(guards=plain())
    fleet.put(campaign, Target.INSTALLING, [bad])
    async with connected(fleet.url) as one, connected(fleet.url) as other:
        async with other.connection.transaction():
            admitted = await admission.admit(other.connection, [offered])
            told = asyncio.create_task(one.record(*closing(campaign, [bad], "failure")))
            await waiting_for_a_lock(fleet)
            assert fleet.gate_open(campaign)
        await told
        assert not fleet.gate_open(campaign)
        assert fleet.state(offered, campaign) == "offered"
        assert not await other.begin(offered, admitted[offered])


async def test_a_group_that_is_rolled_back_closes_nothing(fleet: Fleet, gateway: Gateway) -> None:
    ids = fleet.add(cars(1))
    campaign = fleet.launch(guards=plain())
    fleet.put(campaign, Target.INSTALLING)
    before = fleet.everything()
    async with gateway.connection.transaction(force_rollback=True):
        await reports.record(gateway.connection, closing(campaign, ids, "failure"))
    assert fleet.everything() == before


async def test_an_offer_not_started_when_the_gate_closed_is_withdrawn_and_not_started_by_a_report(
    fleet: Fleet, gateway: Gateway
) -> None:
    bad, offered, started = fleet.add(cars(3))
    campaign = fleet.launch(guards=plain())
    action = action_id(campaign, 1)
    await gateway.admit(bad, offered, started)
    fleet.put(campaign, Target.INSTALLING, [bad])
    assert await gateway.begin(started, action)
    await gateway.say(bad, action, "closed", "failure")
    assert not await gateway.begin(offered, action)
    assert await gateway.say(offered, action, "proceeding") is Effect.OVER
    assert fleet.states(campaign) == {bad: "failed", offered: "pending", started: "downloading"}
    assert await gateway.say(started, action, "proceeding") is Effect.RECORDED  # it goes on
    assert fleet.state(started, campaign) == "installing"
    assert [row[0] for row in fleet.rows("SELECT effect FROM report ORDER BY id")] == [
        "failed", "withdrawn", "installing",
    ]  # fmt: skip
    fleet.assert_tally()


async def test_harm_told_on_an_offer_that_the_stop_took_back_is_not_lost(
    fleet: Fleet, gateway: Gateway
) -> None:
    bad, offered = fleet.add(cars(2))
    campaign = fleet.launch(guards=plain())
    action = action_id(campaign, 1)
    await gateway.admit(bad, offered)
    fleet.put(campaign, Target.INSTALLING, [bad])
    await gateway.say(bad, action, "closed", "failure")
    assert await gateway.say(offered, action, "closed", "failure", "CRITICAL: no brakes") is Effect.RECORDED
    assert fleet.states(campaign) == {bad: "failed", offered: "critical"}
    fleet.assert_tally()


async def test_the_first_breach_of_a_window_is_the_one_that_is_kept(fleet: Fleet, gateway: Gateway) -> None:
    ids = fleet.add(cars(3))
    campaign = fleet.launch(guards=plain())
    fleet.put(campaign, Target.INSTALLING)
    for vehicle in ids:
        await gateway.record(*closing(campaign, [vehicle], "failure"))
    sentence = fleet.value("SELECT breach #>> '{verdict,sentence}' FROM campaign")
    assert sentence == "failure_rate breach: 1 of 1 failed (100 % > 2 %)"


async def test_a_breach_closes_only_the_gate_of_its_own_campaign(fleet: Fleet, gateway: Gateway) -> None:
    fleet.add(cars(2, country="DE") + cars(2, 2, country="FR"))
    german, french = (
        fleet.launch(name=name, criteria={"country": name}, guards=plain()) for name in ("DE", "FR")
    )
    fleet.put(german, Target.INSTALLING)
    await gateway.record(*closing(german, fleet.states(german), "failure"))
    assert (fleet.gate_open(german), fleet.gate_open(french)) == (False, True)


async def test_acknowledged_failures_do_not_trip_again_and_new_ones_do(
    fleet: Fleet, gateway: Gateway
) -> None:
    ids = fleet.add(cars(60))
    campaign = fleet.launch(guards=plain())
    fleet.put(campaign, Target.INSTALLING)
    await gateway.record(*closing(campaign, ids[:2], "failure"))
    fleet.shut(campaign, 2)
    fleet.open(campaign, 3, new_window=True)
    assert fleet.rows('SELECT "window", breach FROM campaign') == [(2, None)]
    known = "SELECT acknowledged FROM tally WHERE state = 'failed'"
    assert fleet.rows(known) == [(2,)]
    await gateway.record(*closing(campaign, ids[2:51], "success"))
    seen = fleet.tick(campaign, seq=3)
    assert (seen.gate_open, seen.breach, seen.window) == (True, None, 2)
    assert (seen.phases[0].verdict.failed, seen.phases[0].verdict.finished) == (0, 49)
    await gateway.record(*closing(campaign, ids[51:52], "failure"))  # 1 of 50
    assert fleet.gate_open(campaign)
    await gateway.record(*closing(campaign, ids[52:53], "failure"))  # 2 of 51
    assert not fleet.gate_open(campaign)


async def test_a_gate_opened_without_a_new_window_judges_the_old_evidence_again(
    fleet: Fleet, gateway: Gateway
) -> None:
    ids = fleet.add(cars(2))
    campaign = fleet.launch(guards=plain())
    fleet.put(campaign, Target.INSTALLING)
    await gateway.record(*closing(campaign, ids[:1], "failure"))
    fleet.open(campaign, 2)
    assert not fleet.tick(campaign, seq=2).gate_open
    assert not fleet.gate_open(campaign)


async def test_the_evidence_of_one_phase_does_not_leak_into_another(fleet: Fleet, gateway: Gateway) -> None:
    """One failure of ten would stop a phase; acknowledged in phase 1 it counts nowhere in phase 2."""
    fleet.add(cars(20))
    campaign = fleet.launch(phases=[{"rollout_percent": 50}, {"rollout_percent": 100}], guards=plain())
    phases: dict[int, list[int]] = {1: [], 2: []}
    for vehicle, phase in fleet.rows("SELECT vehicle_id, phase FROM assignment"):
        phases[phase].append(vehicle)
    fleet.put(campaign, Target.INSTALLING)
    await gateway.record(*closing(campaign, phases[1][:1], "failure"))
    await gateway.record(*closing(campaign, phases[1][1:], "success"))
    fleet.shut(campaign, 2)
    fleet.open(campaign, 3, new_window=True)
    await gateway.record(*closing(campaign, phases[2][:9], "success"))
    seen = fleet.tick(campaign, seq=3, phase=2)
    assert seen.gate_open
    assert [(view.verdict.finished, view.verdict.failed) for view in seen.phases] == [(0, 0), (9, 0)]
    await gateway.record(*closing(campaign, phases[2][9:], "failure"))
    assert not fleet.gate_open(campaign)
    assert fleet.value("SELECT breach ->> 'phase' FROM campaign") == "2"


async def test_each_phase_is_judged_by_its_own_guards(fleet: Fleet, gateway: Gateway) -> None:
    ids = fleet.add(cars(10))
    campaign = fleet.launch(phases=[{"rollout_percent": 100, "guards": plain("0.5")}])
    fleet.put(campaign, Target.INSTALLING)
    await gateway.record(*closing(campaign, ids[:2], "success"), *closing(campaign, ids[2:4], "failure"))
    assert fleet.gate_open(campaign)
    await gateway.record(*closing(campaign, ids[4:5], "failure"))
    assert not fleet.gate_open(campaign)


async def test_two_reports_at_once_that_are_harmless_alone_close_the_gate_together(fleet: Fleet) -> None:
    """1 of 50 and 1 of 50 go on, 2 of 51 do not; the two vehicles share no counter."""
    ids = fleet.add(cars(50, country="DE") + cars(1, 50, country="FR"))
    campaign = fleet.launch(guards=plain())
    fleet.put(campaign, Target.INSTALLING)
    fleet.install(campaign, ids[50:], 1)  # another slice of time
    async with connected(fleet.url) as one, connected(fleet.url) as other:
        await one.record(*closing(campaign, ids[:49], "success"))
        async with one.connection.transaction():
            await reports.record(one.connection, closing(campaign, ids[49:50], "failure"))
            second = asyncio.create_task(other.record(*closing(campaign, ids[50:], "failure")))
            await waiting_for_a_lock(fleet)
        await second
    assert not fleet.gate_open(campaign)
    assert fleet.value("SELECT breach #>> '{verdict,finished}' FROM campaign") == "51"


async def test_a_pause_does_not_wait_for_an_import_that_a_success_waits_for(
    fleet: Fleet, gateway: Gateway
) -> None:
    [vehicle] = fleet.add(cars(1))
    campaign = fleet.launch()
    await gateway.start(vehicle)
    async with asyncio.TaskGroup() as tasks, software_locked(fleet, vehicle):
        telling = tasks.create_task(gateway.record(*closing(campaign, [vehicle], "success")))
        await waiting_for_a_lock(fleet)
        await asyncio.to_thread(fleet.shut, campaign, 2)
        assert not telling.done()
    assert telling.result() == [Effect.RECORDED]

"""A tick raises the allowance, renews the lease, gives slots back and counts the silent."""

from typing import Any

import pytest

from campaign.assignment import ATTEMPTS, Target
from campaign.supervision import Mode
from store.supervision import tick
from tests.store.fleet import HOUR, Fleet, Gateway, cars, earlier, plain, watch

TWO = [{"rollout_percent": 20}, {"rollout_percent": 100}]
ALLOWANCE = "SELECT allowance FROM phase ORDER BY number"
#: The lock is what brings that about.
_PLANNED = """
SELECT custom_plans, generic_plans FROM pg_prepared_statements WHERE statement NOT LIKE '%%plan_cache_mode%%'
"""
LEFT = "SELECT extract(epoch FROM lease_until - clock_timestamp()) / 60 FROM campaign"


def started(fleet: Fleet, count: int = 10, **changes: Any) -> tuple[int, list[int]]:
    ids = fleet.add(cars(count))
    campaign = fleet.launch(start=False, **changes)
    fleet.open(campaign, 1, lease=HOUR / 60)
    return campaign, ids


def test_a_tick_releases_the_phase_it_watches_and_all_before(fleet: Fleet) -> None:
    campaign, _ = started(fleet, phases=TWO)
    assert fleet.rows(ALLOWANCE) == [(0,), (0,)]
    seen = fleet.tick(campaign)
    assert fleet.rows(ALLOWANCE) == [(2,), (0,)]
    assert seen.phases[0].released_at is None  # as it was found
    assert fleet.tick(campaign).phases[0].released_at is not None
    fleet.tick(campaign, phase=2)
    assert fleet.rows(ALLOWANCE) == [(2,), (8,)]
    released = "SELECT released_at FROM phase ORDER BY number"
    before = fleet.rows(released)
    fleet.tick(campaign, phase=2)
    assert fleet.rows(released) == before


def test_a_tick_raises_the_allowance_with_the_rate(fleet: Fleet) -> None:
    campaign, _ = started(fleet, 100, limits={"per_minute": 10})
    steps = []
    for _ in range(4):
        fleet.tick(campaign)
        steps += fleet.rows(ALLOWANCE)
        fleet.run("UPDATE phase SET pace_since = pace_since - interval '2 minutes'")
    assert steps == [(1,), (21,), (41,), (61,)]
    fleet.run("UPDATE phase SET pace_since = pace_since - interval '1 day'")
    fleet.tick(campaign)
    assert fleet.rows(ALLOWANCE) == [(100,)]


def test_a_tick_renews_the_lease_and_sets_the_cap_of_the_watched_phase(fleet: Fleet) -> None:
    rings = [TWO[0] | {"limits": {"in_flight": 3}}, TWO[1] | {"limits": {"in_flight": 7}}]
    campaign, _ = started(fleet, phases=rings)
    assert fleet.value(LEFT) <= 1
    fleet.tick(campaign)
    assert 59 < fleet.value(LEFT) <= 60
    assert fleet.value("SELECT in_flight FROM campaign") == 3
    fleet.tick(campaign, phase=2)
    assert fleet.value("SELECT in_flight FROM campaign") == 7


@pytest.mark.parametrize("mode", [Mode.ROLLING_OUT, Mode.BAKING])
def test_who_was_not_reached_while_the_phase_rolled_out_stays_eligible_in_the_bake(
    mode: Mode, fleet: Fleet
) -> None:
    campaign, _ = started(fleet)
    fleet.tick(campaign, mode=mode)
    assert fleet.rows(ALLOWANCE) == [(10,)]
    assert fleet.value(LEFT) > 59


@pytest.mark.parametrize(
    ("gate_seq", "gate_open", "mode"),
    [(2, True, Mode.ROLLING_OUT), (1, False, Mode.ROLLING_OUT), (1, True, Mode.HOLDING)],
    ids=["another's gate", "shut gate", "holding"],
)
def test_a_lease_is_not_renewed_and_nothing_released_where_the_gate_is_not_ones_own_and_open(
    gate_seq: int, gate_open: bool, mode: Mode, fleet: Fleet
) -> None:
    campaign, _ = started(fleet)
    fleet.run("UPDATE campaign SET gate_seq = :s, gate_open = :o", s=gate_seq, o=gate_open)
    before = fleet.everything()
    seen = fleet.tick(campaign, mode=mode)
    assert (seen.gate_seq, seen.gate_open) == (gate_seq, gate_open)
    assert fleet.everything() == before


async def test_an_offer_not_started_in_time_gives_its_slot_back(fleet: Fleet, gateway: Gateway) -> None:
    campaign, ids = started(fleet, limits={"in_flight": 2, "offer_timeout": "PT30M"})
    fleet.tick(campaign)
    assert set(await gateway.admit(*ids)) == set(ids[:2])
    fleet.run("UPDATE assignment SET offered_at = offered_at - interval '29 minutes' WHERE state = 'offered'")
    fleet.tick(campaign)
    assert await gateway.admit(*ids[2:]) == {}
    fleet.run("UPDATE assignment SET offered_at = offered_at - interval '1 minute' WHERE state = 'offered'")
    fleet.tick(campaign)
    assert set(await gateway.admit(*ids[2:])) == set(ids[2:4])
    assert [fleet.state(vehicle, campaign) for vehicle in ids[:2]] == ["pending", "pending"]
    fleet.assert_tally()


async def test_a_download_that_stalled_gives_its_slot_back_and_is_no_failure(
    fleet: Fleet, gateway: Gateway
) -> None:
    campaign, ids = started(fleet, limits={"in_flight": 1, "silent_after": "PT1H"})
    fleet.tick(campaign)
    fleet.put(campaign, Target.DOWNLOADING, ids[:1])
    fleet.run(f"UPDATE assignment SET {earlier('59 minutes')}")
    assert fleet.tick(campaign).total.by_state[Target.DOWNLOADING] == 1
    fleet.run(f"UPDATE assignment SET {earlier('1 minute')}")
    seen = fleet.tick(campaign)
    assert seen.total.by_state == {Target.PENDING: 9, Target.STALLED: 1}
    assert seen.total.of(ATTEMPTS) == 0
    assert len(await gateway.admit(*ids)) == 1


async def test_an_installation_that_went_silent_is_a_failure_and_closes_the_gate(
    fleet: Fleet, gateway: Gateway
) -> None:
    campaign, ids = started(fleet, limits={"silent_after": "PT1H"}, guards=plain())
    fleet.tick(campaign)
    fleet.put(campaign, Target.INSTALLING, ids[:1])
    fleet.run(f"UPDATE assignment SET {earlier('59 minutes')}")
    assert fleet.tick(campaign).gate_open
    fleet.run(f"UPDATE assignment SET {earlier('1 minute')}")
    seen = fleet.tick(campaign)
    assert fleet.state(ids[0], campaign) == "silent"
    assert not seen.gate_open
    assert seen.breach is not None
    assert seen.breach.sentence == "phase 1 (phase 1): failure_rate breach: 1 of 1 failed (100 % > 2 %)"
    assert not fleet.gate_open(campaign)
    assert await gateway.admit(*ids) == {}
    assert fleet.value(
        "SELECT finished_at IS NOT NULL AND message <> '' FROM assignment WHERE state = 'silent'"
    )


def test_a_tick_that_closes_the_gate_releases_nothing_more(fleet: Fleet) -> None:
    campaign, ids = started(fleet, limits={"per_minute": 1}, guards=plain())
    fleet.tick(campaign)
    fleet.put(campaign, Target.FAILED, ids[:1])
    fleet.run("UPDATE phase SET pace_since = pace_since - interval '5 minutes'")
    lease = fleet.value("SELECT lease_until FROM campaign")
    assert not fleet.tick(campaign).gate_open
    assert fleet.rows(ALLOWANCE) == [(1,)]
    assert fleet.value("SELECT lease_until FROM campaign") == lease


def test_a_tick_that_is_repeated_finds_the_same_breach(fleet: Fleet) -> None:
    campaign, ids = started(fleet, guards=plain())
    fleet.tick(campaign)
    fleet.put(campaign, Target.FAILED, ids[:1])
    first = fleet.tick(campaign)
    before = fleet.everything()
    fleet.put(campaign, Target.FAILED, ids[1:2])
    second = fleet.tick(campaign, mode=Mode.HOLDING)
    assert first.breach == second.breach
    assert fleet.everything()["campaign"] == before["campaign"]


def test_housekeeping_also_happens_while_the_campaign_holds(fleet: Fleet) -> None:
    campaign, ids = started(fleet, guards=plain())
    fleet.tick(campaign)
    fleet.put(campaign, Target.INSTALLING, ids[:1])
    fleet.shut(campaign, 2)
    fleet.run(f"UPDATE assignment SET {earlier('25 hours')}")
    seen = fleet.tick(campaign, seq=2, mode=Mode.HOLDING)
    assert seen.total.by_state[Target.SILENT] == 1
    assert seen.breach is not None


def test_each_phase_is_kept_by_its_own_limits_and_seen_apart(fleet: Fleet) -> None:
    rings = [
        TWO[0] | {"name": "one", "limits": {"silent_after": "PT1H"}},
        TWO[1] | {"name": "two", "limits": {"silent_after": "PT3H"}},
    ]
    campaign, _ = started(fleet, phases=rings, guards=plain("0.999"))
    fleet.tick(campaign, phase=2)
    fleet.put(campaign, Target.SUCCEEDED)
    fleet.run(
        "UPDATE assignment SET state = 'installing', offered_at = now() - interval '2 hours', "
        "heard_at = now() - interval '2 hours' "
        "WHERE vehicle_id IN (SELECT min(vehicle_id) FROM assignment GROUP BY phase)"
    )
    seen = fleet.tick(campaign, phase=2)
    assert [view.name for view in seen.phases] == ["one", "two"]
    assert seen.phase(1).tally.by_state == {Target.SUCCEEDED: 1, Target.SILENT: 1}
    assert seen.phase(2).tally.by_state == {Target.SUCCEEDED: 7, Target.INSTALLING: 1}


def test_a_tick_changes_nothing_when_there_is_nothing_to_change(fleet: Fleet) -> None:
    campaign, _ = started(fleet)
    fleet.tick(campaign)
    columns = "SELECT allowance, released_at, pace_since, pace_base FROM phase"
    before = fleet.rows(columns), fleet.states(campaign)
    fleet.tick(campaign)
    assert (fleet.rows(columns), fleet.states(campaign)) == before


def test_what_a_tick_asks_is_planned_once(fleet: Fleet) -> None:
    campaign, _ = started(fleet)
    with fleet.engine.connect() as connection:
        for _ in range(20):
            with connection.begin():
                tick(connection, watch(campaign), HOUR)
        with connection.begin():
            planned = connection.exec_driver_sql(_PLANNED).all()
    assert planned
    assert all(anew == 0 < kept for anew, kept in planned)

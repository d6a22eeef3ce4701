"""A cohort is left out from the commit on: none of it is offered, begins or counts; the rows follow."""

import re

import pytest

from campaign.action import action_id
from campaign.assignment import Target
from campaign.cohorts import Cohort
from campaign.problems import Refused
from store import exclusion, polls
from store.evidence import BEGUN_IN_SLICE_SQL
from store.reports import Effect
from tests.store.fleet import Fleet, Gateway, car, cars, closing, report

NEW = "hw_id=EVO15"


def exclude(fleet: Fleet, campaign: int, cohort: str = NEW) -> int:
    with fleet.engine.begin() as connection:
        return exclusion.exclude(connection, campaign, Cohort.read(cohort))


def mixed(fleet: Fleet) -> dict[str, list[int]]:
    """Vehicles by the cohort they would be left out by; the rest is in none of these."""
    return {
        "hw_id=EVO15": fleet.add(cars(3, hw_id="EVO15")),
        "from_version=Radar 1.2.0": fleet.add(cars(3, 10, sw_version="1.2.0")),
        "model=Model_3": fleet.add(cars(3, 20, model="Model_3")),
        "country=FR": fleet.add(cars(3, 30, country="FR")),
        "rest": fleet.add([*cars(3, 40), car(50, country="DE")]),
    }


@pytest.mark.parametrize("cohort", ["hw_id=EVO15", "from_version=Radar 1.2.0", "model=Model_3", "country=FR"])
async def test_who_is_left_out_by_any_fact_is_not_admitted_from_the_commit_on(
    cohort: str, fleet: Fleet, gateway: Gateway
) -> None:
    groups = mixed(fleet)
    everybody = [vehicle for group in groups.values() for vehicle in group]
    campaign = fleet.launch()
    assert exclude(fleet, campaign, cohort) == 3
    vins = dict(fleet.rows("SELECT vin, id FROM vehicle"))
    standing = await polls.standings(gateway.connection, list(vins))
    assert {vins[each] for each, found in standing.items() if not found.admissible} == set(groups[cohort])
    assert set(await gateway.admit(*everybody)) == set(everybody) - set(groups[cohort])
    assert fleet.tick(campaign).excluded == (cohort,)


async def test_an_offer_to_who_is_left_out_is_taken_back_at_once_and_frees_its_slot(
    fleet: Fleet, gateway: Gateway
) -> None:
    """Without waiting for a tick: it would begin before."""
    old, new = fleet.add(cars(2)), fleet.add(cars(2, 10, hw_id="EVO15"))
    campaign = fleet.launch(limits={"in_flight": 2})
    offered = await gateway.admit(*new)
    assert set(offered) == set(new)
    assert await gateway.admit(*old) == {}
    assert exclude(fleet, campaign) == 2
    assert not await gateway.begin(new[0], offered[new[0]])
    assert await gateway.say(new[1], offered[new[1]], "proceeding") is Effect.OVER
    assert [fleet.state(each, campaign) for each in new] == ["excluded", "excluded"]
    assert set(await gateway.admit(*old, *new)) == set(old)
    fleet.assert_tally()


async def test_who_downloads_is_asked_to_cancel_and_ends_as_excluded(fleet: Fleet, gateway: Gateway) -> None:
    old, new = fleet.add(cars(1)), fleet.add(cars(1, 10, hw_id="EVO15"))
    campaign = fleet.launch()
    fleet.put(campaign, Target.DOWNLOADING)
    assert exclude(fleet, campaign) == 0
    assert fleet.rows("SELECT vehicle_id FROM assignment WHERE cancel_wanted") == [(new[0],)]
    answer = report(new[0], action_id(campaign, 1), "closed", "success", channel="cancel")
    assert await gateway.record(answer) == [Effect.RECORDED]
    assert fleet.states(campaign) == {old[0]: "downloading", new[0]: "excluded"}
    assert fleet.rows("SELECT cancel_wanted FROM assignment WHERE state = 'excluded'") == [(False,)]
    fleet.assert_tally()


async def test_who_installs_finishes_and_counts_in_no_guard_of_the_new_window(
    fleet: Fleet, gateway: Gateway
) -> None:
    old, new = fleet.add(cars(10)), fleet.add(cars(10, 10, hw_id="EVO15"))
    campaign = fleet.launch()
    fleet.install(campaign, new + old[:1], 1)
    exclude(fleet, campaign)
    fleet.shut(campaign, 2)
    fleet.open(campaign, 3, new_window=True)
    assert not fleet.value("SELECT count(*) FROM assignment WHERE cancel_wanted")
    await gateway.record(*closing(campaign, new[:5], "failure"), *closing(campaign, new[5:], "success"))
    await gateway.record(*closing(campaign, old[:1], "success"))
    seen = fleet.tick(campaign, seq=3)
    assert (seen.gate_open, seen.breach) == (True, None)
    assert seen.total.by_state == {Target.FAILED: 5, Target.SUCCEEDED: 6, Target.PENDING: 9}
    counts = {each.guard: (each.failed, each.finished, each.started) for each in seen.verdicts}
    assert counts == {
        "critical": (0, 1, 1),
        "installation_success_rate": (0, 1, 1),
        "rollback_rate": (0, 1, 1),
        "silence": (0, 0, 0),
        "not_ok": (0, 0, 0),
        "download_failure_rate": (0, 1, 1),
    }


async def test_who_refuses_to_cancel_and_installs_after_all_is_in_no_slice_of_time(
    fleet: Fleet, gateway: Gateway
) -> None:
    """Slices are judged and brake, and know no cohorts."""
    old, new = fleet.add(cars(1)), fleet.add(cars(1, 10, hw_id="EVO15"))
    campaign = fleet.launch()
    fleet.put(campaign, Target.DOWNLOADING)
    action = action_id(campaign, 1)
    exclude(fleet, campaign)
    await gateway.record(report(new[0], action, "rejected", channel="cancel"))
    for vehicle in (*old, *new):
        assert await gateway.say(vehicle, action, "proceeding") is Effect.RECORDED
    assert fleet.states(campaign) == {old[0]: "installing", new[0]: "installing"}
    assert fleet.rows("SELECT vehicle_id FROM assignment WHERE slice IS NOT NULL") == [(old[0],)]
    await gateway.say(new[0], action, "closed", "failure")
    assert fleet.rows(f"SELECT installing, {BEGUN_IN_SLICE_SQL} FROM slice AS s") == [(1, 1)]


def test_those_who_wait_are_moved_by_the_ticks_some_at_a_time(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = fleet.add(cars(2)), fleet.add(cars(5, 10, hw_id="EVO15"))
    campaign = fleet.launch()
    fleet.put(campaign, Target.DEFERRED, new[:1])
    monkeypatch.setattr(exclusion, "SWEEP", 2)
    assert exclude(fleet, campaign) == 5
    moved = []
    for _ in range(4):
        moved.append(list(fleet.states(campaign).values()).count("excluded"))
        fleet.tick(campaign)
    assert moved == [0, 2, 4, 5]
    assert [fleet.state(each, campaign) for each in old] == ["pending", "pending"]
    assert fleet.value("SELECT count(*) FROM assignment WHERE finished_at IS NOT NULL") == 5
    fleet.assert_tally()


async def test_the_outcome_of_who_had_given_up_and_was_left_out_moves_nothing(
    fleet: Fleet, gateway: Gateway
) -> None:
    [vehicle, _] = fleet.add([car(0, hw_id="EVO15"), car(1)])
    campaign = fleet.launch()
    action = await gateway.start(vehicle)
    await gateway.say(vehicle, action, "rejected")
    exclude(fleet, campaign)
    fleet.tick(campaign)
    assert await gateway.say(vehicle, action, "closed", "failure") is Effect.OVER
    assert fleet.state(vehicle, campaign) == "excluded"


def test_a_cohort_left_out_twice_is_left_out_once(fleet: Fleet) -> None:
    fleet.add(cars(2))
    new = fleet.add(cars(4, 10, hw_id="EVO15"))
    campaign = fleet.launch()
    fleet.put(campaign, Target.OFFERED, new[:1])
    first = exclude(fleet, campaign)
    before = fleet.everything()
    assert exclude(fleet, campaign) == first == 4
    assert fleet.everything() == before
    fleet.tick(campaign)
    assert exclude(fleet, campaign) == 4


def test_each_cohort_is_counted_by_itself(fleet: Fleet) -> None:
    groups = mixed(fleet)
    campaign = fleet.launch()
    assert [exclude(fleet, campaign, cohort) for cohort in list(groups)[:2]] == [3, 3]
    fleet.tick(campaign)
    assert fleet.tick(campaign).excluded == tuple(list(groups)[:2])
    assert list(fleet.states(campaign).values()).count("excluded") == 6


@pytest.mark.parametrize(
    ("cohort", "cure"),
    [
        ("hw_id=EVO1", "no vehicle of this campaign is in it; did you mean 'hw_id=EVO14'? known: "),
        ("country=de", "no vehicle of this campaign is in it; did you mean 'country=DE'? known: "),
        ("from_version=1.3.0", "did you mean 'from_version=Radar 1.3.0'?"),
    ],
)
def test_a_cohort_nobody_is_in_is_refused_with_the_closest_one_and_nothing_changes(
    cohort: str, cure: str, fleet: Fleet
) -> None:
    fleet.add(cars(2, country="DE"))
    campaign = fleet.launch()
    before = fleet.everything()
    with pytest.raises(Refused, match=re.escape(cure)):
        exclude(fleet, campaign, cohort)
    assert fleet.everything() == before


async def test_another_campaign_does_not_care(fleet: Fleet, gateway: Gateway) -> None:
    new = fleet.add([car(0, hw_id="EVO15"), car(1)])[:1]
    campaign, other = fleet.launch(name="One"), fleet.launch(name="Other")
    exclude(fleet, campaign)
    assert await gateway.admit(*new) == {new[0]: action_id(other, 1)}
    assert fleet.tick(other).excluded == ()
    marks = fleet.rows("SELECT campaign_id, count(*) FILTER (WHERE excluded) FROM configuration GROUP BY 1")
    assert dict(marks) == {campaign: 1, other: 0}

"""Who fails is found in the transaction of the report: a cohort, its record, and who was exposed."""

from campaign.action import action_id
from campaign.assignment import Target
from campaign.breach import Breach, Exposed
from tests.store.fleet import Fleet, Gateway, cars, closing, report


def stopped(fleet: Fleet) -> Breach:
    """The record of the stop."""
    return Breach.model_validate(fleet.value("SELECT breach FROM campaign"))


async def test_a_cohort_stops_the_campaign_while_the_ring_as_a_whole_is_fine(
    fleet: Fleet, gateway: Gateway
) -> None:
    """Four of 303 would be nothing; all on 43 vehicles with the same hardware they are a fault."""
    old, new = fleet.add(cars(260)), fleet.add(cars(43, 260, hw_id="EVO15"))
    campaign = fleet.launch()
    fleet.put(campaign, Target.INSTALLING)
    await gateway.record(*closing(campaign, old, "success"))
    await gateway.record(*closing(campaign, new[:39], "success"), *closing(campaign, new[39:42], "failure"))
    assert fleet.gate_open(campaign)
    await gateway.record(*closing(campaign, new[42:], "failure"))
    assert not fleet.gate_open(campaign)
    found = stopped(fleet)
    assert (found.verdict.guard, found.verdict.slice) == ("installation_success_rate", "hw_id=EVO15")
    assert found.culprit is not None
    assert found.culprit.sentence == (
        "4 of 4 failures are on hw_id=EVO15 (4 of its 43 failed, 0 of the other 260)"
    )


async def test_the_same_failures_spread_over_the_ring_stop_nothing(fleet: Fleet, gateway: Gateway) -> None:
    old, new = fleet.add(cars(260)), fleet.add(cars(43, 260, hw_id="EVO15"))
    campaign = fleet.launch()
    fleet.put(campaign, Target.INSTALLING)
    await gateway.record(*closing(campaign, old[2:] + new[2:], "success"))
    await gateway.record(*closing(campaign, old[:2] + new[:2], "failure"))
    assert fleet.gate_open(campaign)
    assert fleet.tick(campaign).gate_open


async def test_the_record_of_a_stop_names_the_culprit_and_who_was_exposed(
    fleet: Fleet, gateway: Gateway
) -> None:
    old, new = fleet.add(cars(250)), fleet.add(cars(50, 250, hw_id="EVO15"))
    campaign = fleet.launch()
    fleet.put(campaign, Target.INSTALLING)
    fleet.put(campaign, Target.OFFERED, old[240:243])
    fleet.put(campaign, Target.DOWNLOADING, old[243:245])
    fleet.put(campaign, Target.PENDING, old[245:])
    await gateway.record(
        *closing(campaign, old[:200], "success"),
        *closing(campaign, [*old[200:202], *new[:41]], "failure"),
    )
    found = stopped(fleet)
    assert (found.phase, found.window, found.verdict.slice) == (1, 1, "ring")
    assert found.culprit is not None
    assert found.culprit.sentence == (
        "41 of 43 failures are on hw_id=EVO15 (41 of its 41 failed, 2 of the other 202)"
    )
    assert found.exposed == Exposed(offered=3, downloading=2, installing=47, harmed=43)
    assert found.sentence.startswith("phase 1 (phase 1): installation_success_rate breach: 43 of 243 failed")
    assert found.sentence.endswith(found.culprit.sentence)


async def test_where_everybody_fails_nobody_is_the_culprit(fleet: Fleet, gateway: Gateway) -> None:
    ids = fleet.add(cars(20)) + fleet.add(cars(20, 20, hw_id="EVO15"))
    campaign = fleet.launch()
    fleet.put(campaign, Target.INSTALLING)
    await gateway.record(*closing(campaign, ids[10:30], "failure"))
    assert stopped(fleet).culprit is None


async def test_the_critical_failures_of_a_cohort_name_it_too(fleet: Fleet, gateway: Gateway) -> None:
    old, new = fleet.add(cars(90)), fleet.add(cars(10, 90, hw_id="EVO15"))
    campaign = fleet.launch()
    fleet.put(campaign, Target.INSTALLING)
    action = action_id(campaign, 1)
    await gateway.record(*closing(campaign, old, "success"))
    await gateway.record(*(report(each, action, "closed", "failure", "critical") for each in new[:4]))
    found = stopped(fleet)
    assert found.verdict.guard == "critical"
    assert found.culprit is not None
    assert found.culprit.cohort == "hw_id=EVO15"


async def test_the_culprit_is_named_at_a_tick_when_those_under_way_at_the_stop_have_reported(
    fleet: Fleet, gateway: Gateway
) -> None:
    old, new = fleet.add(cars(60)), fleet.add(cars(20, 60, hw_id="EVO15"))
    campaign = fleet.launch()
    fleet.put(campaign, Target.INSTALLING)
    action = action_id(campaign, 1)
    await gateway.record(report(new[0], action, "closed", "failure", "critical: no brakes"))
    assert stopped(fleet).culprit is None
    await gateway.record(*closing(campaign, old, "success"))
    await gateway.record(*(report(each, action, "closed", "failure", "critical") for each in new[1:10]))
    seen = fleet.tick(campaign)
    assert seen.breach == stopped(fleet)
    assert seen.culprit is not None
    assert seen.culprit.cohort == "hw_id=EVO15"
    assert (seen.culprit.failed, seen.culprit.of_failed) == (10, 10)

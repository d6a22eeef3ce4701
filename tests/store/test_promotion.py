"""While a phase is watched, a tick says whether the next may follow, by the proof of all phases so far."""

from typing import Any

import pytest

from campaign.assignment import Target
from campaign.promotion import Decision, OnInconclusive, Promotion, Requires
from campaign.supervision import Mode
from tests.store.fleet import Fleet, cars

#: 100 vehicles each.
RINGS = [
    {"name": "first", "rollout_percent": 25},
    {"name": "second", "rollout_percent": 50},
    {"name": "last", "rollout_percent": 100},
]
GUARDS: list[dict[str, Any]] = [{}, {"metric": "critical", "mode": "count"}]


def rolled_out(fleet: Fleet, **changes: Any) -> tuple[int, dict[int, list[int]]]:
    """A campaign of 400, and its vehicles by phase."""
    fleet.add(cars(400))
    campaign = fleet.launch(**{"phases": RINGS, "guards": GUARDS} | changes)
    phases: dict[int, list[int]] = {1: [], 2: [], 3: []}
    for vehicle, phase in fleet.rows("SELECT vehicle_id, phase FROM assignment ORDER BY 1"):
        phases[phase].append(vehicle)
    return campaign, phases


def decision(fleet: Fleet, campaign: int, phase: int = 1, **promotion: Any) -> Decision:
    seen = fleet.tick(campaign, phase=phase, mode=Mode.PROVING, promotion=Promotion(**promotion))
    assert seen.promotion is not None
    return seen.promotion


def test_nothing_is_decided_while_the_phase_rolls_out_or_the_campaign_holds(fleet: Fleet) -> None:
    campaign, phases = rolled_out(fleet)
    fleet.put(campaign, Target.SUCCEEDED, phases[1])
    found = {mode: fleet.tick(campaign, mode=mode).promotion is not None for mode in Mode}
    assert found == {
        Mode.ROLLING_OUT: False,
        Mode.BAKING: True,
        Mode.PROVING: True,
        Mode.HOLDING: False,
    }


def test_without_an_outcome_nothing_goes_on(fleet: Fleet) -> None:
    campaign, _ = rolled_out(fleet)
    found = decision(fleet, campaign, on_inconclusive=OnInconclusive.ADVANCE)
    assert (found.advance, found.sentence) == (False, "no vehicle of this phase has an outcome")


def test_the_proof_is_that_of_all_phases_so_far_together(fleet: Fleet) -> None:
    """100 vehicles without a failure do not prove a rate under 2 % 20:1; 200 do."""
    campaign, phases = rolled_out(fleet)
    fleet.put(campaign, Target.SUCCEEDED, phases[1])
    alone = decision(fleet, campaign)
    assert not alone.advance
    assert alone.sentence == (
        "installation_success_rate inconclusive: 0 of 100 failed; 100 vehicles only show a rate under 2.95 %"
    )
    fleet.put(campaign, Target.SUCCEEDED, phases[2])
    together = decision(fleet, campaign, phase=2)
    assert together.advance
    assert together.sentence == (
        "installation_success_rate healthy: 0 of 200 failed; a rate under 2 % is proven 21:1"
    )


def test_who_is_still_under_way_counts_as_failed_in_the_proof(fleet: Fleet) -> None:
    campaign, phases = rolled_out(fleet)
    fleet.put(campaign, Target.SUCCEEDED, phases[1] + phases[2])
    fleet.put(campaign, Target.INSTALLING, phases[2][:1])
    assert not decision(fleet, campaign, phase=2).advance


@pytest.mark.parametrize(
    ("on_inconclusive", "how"),
    [
        (OnInconclusive.ADVANCE_WITHIN_BUDGET, "goes on within the harm budget"),
        (OnInconclusive.ADVANCE, "goes on as defined"),
    ],
)
def test_what_is_too_small_to_prove_anything_goes_on_where_the_definition_says_so(
    on_inconclusive: OnInconclusive, how: str, fleet: Fleet
) -> None:
    campaign, phases = rolled_out(fleet)
    fleet.put(campaign, Target.SUCCEEDED, phases[1])
    found = decision(fleet, campaign, on_inconclusive=on_inconclusive)
    assert found.advance
    assert found.sentence.endswith(f"2.95 %; {how}")


def test_a_proof_of_the_target_takes_more_than_one_of_the_limit(fleet: Fleet) -> None:
    campaign, phases = rolled_out(fleet)
    fleet.put(campaign, Target.SUCCEEDED, phases[1] + phases[2])
    assert decision(fleet, campaign, phase=2).advance
    found = decision(fleet, campaign, phase=2, requires=Requires.BELOW_TARGET)
    assert (found.advance, found.sentence) == (
        False,
        "installation_success_rate: 0 of 200 failed or missing shows a rate under 1.49 %; required is 0.5 %",
    )


def test_the_last_phase_needs_no_proof(fleet: Fleet) -> None:
    campaign, phases = rolled_out(fleet)
    fleet.put(campaign, Target.SUCCEEDED, phases[3][:5])
    found = decision(fleet, campaign, phase=3)
    assert (found.advance, found.sentence) == (True, "the last phase is over and no guard objects")


def test_a_breach_of_the_watched_phase_holds_even_the_last(fleet: Fleet) -> None:
    campaign, phases = rolled_out(fleet)
    fleet.put(campaign, Target.SUCCEEDED, phases[3])
    fleet.put(campaign, Target.CRITICAL, phases[3][:1])
    found = decision(fleet, campaign, phase=3, requires=Requires.NONE)
    assert not found.advance
    assert found.sentence.startswith("critical breach: 1 of ")


def test_failures_spread_over_the_phases_hold_what_no_phase_shows_alone(fleet: Fleet) -> None:
    """Four of 100 in each of two phases; a fifth would have stopped either."""
    campaign, phases = rolled_out(fleet)
    for number in (1, 2):
        fleet.put(campaign, Target.SUCCEEDED, phases[number])
        fleet.put(campaign, Target.FAILED, phases[number][:4])
    found = decision(fleet, campaign, phase=2, on_inconclusive=OnInconclusive.ADVANCE)
    assert not found.advance
    assert found.sentence.startswith("installation_success_rate breach: 8 of 200 failed (4 % > 2 %)")
    assert fleet.gate_open(campaign)


def test_a_guard_that_only_tells_people_holds_nothing(fleet: Fleet) -> None:
    told = {"name": "any", "metric": "failure_rate", "mode": "count", "action": "notify"}
    campaign, phases = rolled_out(fleet, guards=[*GUARDS, told])
    fleet.put(campaign, Target.SUCCEEDED, phases[1] + phases[2])
    fleet.put(campaign, Target.DOWNLOAD_FAILED, phases[2][:2])
    seen = fleet.tick(campaign, phase=2, mode=Mode.PROVING)
    assert [each.verdict.guard for each in seen.warnings] == ["any"]
    assert seen.promotion is not None
    assert seen.promotion.advance


def test_what_a_resume_has_acknowledged_proves_health_all_the_same(fleet: Fleet) -> None:
    campaign, phases = rolled_out(fleet)
    fleet.put(campaign, Target.SUCCEEDED, phases[1] + phases[2])
    assert decision(fleet, campaign, phase=2).advance
    fleet.shut(campaign, 2)
    fleet.open(campaign, 3, new_window=True)
    assert decision(fleet, campaign, phase=2).advance


def test_who_was_left_out_is_in_no_proof_and_the_others_prove_the_more(fleet: Fleet) -> None:
    """Of 300 the first 100 were bad and are left out; two hundred good ones are too few after looking."""
    campaign, phases = rolled_out(fleet)
    fleet.put(campaign, Target.SUCCEEDED, phases[2])
    fleet.put(campaign, Target.SUCCEEDED, phases[1])
    assert decision(fleet, campaign, phase=2).advance
    fleet.run("UPDATE campaign SET excluded = '{hw_id=EVO13}', cohorts = '{hw_id=EVO13, hw_id=EVO14}'")
    assert not decision(fleet, campaign, phase=2).advance


def test_who_never_began_does_not_keep_a_watched_phase_from_being_over(fleet: Fleet) -> None:
    """While it rolls out there is more to come; while it is watched, what there is is all there will be."""
    campaign, phases = rolled_out(fleet)
    fleet.put(campaign, Target.SUCCEEDED, phases[1][:50])
    rolling = fleet.tick(campaign, mode=Mode.ROLLING_OUT).phase(1).verdict
    watched = fleet.tick(campaign, mode=Mode.BAKING).phase(1).verdict
    assert (rolling.status.value, watched.status.value) == ("continue", "inconclusive")

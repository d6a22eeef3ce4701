"""Limits change while a campaign runs: by name, from a phase on, all or nothing, and the next tick obeys."""

from decimal import Decimal
from typing import Any

import pytest

from campaign.assignment import Target
from campaign.problems import Refused
from store import limits
from tests.store.fleet import NO_BRAKE, Fleet, cars, plain

RINGS = [{"rollout_percent": 10}, {"rollout_percent": 50}, {"rollout_percent": 100}]
GUARDS = (
    "SELECT number, g ->> 'name', g ->> 'limit' FROM phase, jsonb_array_elements(guards) AS g ORDER BY 1, 2"
)


def change(fleet: Fleet, campaign: int, from_phase: int = 1, **values: Any) -> None:
    with fleet.engine.begin() as connection:
        limits.change(connection, campaign, from_phase, values.get("limits", {}), values.get("guards", {}))


def test_guards_get_new_limits_by_their_names_from_a_phase_on(fleet: Fleet) -> None:
    fleet.add(cars(20))
    two = [*plain(), {"metric": "rollback_rate"}]
    campaign = fleet.launch(phases=RINGS, guards=two)
    change(fleet, campaign, 2, guards={"rollback_rate": Decimal("0.2")})
    assert fleet.rows(GUARDS) == [
        (1, "failure_rate", "0.02"), (1, "rollback_rate", "0.01"),
        (2, "failure_rate", "0.02"), (2, "rollback_rate", "0.2"),
        (3, "failure_rate", "0.02"), (3, "rollback_rate", "0.2"),
    ]  # fmt: skip


REFUSED: list[tuple[dict[str, Any], str]] = [
    (
        {"guards": {"failure_rat": Decimal("0.1")}},
        "guards = 'failure_rat': no guard of this name; did you mean 'failure_rate'? known: failure_rate",
    ),
    (
        {"guards": {"rollback_rate": Decimal("0.0019")}, "limits": {"in_flight": 5}},
        "accept 0.001 must be at most half of limit 0.0019",
    ),
    ({"guards": {"failure_rate": Decimal(1)}}, "guards.failure_rate = 1"),
    ({"limits": {"in_flight": 0}}, "in_flight = 0"),
]


@pytest.mark.parametrize(("wrong", "message"), REFUSED, ids=lambda value: str(value)[:40])
def test_what_does_not_fit_is_refused_and_nothing_is_changed(
    wrong: dict[str, Any], message: str, fleet: Fleet
) -> None:
    fleet.add(cars(20))
    campaign = fleet.launch(phases=RINGS, guards=[*plain(), {"metric": "rollback_rate"}])
    before = fleet.everything()
    with pytest.raises(Refused) as refused:
        change(fleet, campaign, **wrong)
    assert message in str(refused.value)
    assert fleet.everything() == before


def test_a_phase_without_the_guard_keeps_its_own_as_they_are(fleet: Fleet) -> None:
    fleet.add(cars(20))
    rings = [*RINGS[:2], RINGS[2] | {"guards": plain()}]
    campaign = fleet.launch(phases=rings, guards=[*plain(), {"metric": "rollback_rate"}])
    change(fleet, campaign, guards={"rollback_rate": Decimal("0.2")})
    with fleet.engine.begin() as connection:
        rows = connection.exec_driver_sql("SELECT guards FROM phase ORDER BY number").scalars().all()
    limits = [{guard["name"]: guard["limit"] for guard in guards} for guards in rows]
    assert limits == [{"failure_rate": "0.02", "rollback_rate": "0.2"}] * 2 + [{"failure_rate": "0.02"}]
    assert campaign


def test_the_next_tick_obeys_the_new_limits(fleet: Fleet) -> None:
    ids = fleet.add(cars(20))
    campaign = fleet.launch(guards=plain("0.5"), limits=NO_BRAKE)
    fleet.put(campaign, Target.SUCCEEDED, ids[:9])
    fleet.put(campaign, Target.FAILED, ids[9:10])
    seen = fleet.tick(campaign)
    assert (seen.cap, seen.gate_open) == (10_000, True)
    change(fleet, campaign, limits={"in_flight": 7}, guards={"failure_rate": Decimal("0.1")})
    seen = fleet.tick(campaign)  # one of ten is not more than a tenth
    assert (seen.cap, seen.gate_open) == (7, True)
    assert fleet.value("SELECT in_flight FROM campaign") == 7
    change(fleet, campaign, guards={"failure_rate": Decimal("0.09")})
    assert not fleet.tick(campaign).gate_open

"""New limits while a campaign runs: wrong ones cost no event, right ones are journaled."""

from decimal import Decimal
from typing import Any

import pytest

from activities.messages import LimitsChange
from campaign.lifecycle import State
from campaign.supervision import Mode
from tests.workflows.campaigns import PLAIN, Stage, definition
from tests.workflows.world import World

GIVE = "give at least one of in_flight, in_flight_floor, harm_budget, per_minute, failure_limit and guards"
LESS = "Input should be less than 1"

WRONG: list[tuple[list[Any], str]] = [
    ([], GIVE),
    (["5"], GIVE),
    ([{}], GIVE),
    ([{"by": "ann"}], GIVE),
    ([{"guards": {}}], GIVE),
    ([{"in_flight": 0}], "in_flight = 0: Input should be greater than or equal to 1"),
    ([{"in_flight_floor": 0}], "in_flight_floor = 0: Input should be greater than or equal to 1"),
    ([{"harm_budget": -1}], "harm_budget = -1: Input should be greater than or equal to 1"),
    ([{"harm_budget": 2**31}], f"harm_budget = {2**31}: Input should be less than or equal to"),
    ([{"per_minute": "many"}], "per_minute = 'many': Input should be a valid integer"),
    ([{"failure_limit": 1}], f"failure_limit = 1: {LESS}"),
    ([{"failure_limit": "-0.1"}], "failure_limit = '-0.1': Input should be greater than or equal to 0"),
    ([{"failure_limit": "NaN"}], "failure_limit = 'NaN': "),
    ([{"guards": {"silence": 2}}], f"guards.silence = 2: {LESS}"),
    ([{"guards": {"silence": "NaN"}}], "guards.silence = 'NaN': "),
    ([{"guards": ["silence"]}], "guards = ['silence']: Input should be a valid dictionary"),
    ([{"in_fligth": 5}], "in_fligth = 5: unknown key; did you mean 'in_flight'?"),
    ([{"in_flight": 5, "harm_budget": 0}], "harm_budget = 0: "),
]


@pytest.mark.parametrize(("given", "why"), WRONG, ids=[str(given) for given, _ in WRONG])
async def test_wrong_limits_are_refused_with_the_cure(stage: Stage, given: list[Any], why: str) -> None:
    campaign = await stage.in_state(State.DRAFT)
    assert (await campaign.refusal("set_limits", *given)).startswith(why)
    assert campaign.world.changes == []


async def test_limits_cannot_change_before_the_door_and_after_the_end(stage: Stage) -> None:
    campaign = await stage.start(definition(), world=World({1: 10}, held={"register", "finish"}))
    assert await campaign.refusal("set_limits", {"in_flight": 5}) == (
        "limits cannot change: the campaign is Draft"
    )
    await campaign.world.release("register")
    await campaign.signal("abort")
    await campaign.world.until_called("finish")
    assert await campaign.refusal("set_limits", {"in_flight": 5}) == (
        "limits cannot change: the campaign is Aborted"
    )


def change(phase: int, guards: dict[str, str] | None = None, **limits: int) -> LimitsChange:
    rates = {name: Decimal(rate) for name, rate in (guards or {}).items()}
    return LimitsChange(campaign_id=7, from_phase=phase, limits=limits, guards=rates)


@pytest.mark.parametrize(
    ("given", "wanted", "said"),
    [
        (
            {"in_flight": 5, "by": "ann", "reason": "CDN"},
            change(1, in_flight=5),
            "limits changed by ann: in_flight = 5 (CDN)",
        ),
        (
            {"in_flight_floor": 10, "harm_budget": 3, "per_minute": 60},
            change(1, in_flight_floor=10, harm_budget=3, per_minute=60),
            "limits changed by operator: in_flight_floor = 10, harm_budget = 3, per_minute = 60",
        ),
        (
            {"guards": {"silence": "0.05", "not_ok": 0.06}},
            change(1, {"silence": "0.05", "not_ok": "0.06"}),
            "limits changed by operator: silence > 0.05, not_ok > 0.06",
        ),
        (
            {"failure_limit": "0.01", "in_flight": 1},
            change(1, {"failure_rate": "0.01"}, in_flight=1),
            "limits changed by operator: in_flight = 1, failure_limit = 0.01",
        ),
    ],
    ids=str,
)
async def test_new_limits_say_only_what_changes_and_are_journaled(
    stage: Stage, given: dict[str, Any], wanted: LimitsChange, said: str
) -> None:
    campaign = await stage.in_state(State.ROLLING_OUT)
    assert await campaign.update("set_limits", given) == said
    assert campaign.world.changes == [wanted]
    await campaign.world.until(lambda: said in campaign.world.texts())
    assert await campaign.stage() == "Active/RollingOut"


async def test_limits_change_from_the_present_phase_on(stage: Stage) -> None:
    campaign = await stage.in_state(State.BAKING, phases=2)
    await campaign.signal("promote")
    await campaign.world.until_watched(Mode.BAKING, 2)
    await campaign.update("set_limits", {"in_flight": 5})
    assert campaign.world.changes == [change(2, in_flight=5)]


async def test_the_failure_limit_is_that_of_the_guard_that_proves_the_success_of_the_phase(
    stage: Stage,
) -> None:
    own = [{"metric": "silence"}, {"metric": "installation_success_rate", "name": "success"}]
    given = definition(2, "PT24H", guards=list(PLAIN))
    given["phases"][1]["guards"] = own
    campaign = await stage.start(given, world=World({1: 10, 2: 10}))
    await campaign.signal("approve")
    for phase in (1, 2):
        await campaign.world.until_watched(Mode.BAKING, phase)
        await campaign.update("set_limits", {"failure_limit": "0.03"})
        await campaign.signal("promote")
    assert campaign.world.changes == [change(1, {"failure_rate": "0.03"}), change(2, {"success": "0.03"})]


async def test_a_limit_that_is_refused_is_the_answer_and_is_not_journaled_as_changed(stage: Stage) -> None:
    campaign = await stage.in_state(State.ROLLING_OUT)
    why = "guards = 'silenze': no guard of this name"
    campaign.world.refuse_change = f"command refused: {why}"
    assert await campaign.denial("set_limits", {"guards": {"silenze": "0.05"}}) == why
    assert campaign.world.count("change_limits") == 1
    await campaign.signal("abort")
    await campaign.result()
    assert "limits" not in [line.event for line in campaign.world.journal]

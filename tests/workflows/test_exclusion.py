"""Leaving a cohort out: one order that ends a pause, where there is one, with the others."""

import asyncio
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateStage

from campaign.cohorts import Culprit
from campaign.lifecycle import State
from campaign.supervision import Mode
from tests.workflows.campaigns import Campaign, Stage, definition, soon
from tests.workflows.world import World

COHORT = "hw_id=BOSCH-MRR-EVO15"
BY_ANN = {"cohort": COHORT, "by": "ann", "reason": "recalled part"}
CULPRIT = Culprit(cohort=COHORT, failed=2, finished=3, of_failed=2, of_finished=10)
LEFT_OUT = f"{COHORT} is left out by ann: recalled part: 4 vehicles that had not begun"


async def breached(stage: Stage) -> Campaign:
    """Paused by a guard that says who fails."""
    campaign = await stage.in_state(State.ROLLING_OUT, World({1: 10}, left_out=4))
    await campaign.world.happens(campaign.world.fail, 1, failed=2, of=10, culprit=CULPRIT)
    await campaign.world.until_watched(Mode.HOLDING)
    return campaign


async def test_a_breach_with_a_culprit_says_who_it_is_and_how_to_leave_it_out(stage: Stage) -> None:
    campaign = await breached(stage)
    status = await campaign.status()
    assert CULPRIT.sentence in status.why
    assert status.next == (
        f"exclude {COHORT}: leave these out and go on",
        "resume: go on, with a new evidence window",
        "abort: end it",
    )
    assert f'- Update `exclude` with `{{"cohort": "{COHORT}"}}`: leave these out' in await campaign.details()


async def test_an_exclusion_ends_a_pause_with_a_new_evidence_window(stage: Stage) -> None:
    campaign = await breached(stage)
    world = campaign.world
    assert await campaign.update("exclude", BY_ANN) == f"{LEFT_OUT}; the campaign goes on"
    # In the same step: who has the answer finds it going on.
    assert await campaign.stage() == "Active/RollingOut"
    await world.until(lambda: world.gate_open)
    assert (world.window, world.excluded) == (2, [COHORT])
    await world.until(lambda: {LEFT_OUT, "resume by ann: recalled part"} <= set(world.texts()))
    await world.happens(world.report, 1, succeeded=8, excluded=2)
    await world.until_watched(Mode.BAKING)
    status = await campaign.status()
    assert (status.breach, status.excluded) == (None, (COHORT,))
    assert f"- left out: {COHORT}" in await campaign.details()
    assert [window.number for window in status.windows] == [1]


@pytest.mark.parametrize("where", [State.QUEUED, State.ROLLING_OUT, State.BAKING, "waiting"], ids=str)
async def test_an_exclusion_moves_a_campaign_nowhere_that_is_not_paused(
    stage: Stage, where: State | str
) -> None:
    campaign = await (stage.waiting() if where == "waiting" else stage.in_state(State(where)))
    world, before = campaign.world, await campaign.status()
    opened = world.count("open_gate")
    assert await campaign.update("exclude", COHORT) == (
        f"{COHORT} is left out by operator: 0 vehicles that had not begun"
    )
    after = await campaign.status()
    assert (after.state, after.phase, after.why) == (before.state, before.phase, before.why)
    await world.until_called("write_journal")
    assert world.count("open_gate") == opened


@pytest.mark.parametrize(
    ("given", "cohort", "who"),
    [
        (COHORT, COHORT, "operator"),
        ({"cohort": COHORT}, COHORT, "operator"),
        (BY_ANN, COHORT, "ann: recalled part"),
        ({"cohort": COHORT, "operator": "ben", "zzz": 1}, COHORT, "ben"),
        ({"cohort": COHORT, "by": {"x": [1]}, "reason": 7}, COHORT, "{'x': [1]}: 7"),
        (" hw_id = BOSCH-MRR-EVO15 ", COHORT, "operator"),
        ("from_version=Radar 1.4.0", "from_version=Radar 1.4.0", "operator"),
        ("model=a=b: 'c' \"d\" $e", "model=a=b: 'c' \"d\" $e", "operator"),
    ],
    ids=str,
)
async def test_a_cohort_may_come_alone_or_with_who_and_why(
    stage: Stage, given: Any, cohort: str, who: str
) -> None:
    campaign = await stage.in_state(State.ROLLING_OUT)
    answer = await campaign.update("exclude", given)
    assert answer == f"{cohort} is left out by {who}: 0 vehicles that had not begun"
    assert campaign.world.excluded == [cohort]


@pytest.mark.parametrize(
    "given",
    [
        [], [None], [""], [{}], [{"by": "ann", "reason": "x"}], [{"cohort": None}], [5], [[COHORT]],
        ["BOSCH-MRR-EVO15"], ["hw_id"], ["hw_id="], ["hw_id= "], ["=BOSCH-MRR-EVO15"],
        [{"cohort": {"hw_id": 1}}],
    ],
    ids=str,
)  # fmt: skip
async def test_what_names_no_cohort_is_refused_with_the_way_to_write_one(
    stage: Stage, given: list[Any]
) -> None:
    campaign = await stage.in_state(State.PAUSED)
    assert "write DIMENSION=VALUE with one of hw_id, from_version, model, country" in (
        await campaign.refusal("exclude", *given)
    )
    assert (await campaign.stage(), campaign.world.count("exclude_cohort")) == ("Paused", 0)


async def test_an_unknown_dimension_is_refused_with_the_one_that_was_meant(stage: Stage) -> None:
    campaign = await stage.in_state(State.PAUSED)
    assert "did you mean 'model'?" in await campaign.refusal("exclude", "modell=Model_Y")
    assert (await campaign.stage(), campaign.world.count("exclude_cohort")) == ("Paused", 0)


@pytest.mark.parametrize("state", [State.DRAFT, State.SELECTING], ids=str)
async def test_nothing_can_be_left_out_before_the_vehicles_are_selected(stage: Stage, state: State) -> None:
    campaign = await stage.in_state(state)
    assert (await campaign.refusal("exclude", COHORT)).startswith(
        f"nothing can be left out: the campaign is {state}"
    )


async def test_nothing_can_be_left_out_of_a_campaign_that_has_ended(stage: Stage) -> None:
    campaign = await stage.start(definition(), world=World({1: 10}, held={"finish"}))
    await campaign.signal("approve")
    await campaign.world.until_called("finish")
    assert (await campaign.refusal("exclude", COHORT)).startswith(
        "nothing can be left out: the campaign is Completed"
    )


async def test_a_refusal_by_the_fleet_is_the_answer_and_changes_nothing(stage: Stage) -> None:
    campaign = await breached(stage)
    world, before = campaign.world, await campaign.status()
    lines = len(world.journal)
    why = "cohort = 'model=T': no vehicle of this campaign is in it"
    world.refuse_change = f"command refused: {why}"
    assert await campaign.denial("exclude", {"cohort": "model=T", "by": "ann"}) == why
    assert await campaign.status() == before
    assert (world.excluded, world.gate_open, world.window) == ([], False, 1)
    # It is asked once: what only a person can mend is not tried again.
    assert world.count("exclude_cohort") == 1
    world.refuse_change = None
    await campaign.update("exclude", COHORT)
    await world.until(lambda: world.gate_open)
    assert not any("model=T" in line.text for line in world.journal[lines:])


async def test_an_exclusion_waits_for_a_database_that_is_away(stage: Stage) -> None:
    campaign = await breached(stage)
    world = campaign.world
    world.broken.add("exclude_cohort")
    answer = asyncio.create_task(campaign.update("exclude", COHORT))
    await world.until_called("exclude_cohort", 2)
    assert await campaign.stage() == "Paused"
    assert not answer.done()
    await world.release("exclude_cohort")
    assert (await answer).endswith("; the campaign goes on")


async def test_an_exclusion_does_not_undo_a_pause_that_came_after_it(stage: Stage) -> None:
    campaign = await stage.in_state(State.ROLLING_OUT, World({1: 10}, held={"exclude_cohort"}))
    world = campaign.world
    answer = asyncio.create_task(campaign.update("exclude", COHORT))
    await world.until_called("exclude_cohort")
    await campaign.command("pause", by="ben", reason="smoke")
    await world.release("exclude_cohort")
    assert await answer == f"{COHORT} is left out by operator: 0 vehicles that had not begun"
    status = await campaign.status()
    assert (status.state, status.why) == ("Paused", "paused by ben: smoke")
    assert not world.gate_open


async def test_an_exclusion_does_not_undo_a_second_pause_either(stage: Stage) -> None:
    campaign = await breached(stage)
    world = campaign.world
    world.held.add("exclude_cohort")
    answer = asyncio.create_task(campaign.update("exclude", COHORT))
    await world.until_called("exclude_cohort")
    await campaign.signal("resume")
    await world.until(lambda: world.gate_open)
    await campaign.command("pause", by="ben")
    await world.release("exclude_cohort")
    assert "goes on" not in await answer
    assert (await campaign.status()).why == "paused by ben"


async def test_an_exclusion_ends_the_pause_of_a_person_too(stage: Stage) -> None:
    campaign = await stage.in_state(State.PAUSED)
    assert (await campaign.update("exclude", COHORT)).endswith("; the campaign goes on")
    await campaign.world.until(lambda: campaign.world.gate_open)


async def test_two_exclusions_at_once_resume_once(stage: Stage) -> None:
    campaign = await breached(stage)
    world = campaign.world
    world.held.add("exclude_cohort")
    answers = [asyncio.create_task(campaign.update("exclude", cohort)) for cohort in (COHORT, "model=T")]
    await world.until_called("exclude_cohort", 2)
    await world.release("exclude_cohort")
    texts = await asyncio.gather(*answers)
    assert sorted("goes on" in text for text in texts) == [False, True]
    await world.until(lambda: world.gate_open)
    assert (world.window, sorted(world.excluded)) == (2, [COHORT, "model=T"])


async def test_a_campaign_that_ends_meanwhile_answers_before_it_is_gone(stage: Stage) -> None:
    campaign = await stage.in_state(State.ROLLING_OUT, World({1: 10}, held={"exclude_cohort"}))
    world = campaign.world
    asked = await soon(
        campaign.handle.start_update(
            "exclude", COHORT, wait_for_stage=WorkflowUpdateStage.ACCEPTED, result_type=str
        )
    )
    await world.until_called("exclude_cohort")
    await campaign.signal("abort")
    await world.until_called("notify")
    await world.release("exclude_cohort")
    text = await soon(asked.result())
    assert text == f"{COHORT} is left out by operator: 0 vehicles that had not begun"
    await campaign.result()
    assert text in world.texts()
    assert await campaign.stage() == "Aborted"

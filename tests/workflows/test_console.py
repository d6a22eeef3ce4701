"""What an SRE sees: status, search attributes, details, and a summary on every row of the history."""

import json
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from campaign.breach import Exposed
from campaign.lifecycle import State
from campaign.supervision import Mode
from tests.workflows.campaigns import STANDING, Stage, definition
from tests.workflows.world import World

UPSERT = EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES

#: What the console says in each state: the search attribute, why it stands still, and what can be done.
CONSOLE: dict[State, tuple[str, str, list[str]]] = {
    State.DRAFT: ("Draft", "waiting for approval", ["approve", "abort"]),
    State.SELECTING: ("Scheduling", "selecting vehicles", ["abort"]),
    State.QUEUED: ("Scheduling", "queued until ", ["abort"]),
    State.ROLLING_OUT: ("Active", "", ["pause", "abort"]),
    State.BAKING: ("Active", "baking ring 1: watched until ", ["promote", "pause", "abort"]),
    State.PAUSED: ("Paused", "paused by operator", ["resume", "abort"]),
}


@pytest.mark.parametrize("state", STANDING, ids=str)
async def test_the_console_tells_state_phases_reason_and_next_steps(stage: Stage, state: State) -> None:
    campaign = await stage.in_state(state, phases=2)
    wanted, why, steps = CONSOLE[state]
    status, details = await campaign.status(), await campaign.details()
    assert (status.state, status.stage) == (str(state), wanted)
    assert status.why.startswith(why)
    assert [step.split(":")[0] for step in status.next] == steps
    assert f"## {state}: Winter" in details
    if why:
        assert f"**{status.why}**" in details
    for step in steps:
        assert f"- `{step}`:" in details
    for phase in status.phases:
        assert f"- **{phase.number}. ring {phase.number}** ({phase.stage}): " in details
    assert len(details.encode()) < 4_000
    attributes = await campaign.attributes()
    assert attributes["CampaignState"] == wanted
    assert attributes["CampaignPhase"] == "ring 1"
    assert (attributes["CampaignType"], attributes["CampaignPriority"]) == ("general", "NORMAL")


async def test_the_console_shows_rate_and_counts_of_a_breach(stage: Stage) -> None:
    campaign = await stage.in_state(
        State.ROLLING_OUT, World({1: 10, 2: 10}, under_way=Exposed(offered=4, harmed=1))
    )
    await campaign.world.happens(campaign.world.fail, 1, failed=1, of=8)
    await campaign.world.until_watched(Mode.HOLDING)
    details = await campaign.details()
    counts = "7 succeeded, 1 failed (12.5 %), 0 in flight, 2 waiting, 0 other, of 10"
    assert f"- **1. ring 1** (paused): {counts}" in details
    assert "At the stop: 4 offered, 0 downloading and 0 installing; 1 harmed so far." in details
    assert (await campaign.attributes())["CampaignFailureRate"] == 0.125


async def test_status_and_details_are_there_after_the_end(stage: Stage) -> None:
    campaign = await stage.start(definition(2), world=World({1: 10, 2: 5}))
    await campaign.signal("approve")
    await campaign.result()
    status = await campaign.status()
    assert (status.state, status.why, status.next) == ("Completed", "all phases are done", ())
    assert [(phase.stage, phase.succeeded, phase.size) for phase in status.phases] == [
        ("done", 10, 10),
        ("done", 5, 5),
    ]
    assert "## Completed: Winter" in await campaign.details()
    assert (await campaign.attributes())["CampaignState"] == "Completed"


async def test_search_attributes_cost_an_event_only_when_one_changes(stage: Stage) -> None:
    campaign = await stage.start(definition(2, "PT0S"), world=World({1: 10, 2: 10}, checkpoints=5))
    await campaign.signal("approve")
    await campaign.result()
    upserts = [event for event in await campaign.events() if event.event_type == UPSERT]
    said = [_attributes(event) for event in upserts]
    # type and priority; Draft; Scheduling; Active; the failure rate; the second phase; Completed
    assert len(said) <= 7
    seen: dict[str, Any] = {}
    for changes in said:
        assert all(seen.get(name) != value for name, value in changes.items())
        seen |= changes


def _attributes(event: HistoryEvent) -> dict[str, Any]:
    fields = event.upsert_workflow_search_attributes_event_attributes.search_attributes.indexed_fields
    return {name: json.loads(payload.data) for name, payload in fields.items()}


async def test_an_ignored_signal_is_shown_at_once(stage: Stage) -> None:
    campaign = await stage.in_state(State.DRAFT)
    await campaign.signal("paus")
    await campaign.world.until_called("write_journal")
    assert "unknown signal 'paus' ignored" in await campaign.details()


async def test_every_activity_and_timer_has_a_summary(stage: Stage) -> None:
    queued = await stage.in_state(State.QUEUED)
    baking = await stage.in_state(State.BAKING)
    await baking.signal("pause")
    await baking.signal("nonsense")
    await baking.world.until_watched(Mode.HOLDING)
    await baking.command("resume")
    await baking.update("set_limits", {"in_flight": 5})
    await baking.update("exclude", "model=Model_Y")
    await baking.signal("abort")
    await baking.result()
    unnamed, kinds = [], set()
    for campaign in (queued, baking):
        for event in await campaign.events():
            activity = event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
            if activity or event.event_type == EventType.EVENT_TYPE_TIMER_STARTED:
                name = event.activity_task_scheduled_event_attributes.activity_type.name or "timer"
                kinds.add(name)
                if not event.user_metadata.summary.data:
                    unnamed.append(name)
    assert unnamed == []
    assert kinds == {
        "register", "select_targets", "open_gate", "shut_gate", "show_state", "finish", "change_limits",
        "exclude_cohort", "write_journal", "supervise", "notify", "timer",
    }  # fmt: skip


async def test_the_ui_offers_every_signal_and_update_with_a_description(stage: Stage) -> None:
    campaign = await stage.in_state(State.DRAFT)
    known = (await campaign.metadata()).definition
    signals = {signal.name: signal.description for signal in known.signal_definitions if signal.name}
    assert "Input: nothing" in signals.pop("look")
    assert set(signals) == {"approve", "pause", "resume", "abort", "promote"}
    assert all("Input: nothing, a reason, or {by, reason}" in text for text in signals.values())
    updates = {update.name: update.description for update in known.update_definitions}
    assert set(updates) == {"command", "set_limits", "exclude", "registered"}
    assert all(updates.values())
    assert next(query.description for query in known.query_definitions if query.name == "status")


async def test_the_status_says_the_same_to_a_worker_that_has_forgotten_everything(stage: Stage) -> None:
    campaign = await stage.in_state(State.PAUSED)
    before = await campaign.status()
    async with stage.without_worker(campaign):
        pass
    assert await campaign.status() == before

"""Operators' signals: obeyed with whatever input, harmless where they make no sense."""

from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import WorkflowExecutionStatus
from temporalio.common import RawValue
from temporalio.service import RPCError

from campaign.lifecycle import Event, State, possible, why_not
from campaign.supervision import Mode
from tests.workflows.campaigns import STANDING, Stage, definition, soon
from tests.workflows.world import World

#: What people type, what programs send, and what nobody should.
ODD_INPUTS: dict[str, list[Any]] = {
    "nothing": [],
    "null": [None],
    "a reason": ["text"],
    "a number": [5],
    "a list": [[1]],
    "an object": [{"by": "a", "reason": "b", "zzz": 1}],
    "an object of nonsense": [{"by": {"x": [1]}, "reason": 7}],
    "three": ["a", "b", "c"],
    "four": ["a", "b", "c", "d"],
    "seven": [1, None, {"by": "a"}, [], "e", 6.5, True],
    "bytes": [b"\xff\x00\xfe"],
    "a huge reason": ["x" * 500_000],
    "a huge name": [{"by": "y" * 500_000, "reason": "z" * 500_000}],
    "control characters": ["\x00\n\r\x1b[2J\u2028"],
    "markdown and html": ["</script># **x** `"],
}

SIGNALS = (Event.APPROVE, Event.PAUSE, Event.RESUME, Event.ABORT, Event.PROMOTE)


@pytest.mark.parametrize("given", ODD_INPUTS.values(), ids=ODD_INPUTS.keys())
async def test_every_signal_is_obeyed_whatever_its_input(stage: Stage, given: list[Any]) -> None:
    campaign = await stage.start(definition(2, wait="PT24H"), world=World({1: 10, 2: 10}))
    world = campaign.world
    await campaign.signal("approve", *given)
    await world.until_watched(Mode.BAKING)
    await campaign.signal("pause", *given)
    assert await campaign.stage() == "Paused"
    before = len(world.calls)
    await campaign.signal("resume", *given)
    await world.until_watched(Mode.BAKING, begun_after=before)
    assert world.window == 2
    await campaign.signal("promote", *given)
    await world.until_watched(Mode.BAKING, 2)
    await campaign.signal("abort", *given)
    assert await campaign.result() == {"succeeded": 20}
    assert (world.state, world.gate_open) == (State.ABORTED, False)
    assert len((await campaign.details()).encode()) < 4_000


@pytest.mark.parametrize("phases", [1, 90])
async def test_the_details_stay_small_whatever_is_said(stage: Stage, phases: int) -> None:
    huge = {"by": "\N{BLOWFISH}" * 10_000, "reason": "\N{BLOWFISH} \n" * 10_000}
    campaign = await stage.in_state(State.ROLLING_OUT, phases=phases)
    for name in ("pause", "resume", "pause", "resume", "pause"):
        await campaign.signal(name, huge)
    await campaign.world.until_watched(Mode.HOLDING)
    assert len((await campaign.details()).encode()) < 4_000


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ([], "abort by operator"),
        (["brakes"], "abort by operator: brakes"),
        ([{"by": "ann", "reason": "brakes"}], "abort by ann: brakes"),
        ([{"operator": "ann"}], "abort by ann"),
        (["brakes", "of", "the", "rear"], "abort by operator: brakes of the rear"),
    ],
)
async def test_who_and_why_are_journaled(stage: Stage, given: list[Any], line: str) -> None:
    campaign = await stage.in_state(State.DRAFT)
    await campaign.signal("abort", *given)
    await campaign.result()
    assert line in campaign.world.texts()
    assert f"**{line.replace('abort', 'aborted')}**" in await campaign.details()


@pytest.mark.parametrize("state", STANDING, ids=str)
async def test_a_signal_that_makes_no_sense_changes_nothing_and_is_journaled_with_why(
    stage: Stage, state: State
) -> None:
    campaign = await stage.in_state(state)
    before = await campaign.status()
    senseless = [event for event in SIGNALS if not possible(state, event)]
    assert senseless
    for event in senseless:
        await campaign.signal(event.value, {"by": "ann"})
    why = {why_not(state, event) for event in senseless}
    await campaign.world.until(lambda: why <= set(campaign.world.texts()))
    after = await campaign.status()
    assert (after.state, after.phase, after.why) == (before.state, before.phase, before.why)
    assert {line.actor for line in campaign.world.journal if line.text in why} == {"ann"}
    assert campaign.world.gate_log == ([] if state in _NEVER_OPENED else campaign.world.gate_log)


_NEVER_OPENED = (State.DRAFT, State.SELECTING, State.QUEUED)


async def test_a_misspelt_signal_is_noted_and_journaled(stage: Stage) -> None:
    campaign = await stage.in_state(State.DRAFT)
    names = ("PAUSE", "paus", "pause ", "höre")
    for name in names:
        for given in ([], [1, 2, 3, 4], [b"\xff"]):
            await campaign.signal(name, *given)
    known = "known: approve, pause, resume, abort, promote"
    lines = [f"unknown signal {name!r} ignored; {known}" for name in names for _ in range(3)]
    await campaign.world.until(lambda: campaign.world.texts()[-12:] == lines)
    status = await campaign.status()
    assert status.state == "Draft"
    assert [note.text for note in status.notes[-12:]] == lines


#: What Temporal's SDK cannot read: it drops such a signal, with a line in the log, before our code runs.
UNREADABLE = (
    Payload(metadata={"encoding": b"json/plain"}, data=b"{brakes"),
    Payload(metadata={"encoding": b"json/plain"}, data=b'"\\ud800"'),
    Payload(metadata={"encoding": b"json/protobuf"}, data=b'{"by": "ann"}'),
    Payload(metadata={"encoding": b"binary/encrypted"}, data=b"x"),
    Payload(data=b'"x"'),
)


async def test_an_input_that_nobody_can_read_does_not_wedge_the_campaign(stage: Stage) -> None:
    campaign = await stage.in_state(State.DRAFT)
    for payload in UNREADABLE:
        for name in ("approve", "pause", "paus"):
            await campaign.signal(name, RawValue(payload))
    assert await campaign.stage() == "Draft"
    # The misspelt ones are never decoded, so these were noted.
    await campaign.world.until(lambda: len(campaign.world.texts()) >= len(UNREADABLE))
    await campaign.signal("abort")
    await campaign.result()


async def test_signals_before_the_door_are_obeyed_after_it(stage: Stage) -> None:
    campaign = await stage.start(definition(wait="PT24H"), working=False)
    await campaign.signal("approve")
    await stage.come_back(campaign)
    await campaign.world.until_watched(Mode.BAKING)
    assert campaign.world.count("register") == 1


async def test_an_abort_before_the_door_ends_the_campaign_in_the_database_too(stage: Stage) -> None:
    campaign = await stage.start(definition(), working=False)
    await campaign.signal("abort")
    await stage.come_back(campaign)
    await campaign.result()
    assert (campaign.world.state, campaign.world.count("finish")) == (State.ABORTED, 1)


async def test_a_pause_directly_followed_by_resume_rolls_on_in_a_new_window(stage: Stage) -> None:
    campaign = await stage.in_state(State.ROLLING_OUT)
    world = campaign.world
    async with stage.without_worker(campaign):
        await campaign.signal("pause")
        await campaign.signal("resume")
    await world.until(lambda: world.window == 2)
    assert await campaign.stage() == "Active/RollingOut"
    assert world.gate_open


async def test_a_resume_directly_followed_by_a_pause_leaves_the_gate_shut(stage: Stage) -> None:
    campaign = await stage.in_state(State.PAUSED)
    world = campaign.world
    async with stage.without_worker(campaign):
        await campaign.signal("resume")
        await campaign.signal("pause")
    await world.until_called("shut_gate", 2)
    assert await campaign.stage() == "Paused"
    assert not world.gate_open
    assert "open" not in [what for what, _ in world.gate_log[2:]]


async def test_a_pause_while_the_gate_is_being_opened_shuts_it(stage: Stage) -> None:
    world = World({1: 10}, healthy=False, held={"open_gate"})
    campaign = await stage.start(definition(), world=world)
    await campaign.signal("approve")
    await world.until_called("open_gate")
    await campaign.signal("pause")
    assert await campaign.stage() == "Paused"
    await world.release("open_gate")
    await world.until_watched(Mode.HOLDING)
    assert world.gate_log[-1][0] == "shut"
    assert not world.gate_open


async def test_a_second_abort_changes_nothing(stage: Stage) -> None:
    campaign = await stage.in_state(State.ROLLING_OUT)
    campaign.world.held.add("finish")
    await campaign.signal("abort", {"by": "ann", "reason": "first"})
    await campaign.world.until_called("finish")
    await campaign.signal("abort", {"by": "ben", "reason": "second"})
    assert (await campaign.status()).why == "aborted by ann: first"
    await campaign.world.release("finish")
    await campaign.result()
    assert campaign.world.count("finish") == 1
    ignored = [line for line in campaign.world.journal if line.actor == "ben"]
    assert [line.text for line in ignored] == ["abort ignored: the campaign is Aborted, which is final"]


async def test_a_signal_after_the_end_is_refused_by_temporal(stage: Stage) -> None:
    campaign = await stage.start(definition())
    await campaign.signal("abort")
    await campaign.result()
    with pytest.raises(RPCError, match="completed"):
        await campaign.signal("resume")


@pytest.mark.parametrize("state", STANDING, ids=str)
async def test_abort_ends_a_campaign_from_every_state_with_the_gate_shut(stage: Stage, state: State) -> None:
    campaign = await stage.in_state(state)
    world = campaign.world
    await campaign.signal("abort", {"by": "ann", "reason": "brakes"})
    await world.release("select_targets")
    await campaign.result()
    assert (world.state, world.gate_open) == (State.ABORTED, False)
    assert world.gate_log[-1][0] == "shut"
    assert world.count("finish") == 1
    assert "abort by ann: brakes" in world.texts()
    assert (await soon(campaign.handle.describe())).status is WorkflowExecutionStatus.COMPLETED
    status = await campaign.status()
    assert (status.state, status.why, status.next) == ("Aborted", "aborted by ann: brakes", ())


async def test_an_abort_does_not_wait_for_a_selection(stage: Stage) -> None:
    campaign = await stage.in_state(State.SELECTING)
    await campaign.signal("abort")
    await campaign.result()
    assert campaign.world.state is State.ABORTED


@pytest.mark.parametrize(("on_abort", "cancel"), [("finish", False), ("cancel", True)])
async def test_an_abort_asks_downloads_to_cancel_only_if_the_definition_says_so(
    stage: Stage, on_abort: str, cancel: bool
) -> None:
    campaign = await stage.in_state(State.ROLLING_OUT, on_abort=on_abort)
    await campaign.signal("pause")
    await campaign.signal("abort")
    await campaign.result()
    assert [order.cancel_started for order in campaign.world.orders("finish")] == [cancel]
    assert not any(order.cancel_started for order in campaign.world.orders("shut_gate"))


async def test_an_abort_during_a_selection_that_is_refused_still_ends_the_campaign(stage: Stage) -> None:
    campaign = await stage.in_state(State.SELECTING)
    campaign.world.refuse_selection = "phases.0 = ring 1: no vehicle is left for this phase"
    await campaign.signal("abort", {"by": "ann"})
    assert await campaign.stage() == "Aborted"
    await campaign.world.release("select_targets")
    await campaign.result()
    assert (campaign.world.state, campaign.world.count("finish")) == (State.ABORTED, 1)


async def test_a_stop_survives_a_database_that_is_away_for_a_while(stage: Stage) -> None:
    campaign = await stage.in_state(State.ROLLING_OUT)
    campaign.world.broken.add("shut_gate")
    await campaign.signal("pause")
    await campaign.world.until_called("shut_gate", 2)
    assert await campaign.stage() == "Paused"
    assert campaign.world.gate_open
    await campaign.world.release("shut_gate")
    await campaign.world.until_watched(Mode.HOLDING)
    assert not campaign.world.gate_open

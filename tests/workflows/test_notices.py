"""What people are told: what and where, the numbers, who was exposed, what was stopped, and what to type."""

import json
import shlex
from decimal import Decimal

import pytest

from campaign.breach import Breach, Exposed
from campaign.cohorts import Culprit
from campaign.supervision import Mode
from campaign.verdict import Status, Verdict
from tests.workflows.campaigns import Stage
from workflows import notices
from workflows.story import Story

ID = "campaign-winter"
EXPOSED = Exposed(offered=4, downloading=3, installing=2, harmed=1)
VERDICT = Verdict(
    guard="rollback_rate",
    status=Status.BREACH,
    started=9,
    finished=5,
    failed=3,
    limit=Decimal("0.01"),
    sentence="rollback_rate breach: 3 of 5 failed (60 % > 1 %)",
)

#: What a shell would take apart, or take for a command.
COHORTS = (
    "hw_id=BOSCH-MRR-EVO15",
    "from_version=Radar 1.4.0",
    'model=O\'Neill "X" $(reboot) `id` ; & | > *',
    "country=-x --input",
    "model=Ä\\n\\ 'x",
)


def breached(cohort: str | None = None) -> Story:
    """A story that a guard has stopped."""
    culprit = None
    if cohort is not None:
        culprit = Culprit(cohort=cohort, failed=3, finished=3, of_failed=3, of_finished=5)
    breach = Breach(phase=2, phase_name="ring 2", window=3, verdict=VERDICT, culprit=culprit, exposed=EXPOSED)
    return Story(breach=breach, exposure=EXPOSED, why=f"paused by a guard: {breach.sentence}")


def commands(text: str, word: str) -> list[list[str]]:
    """The command lines of a notice that hold a word, as a shell reads them."""
    lines = [line.split(": ", 1)[1] for line in text.splitlines() if ": " in line]
    found = [shlex.split(line) for line in lines if line.startswith(("python starter.py", "temporal "))]
    return [command for command in found if word in command]


def test_a_pause_says_what_where_the_numbers_who_was_exposed_and_what_was_stopped() -> None:
    lines = notices.paused(breached("hw_id=EVO15"), ID).splitlines()
    assert lines[:3] == [
        "paused by a guard: phase 2 (ring 2): rollback_rate breach: 3 of 5 failed (60 % > 1 %); "
        "3 of 3 failures are on hw_id=EVO15 (3 of its 3 failed, 0 of the other 2)",
        "under way at the stop: 4 offered, 3 downloading and 2 installing; 1 harmed so far",
        "the gate is shut: nobody is admitted, 4 offers were withdrawn; 3 downloading and 2 installing "
        "vehicles finish what they began",
    ]


def test_a_pause_gives_both_commands_for_every_answer() -> None:
    text = notices.paused(breached(), ID)
    for signal in ("resume", "abort"):
        assert commands(text, signal) == [
            ["python", "starter.py", signal, ID],
            ["temporal", "workflow", "signal", "--workflow-id", ID, "--name", signal],
        ]
    assert commands(text, "exclude") == []


@pytest.mark.parametrize("cohort", COHORTS)
def test_a_culprit_can_be_left_out_by_what_is_pasted_into_a_shell(cohort: str) -> None:
    starter, temporal = commands(notices.paused(breached(cohort), ID), "exclude")
    assert starter == ["python", "starter.py", "exclude", ID, cohort]
    assert temporal[:-1] == [
        "temporal", "workflow", "update", "execute", "--workflow-id", ID, "--name", "exclude", "--input",
    ]  # fmt: skip
    assert json.loads(temporal[-1]) == {"cohort": cohort}


@pytest.mark.parametrize("workflow_id", ["winter campaign", "O'Neill; reboot", "$(id)"])
def test_a_workflow_id_that_a_person_has_made_up_survives_a_shell(workflow_id: str) -> None:
    paused = notices.paused(breached("hw_id=EVO15"), workflow_id)
    waiting = notices.waiting(Story(why="ring 1 waits for a person: too few"), workflow_id)
    assert [command[3] for command in commands(paused + "\n" + waiting, "starter.py")] == [workflow_id] * 5
    for command in commands(paused + "\n" + waiting, "temporal"):
        assert command[command.index("--workflow-id") + 1] == workflow_id


def test_a_wait_says_why_and_how_to_go_on_or_to_end_it() -> None:
    text = notices.waiting(Story(why="ring 1 waits for a person: too few"), ID)
    assert text.splitlines()[0] == "ring 1 waits for a person: too few"
    assert commands(text, "promote") == [
        ["python", "starter.py", "promote", ID],
        ["temporal", "workflow", "signal", "--workflow-id", ID, "--name", "promote"],
    ]
    assert commands(text, "abort") == [["python", "starter.py", "abort", ID]]


async def test_a_channel_that_fails_delays_no_pause_and_is_tried_until_it_works(stage: Stage) -> None:
    campaign = await stage.waiting()
    world = campaign.world
    await world.until(lambda: bool(world.notices))
    world.broken.add("notify")
    await world.happens(world.fail, 1, failed=1, of=10)
    await world.until_watched(Mode.HOLDING)
    before = world.count("notify")
    status = await campaign.status()
    assert status.state == "Paused"
    assert "1 of 10 failed" in status.why
    assert not world.gate_open
    await world.until_called("notify", before + 2)
    assert len(world.notices) == 1
    await world.release("notify")
    await world.until(lambda: len(world.notices) == 2)
    assert world.notices[1].title == "Paused: Winter"
    assert status.why in world.notices[1].body


async def test_a_notice_that_can_never_be_sent_keeps_no_campaign_from_ending(stage: Stage) -> None:
    campaign = await stage.waiting()
    campaign.world.lost.add("notify")
    await campaign.command("abort")
    assert await campaign.result() == {"expired": 10, "succeeded": 10}


async def test_a_pause_that_was_answered_before_the_gate_was_shut_is_told_to_nobody(stage: Stage) -> None:
    campaign = await stage.waiting()
    world = campaign.world
    await world.until(lambda: bool(world.notices))
    world.held.add("shut_gate")
    await world.happens(world.fail, 1, failed=1, of=10)
    await world.until_called("shut_gate")
    await campaign.signal("resume")
    world.prove()
    await world.release("shut_gate")
    await campaign.result()
    assert "Paused: Winter" not in [notice.title for notice in world.notices]

"""The query `status` answers with all that is known, and with nothing that was known of another phase."""

from datetime import UTC, datetime

import pytest

from campaign.breach import Exposed
from campaign.cohorts import Culprit
from campaign.lifecycle import State
from campaign.supervision import Mode
from campaign.waiting import Waits
from tests.workflows.campaigns import STANDING, Stage
from tests.workflows.world import PROVEN, World

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
SHUT = "9 outside their install window, the next opens at 2026-11-30 01:00 UTC (nothing to do)"
EVO = Culprit(cohort="hw_id=EVO15", failed=2, finished=3, of_failed=2, of_finished=10)


async def test_the_status_of_a_bake_holds_verdicts_promotion_cap_and_cohorts_left_out(stage: Stage) -> None:
    world = World({1: 10, 2: 20}, cap=40, excluded=["model=T"])
    campaign = await stage.in_state(State.BAKING, world, phases=2)
    # The next health check is a minute away: a warning is heard of at once.
    await world.happens(world.warn, "silence")
    await world.until(lambda: bool(world.notices))
    status = await campaign.status()
    assert status.verdicts == (
        "failure_rate continue: 0 of 10 failed (0 % <= 2 %)",
        "silence breach: 1 of 10 failed",
    )
    assert (status.promotion, status.cap, status.excluded) == (PROVEN.sentence, 40, ("model=T",))
    assert (status.window, status.windows, status.breach, status.breaches) == (1, (), None, 0)
    details = await campaign.details()
    for line in (*status.verdicts, "at most 40 in flight, as the evidence allows", "left out: model=T"):
        assert f"- {line}" in details


async def test_the_status_of_a_pause_holds_who_fails_and_who_was_exposed(stage: Stage) -> None:
    under_way = Exposed(offered=3, downloading=2, installing=1, harmed=2)
    campaign = await stage.in_state(State.ROLLING_OUT, World({1: 10}, under_way=under_way))

    def stop() -> None:
        campaign.world.fail(1, failed=2, of=10, culprit=EVO)
        # Some report between the moment of the stop and the one in which the workflow hears of it.
        campaign.world.under_way = Exposed(installing=1, harmed=2)

    await campaign.world.happens(stop)
    await campaign.world.until_watched(Mode.HOLDING)
    status = await campaign.status()
    assert status.breach is not None
    assert (status.breach.phase, status.breach.phase_name, status.breach.window) == (1, "ring 1", 1)
    assert (status.breach.culprit, status.breach.exposed, status.exposure) == (EVO, under_way, under_way)
    assert (status.breach.verdict.failed, status.breach.verdict.finished) == (2, 10)
    assert status.promotion == ""
    counts = "8 succeeded, 2 failed (20 %)"
    assert counts in await campaign.details()


async def test_the_exposure_of_a_pause_by_a_person_is_that_of_the_shut_gate(stage: Stage) -> None:
    under_way = Exposed(offered=3, downloading=2, installing=1)
    campaign = await stage.in_state(State.PAUSED, World({1: 10}, under_way=under_way))
    assert (await campaign.status()).exposure == under_way
    assert f"At the stop: {under_way.sentence}." in await campaign.details()


@pytest.mark.parametrize("where", [*STANDING, "awaiting proof"], ids=str)
async def test_the_status_says_whether_a_person_is_asked(stage: Stage, where: State | str) -> None:
    campaign = await (stage.in_state(where) if isinstance(where, State) else stage.waiting())
    asked = where in (State.DRAFT, State.PAUSED, "awaiting proof")
    assert (await campaign.status()).asks is asked


async def test_a_resume_forgets_the_breach_and_the_exposure_but_not_the_count(stage: Stage) -> None:
    campaign = await stage.in_state(State.ROLLING_OUT)
    await campaign.world.happens(campaign.world.fail, 1, failed=2, of=10, culprit=EVO)
    await campaign.world.until_watched(Mode.HOLDING)
    await campaign.signal("resume")
    await campaign.world.until(lambda: campaign.world.gate_open)
    status = await campaign.status()
    assert (status.breach, status.exposure, status.breaches, status.why) == (None, None, 1, "")
    assert "exclude" not in " ".join(status.next)


async def test_a_campaign_that_stands_still_says_why_and_what_to_do(stage: Stage) -> None:
    world = World({1: 9}, checkpoints=1, waits=Waits(at=NOW, sentences=(SHUT,)))
    campaign = await stage.in_state(State.ROLLING_OUT, world)
    await world.until_watched(Mode.ROLLING_OUT)
    await world.until(lambda: world.count("supervise") > 1)
    waiting = f"nobody is under way; waiting (counted at 12:00:00 UTC): {SHUT}"
    assert (await campaign.status()).waiting == waiting
    assert f"{waiting[:1].upper()}{waiting[1:]}." in await campaign.details()


async def test_a_campaign_that_is_paused_waits_for_nobody_but_a_person(stage: Stage) -> None:
    world = World({1: 9}, checkpoints=1, waits=Waits(at=NOW, sentences=(SHUT,)))
    campaign = await stage.in_state(State.ROLLING_OUT, world)
    await world.until(lambda: world.count("supervise") > 1)
    await campaign.signal("pause")
    await world.until_watched(Mode.HOLDING)
    assert (await campaign.status()).waiting == ""

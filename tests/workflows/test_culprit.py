"""Who fails is often known only after the stop, when those under way have reported: then people are told."""

from campaign.cohorts import Culprit
from campaign.lifecycle import State
from campaign.supervision import Mode
from tests.workflows.campaigns import Campaign, Stage
from tests.workflows.world import World

EVO = Culprit(cohort="hw_id=EVO15", failed=3, finished=3, of_failed=3, of_finished=10)
SPAIN = Culprit(cohort="country=ES", failed=4, finished=4, of_failed=4, of_finished=10)
TITLE = "Culprit found: Winter"


async def breached(stage: Stage, culprit: Culprit | None = None) -> Campaign:
    campaign = await stage.in_state(State.ROLLING_OUT, World({1: 10}, culprit=culprit))
    await campaign.world.happens(campaign.world.fail, 1, failed=2, of=10, culprit=culprit)
    await campaign.world.until_watched(Mode.HOLDING)
    return campaign


def told(campaign: Campaign) -> list[str]:
    """The first lines of the notices that name a culprit."""
    return [notice.body.splitlines()[0] for notice in campaign.world.notices if notice.title == TITLE]


async def test_a_culprit_that_is_found_after_the_stop_is_noted_told_and_can_be_left_out(stage: Stage) -> None:
    campaign = await breached(stage)
    assert "exclude" not in " ".join((await campaign.status()).next)
    await campaign.world.happens(campaign.world.name, EVO)
    await campaign.world.until(lambda: told(campaign) == [EVO.sentence])
    await campaign.world.until(lambda: EVO.sentence in campaign.world.texts())
    notice = campaign.world.notices[-1]
    assert notice.urgent
    assert f"starter.py exclude {campaign.handle.id} hw_id=EVO15" in notice.body
    status = await campaign.status()
    assert status.breach is not None
    assert status.breach.culprit == EVO
    assert status.next[0] == "exclude hw_id=EVO15: leave these out and go on"
    assert (status.state, status.breaches) == ("Paused", 1)
    assert status.why.endswith(f"(20 % > 2 %); {EVO.sentence}")
    assert "Update `exclude`" in await campaign.details()


async def test_a_culprit_is_told_once_and_another_one_anew(stage: Stage) -> None:
    campaign = await breached(stage)
    world = campaign.world
    await world.happens(world.name, EVO)
    await world.until(lambda: len(told(campaign)) == 1)
    # One more report of the same cohort changes its numbers, not who it is.
    await world.happens(world.name, EVO.model_copy(update={"failed": 4, "of_failed": 4}))
    await world.happens(world.name, None)
    await world.happens(world.name, SPAIN)
    await world.until(lambda: len(told(campaign)) == 2)
    assert told(campaign) == [EVO.sentence, SPAIN.sentence]
    assert [line.event for line in world.journal].count("culprit") <= 2


async def test_a_culprit_that_the_stop_has_named_is_not_told_again(stage: Stage) -> None:
    campaign = await breached(stage, EVO)
    world = campaign.world
    await world.until(lambda: [notice.title for notice in world.notices] == ["Paused: Winter"])
    await campaign.command("abort")
    await campaign.result()
    assert [notice.title for notice in world.notices] == ["Paused: Winter", "Aborted: Winter"]


async def test_a_culprit_without_a_breach_is_told_to_nobody(stage: Stage) -> None:
    campaign = await stage.in_state(State.PAUSED)
    world = campaign.world
    await world.happens(world.name, EVO)
    await world.happens(world.warn, "not_ok")
    await world.until(lambda: bool(world.notices))
    assert told(campaign) == []
    assert len((await campaign.status()).next) == 2


async def test_the_culprit_is_known_to_the_next_window_no_more(stage: Stage) -> None:
    campaign = await breached(stage)
    world = campaign.world
    await world.happens(world.name, EVO)
    await world.until(lambda: len(told(campaign)) == 1)
    world.culprit = None
    await campaign.signal("resume")
    await world.until(lambda: world.gate_open)
    assert (await campaign.status()).breach is None
    before = len(world.calls)
    await world.happens(world.fail, 1, failed=2, of=10)
    await world.until_watched(Mode.HOLDING, begun_after=before)
    await world.happens(world.name, EVO)
    await world.until(lambda: len(told(campaign)) == 2)

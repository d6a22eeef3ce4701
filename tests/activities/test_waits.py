"""Why vehicles wait is counted beside the ticks, seldom, and never instead of them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import create_engine
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.rota import Rota
from activities.supervision import Supervision
from activities.waits import Counts
from campaign.assignment import Target
from campaign.glimpse import Glimpse
from campaign.supervision import Mode, Watch
from campaign.waiting import Waits
from tests.store.fleet import Fleet, watch

FREE = "10 free to begin when they poll and a slot is free (nothing to do)"


class Aside:
    """Runs counts when a test says so, in place of a thread."""

    def __init__(self) -> None:
        self.works: list[Callable[[], None]] = []

    def __call__(self, work: Callable[[], None]) -> None:
        self.works.append(work)

    def run(self) -> None:
        works, self.works = self.works, []
        for work in works:
            work()


class Worker:
    """A worker's supervision of one campaign."""

    def __init__(self, fleet: Fleet) -> None:
        self.aside = Aside()
        self.counts = Counts(fleet.engine, self.aside)
        rota = Rota(timedelta(seconds=3), 50)
        self._supervision = Supervision(fleet.engine, timedelta(seconds=30), rota, 1, self.counts)

    def tick(self, order: Watch) -> tuple[str, str]:
        """The message of a tick that found nothing, and what its glimpse says of those who wait."""
        with pytest.raises(ApplicationError) as caught:
            ActivityEnvironment().run(self._supervision.supervise, order)
        [seen] = caught.value.details
        assert isinstance(seen, Glimpse)
        return caught.value.message, seen.waiting


def test_a_tick_says_why_vehicles_wait_once_they_were_counted(fleet: Fleet) -> None:
    campaign, worker = fleet.launch(), Worker(fleet)
    assert worker.tick(watch(campaign))[1] == ""
    worker.aside.run()
    message, waiting = worker.tick(watch(campaign))
    assert waiting.startswith("nobody is under way; waiting (counted at ")
    assert waiting.endswith(f" UTC): {FREE}")
    assert message.endswith(f"; {waiting}")


def test_the_line_of_a_tick_stays_short_enough_for_temporal_to_keep_it(fleet: Fleet) -> None:
    campaign, worker = fleet.launch(), Worker(fleet)
    worker.tick(watch(campaign))
    worker.aside.run()
    sentences = ("1234567 refused by their owners, and so on and on",) * 6
    worker.counts._counts[campaign].found = Waits(at=datetime.now(UTC), sentences=sentences)
    message, waiting = worker.tick(watch(campaign))
    assert waiting.count(sentences[0]) == 2
    assert waiting.endswith("`starter.py waiting` has all")
    assert message.endswith("…")
    assert len(message) < 500


def test_a_tick_waits_for_no_count_and_begins_no_second_one_beside_it(fleet: Fleet) -> None:
    campaign, worker = fleet.launch(), Worker(fleet)
    for _ in range(3):
        worker.tick(watch(campaign))
    assert len(worker.aside.works) == 1


def test_one_campaign_is_counted_at_a_time_whatever_their_number(fleet: Fleet) -> None:
    campaigns = [fleet.launch(name=name) for name in "abc"]
    worker = Worker(fleet)
    for campaign in campaigns:
        worker.tick(watch(campaign))
    assert len(worker.aside.works) == 1
    for _ in campaigns:
        worker.aside.run()
        for campaign in campaigns:
            worker.tick(watch(campaign))
    assert all(worker.tick(watch(campaign))[1].endswith(FREE) for campaign in campaigns)


def test_a_count_is_not_followed_at_once_by_another(fleet: Fleet) -> None:
    campaign, worker = fleet.launch(), Worker(fleet)
    worker.tick(watch(campaign))
    worker.aside.run()
    fleet.put(campaign, Target.SUCCEEDED, sorted(fleet.states(campaign))[:4])
    assert worker.tick(watch(campaign))[1].endswith(FREE)
    assert worker.aside.works == []


def test_a_count_takes_no_lock_that_a_report_or_a_stop_would_wait_for(fleet: Fleet) -> None:
    campaign = fleet.launch()
    holder = Fleet.looking(fleet.url)
    with holder.engine.begin() as connection:
        connection.exec_driver_sql("SELECT FROM campaign FOR UPDATE")
        connection.exec_driver_sql("SELECT FROM assignment FOR UPDATE")
        counts = Counts(fleet.engine, lambda work: work())
        counts.latest(campaign)
        found = counts.latest(campaign)
    holder.close()
    assert found is not None
    assert found.sentences == (FREE,)


@pytest.mark.parametrize("how", ["holding", "shut", "nobody waits"])
def test_nothing_is_counted_of_a_campaign_that_does_not_deliver_or_in_which_nobody_waits(
    fleet: Fleet, how: str
) -> None:
    campaign, worker = fleet.launch(), Worker(fleet)
    worker.tick(watch(campaign))
    worker.aside.run()
    mode = Mode.ROLLING_OUT
    if how == "holding":
        mode = Mode.HOLDING
    elif how == "shut":
        fleet.shut(campaign, 2)
        mode = Mode.HOLDING
    else:
        fleet.put(campaign, Target.INSTALLING)
    seq = 2 if how == "shut" else 1
    assert worker.tick(watch(campaign, mode=mode, seq=seq))[1] == ""
    assert worker.aside.works == []


def test_a_count_that_fails_is_no_trouble_for_the_tick_and_explains_nothing(fleet: Fleet) -> None:
    campaign, aside = fleet.launch(), Aside()
    away = create_engine("postgresql+psycopg://nobody@127.0.0.1:9/none")
    counts = Counts(away, aside)
    assert counts.latest(campaign) is None
    aside.run()
    assert counts.latest(campaign) is None
    assert aside.works == []


def test_after_a_pause_vehicles_are_counted_anew(fleet: Fleet) -> None:
    campaign, worker = fleet.launch(), Worker(fleet)
    worker.tick(watch(campaign))
    worker.aside.run()
    worker.tick(watch(campaign, mode=Mode.HOLDING))
    assert worker.tick(watch(campaign))[1] == ""
    assert len(worker.aside.works) == 1

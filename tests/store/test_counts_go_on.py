"""A count that goes on from the one before is the same as one that begins with nothing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from random import Random
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, text

from campaign.assignment import Target
from campaign.cohorts import Cohort
from store import changed, exclusion, judged, slice_sums, supervision
from store.connect import connect
from store.evidence import BEGUN
from store.judged import Judged
from tests.store.fleet import HOUR, Fleet, car, cars, plain, watch

RINGS = [{"rollout_count": 4}, {"rollout_percent": 50}, {"rollout_percent": 100}]
COHORTS = ["hw_id=EVO15", "country=FR", "model=Model_3"]

_MEMORY = judged.memory.__wrapped__

_MOVE = text("""
UPDATE assignment SET state = :state, offered_at = now() - :ago * interval '1 hour',
       heard_at = now() - :ago * interval '1 hour',
       slice = CASE WHEN :begun THEN coalesce(slice, now() - :ago * interval '1 hour') END
WHERE vehicle_id = ANY(:v)
""")


class Worker:
    """What one worker's process remembers."""

    def __init__(self) -> None:
        self.memory = lru_cache(maxsize=None)(_MEMORY)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(judged, "memory", self.memory)
            yield

    def judged(self, connection: Connection, campaign: int) -> list[Judged]:
        with self.at_work():
            return judged.judged(connection, campaign)


class Story:
    """A campaign to which things happen by chance, and two workers that count by turns."""

    def __init__(self, fleet: Fleet, chance: Random) -> None:
        self.fleet, self.chance = fleet, chance
        self.ids = fleet.add(
            [*cars(6), *cars(4, 10, hw_id="EVO15"), *cars(4, 20, country="FR"), car(30, model="Model_3")]
        )
        self.campaign = fleet.launch(guards=plain("0.99"), phases=RINGS)
        fleet.run("UPDATE campaign SET window_began_at = now() - interval '2 days'")
        self.seq = 1
        self.workers = [Worker(), Worker()]
        self.worker = self.workers[0]

    def count(self) -> None:
        """Some worker counts, and finds what one finds that knows nothing."""
        with self.fleet.engine.begin() as connection:
            found = self.worker.judged(connection, self.campaign)
            assert found == Worker().judged(connection, self.campaign)
        self.fleet.assert_as_grouped(self.campaign, found)

    def move(self, connection: Connection) -> None:
        state = self.chance.choice(list(Target))
        vehicles = self.chance.sample(self.ids, self.chance.randint(1, 4))
        # One vehicle has one offer at the most, whatever the campaign: each of these has one campaign.
        values = {"state": state.value, "v": vehicles, "ago": self.chance.randint(0, 30)}
        connection.execute(_MOVE, values | {"begun": state in BEGUN})

    def moves(self) -> None:
        with self.fleet.engine.begin() as connection:
            self.move(connection)

    def rolled_back(self) -> None:
        """A worker moves and counts, and none of it has happened."""
        with suppress(ZeroDivisionError), self.fleet.engine.begin() as connection:
            self.move(connection)
            self.worker.judged(connection, self.campaign)
            raise ZeroDivisionError

    def moved_at_the_same_time(self) -> None:
        """Somebody moves vehicles before the count, and commits after it and after one that came later."""
        with self.fleet.engine.begin() as connection:
            self.move(connection)
            self.fleet.rows("SELECT pg_current_xact_id()")
            self.count()

    def ticks(self) -> None:
        with self.worker.at_work(), self.fleet.engine.begin() as connection:
            supervision.tick(connection, watch(self.campaign, seq=self.seq), HOUR)

    def resumes(self) -> None:
        self.seq += 2
        with self.worker.at_work():
            self.fleet.shut(self.campaign, self.seq - 1)
            self.fleet.open(self.campaign, self.seq, new_window=True)
        self.fleet.run("UPDATE campaign SET window_began_at = now() - interval '1 day'")

    def excludes(self) -> None:
        with self.worker.at_work(), self.fleet.engine.begin() as connection:
            exclusion.exclude(connection, self.campaign, Cohort.read(self.chance.choice(COHORTS)))

    def another_worker(self) -> None:
        self.worker = self.chance.choice(self.workers)

    def something(self) -> None:
        often: list[Callable[[], Any]] = [self.moves, self.moves, self.moves, self.ticks, self.another_worker]
        seldom = [self.rolled_back, self.moved_at_the_same_time, self.resumes, self.excludes]
        self.chance.choice([*often, *often, *seldom])()


@pytest.mark.parametrize("seed", range(12))
def test_whatever_happens_a_count_that_goes_on_finds_what_a_full_one_finds(seed: int, fleet: Fleet) -> None:
    story = Story(fleet, Random(seed))
    for _ in range(30):
        story.something()
        story.count()


@pytest.mark.parametrize("seed", range(3))
def test_a_transaction_that_takes_long_elsewhere_hides_no_change(seed: int, fleet: Fleet) -> None:
    """What can be gone on from is as old as it is, then."""
    story = Story(fleet, Random(seed))
    with connect(fleet.url) as other, other.transaction():
        other.execute("SELECT pg_current_xact_id()")
        for _ in range(10):
            story.something()
            story.count()
    for _ in range(5):
        story.something()
        story.count()


def test_a_worker_that_has_not_counted_for_long_goes_on_from_its_last_count(fleet: Fleet) -> None:
    story = Story(fleet, Random(1))
    story.count()
    old, story.worker = story.worker, Worker()
    for _ in range(10):
        story.something()
        story.count()
    story.worker = old
    story.count()


@pytest.mark.parametrize(
    "forget",
    ["UPDATE campaign SET window_began_at = now()", "UPDATE phase SET overdue_after = interval '1 hour'"],
)
def test_no_count_goes_on_where_rows_are_counted_in_another_way(forget: str, fleet: Fleet) -> None:
    story = Story(fleet, Random(2))
    for _ in range(4):
        story.moves()
        story.count()
    fleet.run(forget)
    story.count()


def test_no_count_goes_on_where_rows_may_be_gone(fleet: Fleet) -> None:
    """As after a restore: what was there before could not be seen to have changed."""
    story = Story(fleet, Random(4))
    story.moves()
    story.count()
    fleet.run("TRUNCATE tally")
    story.count()


@pytest.mark.parametrize(("horizon", "sure"), [(5, True), (2**30 + 4, True), (2**30 + 5, False), (4, False)])
def test_a_count_goes_on_only_where_transactions_can_be_told_apart(horizon: int, sure: bool) -> None:
    """Neither from one that is two billion transactions old, nor from one of a server that was further on."""
    assert changed.goes_on(5, horizon) is sure


@pytest.mark.parametrize("table", ["tally", "slice"])
def test_no_row_of_the_counts_is_deleted(table: str, fleet: Fleet) -> None:
    """It could not be seen to have changed."""
    with connect(fleet.url) as connection, pytest.raises(psycopg.errors.RaiseException, match="go on from"):
        connection.execute(f"DELETE FROM {table}".encode())


def test_only_what_has_changed_is_read_again(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a phase with vehicles in many slices one reports: what is read does not grow with the others."""
    story = Story(fleet, Random(3))
    for ago, vehicle in enumerate(story.ids, start=5):
        fleet.install(story.campaign, [vehicle], ago)
    story.count()
    read: list[bytes] = []
    real = slice_sums.Slices.after

    def noted(slices: slice_sums.Slices, changed: bytes) -> slice_sums.Slices:
        read.append(changed)
        return real(slices, changed)

    monkeypatch.setattr(slice_sums.Slices, "after", noted)
    fleet.put(story.campaign, Target.SUCCEEDED, story.ids[:1])
    with fleet.engine.begin() as connection:
        story.worker.judged(connection, story.campaign)
    one_row = 8 + 4 * len(BEGUN)
    assert [len(each) for each in read] == [one_row]

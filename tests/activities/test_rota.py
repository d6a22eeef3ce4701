"""Ticks of many campaigns are spread evenly, and together are no more than a worker can do."""

from datetime import timedelta

from activities.rota import Rota

INTERVAL = timedelta(seconds=2)


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def seconds(rota: Rota) -> float:
    return rota.pause().total_seconds()


def test_a_few_campaigns_are_ticked_as_often_as_they_were_asked_for() -> None:
    clock = Clock()
    rota = Rota(INTERVAL, 50, clock)
    for _ in range(100):
        assert seconds(rota) == 2
        clock.now += 0.02


def test_campaigns_that_are_due_at_the_same_moment_are_drawn_apart() -> None:
    rota = Rota(INTERVAL, 50, Clock())
    assert [round(seconds(rota), 2) for _ in range(4)] == [2.0, 2.02, 2.04, 2.06]


def test_the_pause_grows_with_the_number_of_campaigns() -> None:
    clock = Clock()
    rota = Rota(INTERVAL, 50, clock)
    due = [clock.now] * 1_000
    for _ in range(5_000):
        due.sort()
        clock.now = max(clock.now, due[0])
        due[0] = clock.now + seconds(rota)
    assert round(max(due) - clock.now, 2) == 20


def test_the_pause_is_short_again_when_most_campaigns_have_ended() -> None:
    clock = Clock()
    rota = Rota(INTERVAL, 50, clock)
    for _ in range(1_000):
        rota.pause()
    assert seconds(rota) > 20
    clock.now += 20
    assert round(seconds(rota), 2) == 2.02
    clock.now += 1
    assert seconds(rota) == 2

"""A person may give the released phases their full time once more when the gate is opened again."""

import pytest

from campaign.lifecycle import State
from store import gate
from tests.store.fleet import HOUR, Fleet, cars

AGES = "SELECT extract(epoch FROM clock_timestamp() - released_at) / 3600 FROM phase ORDER BY number"


@pytest.mark.parametrize(
    ("seq", "new_deadline", "hours"),
    [(2, False, 30), (2, True, 0), (1, True, 30)],
    ids=["not asked for", "asked for", "asked for too late"],
)
def test_deadlines_begin_anew_only_with_an_opening_that_says_so_and_counts(
    seq: int, new_deadline: bool, hours: int, fleet: Fleet
) -> None:
    fleet.add(cars(10))
    campaign = fleet.launch(phases=[{"rollout_percent": 20}, {"rollout_percent": 100}])
    fleet.run("UPDATE phase SET released_at = released_at - interval '30 hours'")
    for _ in range(2):
        with fleet.engine.begin() as connection:
            gate.open_gate(
                connection,
                campaign,
                seq,
                State.ROLLING_OUT,
                HOUR,
                new_window=False,
                new_deadline=new_deadline,
            )
    [(age,), (unreleased,)] = fleet.rows(AGES)
    assert hours <= age < hours + 1
    assert unreleased is None

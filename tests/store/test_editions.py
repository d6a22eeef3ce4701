"""What is counted of a phase has another edition whenever it changes, so what is remembered of it holds."""

from contextlib import suppress

import pytest
from sqlalchemy import text

from campaign.assignment import Target
from store import connect
from store.judged import judged
from tests.store.fleet import Fleet, Gateway, cars, earlier, plain

EDITIONS = "SELECT phase, id FROM edition ORDER BY phase"
RINGS = [{"rollout_count": 4}, {"rollout_percent": 100}]


def two_rings(fleet: Fleet) -> tuple[int, list[int]]:
    """A campaign whose four vehicles of the first ring began to install six hours ago."""
    fleet.add(cars(8))
    campaign = fleet.launch(guards=plain("0.99"), phases=RINGS)
    first = [row[0] for row in fleet.rows("SELECT vehicle_id FROM assignment WHERE phase = 1 ORDER BY 1")]
    fleet.install(campaign, first, 6)
    return campaign, first


CHANGES = {
    "a move": "UPDATE assignment SET state = 'succeeded' WHERE vehicle_id = :v",
    "a slice": "UPDATE assignment SET slice = slice + interval '1 hour' WHERE vehicle_id = :v",
    "an acknowledgement": "UPDATE tally SET acknowledged = vehicles WHERE state = 'installing'",
    "a slice that matures": "INSERT INTO matured VALUES ((SELECT max(id) FROM campaign), 1, now(), 1, 0, 0)",
    "a slice that is counted again": "UPDATE matured SET vehicles = 9 WHERE phase = 1",
    "slices that must mature anew": "DELETE FROM matured WHERE phase = 1",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_every_change_of_what_is_counted_begins_an_edition_of_its_phase(change: str, fleet: Fleet) -> None:
    campaign, first = two_rings(fleet)
    fleet.tick(campaign)
    before = dict(fleet.rows(EDITIONS))
    fleet.run(change, **({"v": first[0]} if ":v" in change else {}))
    after = dict(fleet.rows(EDITIONS))
    assert before[1] != after[1]
    assert before[2] == after[2]
    fleet.assert_remembered(campaign)


async def test_who_says_only_that_it_goes_on_begins_no_edition(fleet: Fleet, gateway: Gateway) -> None:
    [vehicle] = fleet.add(cars(1))
    fleet.launch()
    action = await gateway.start(vehicle)
    before = fleet.rows(EDITIONS)
    await gateway.say(vehicle, action, "proceeding")
    assert fleet.rows(EDITIONS) == before


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE campaign SET window_began_at = now()",
        "UPDATE phase SET overdue_after = interval '1 hour'",
        """UPDATE phase SET guards = jsonb_set(guards, '{0,limit}', '"0.5"')""",
        "UPDATE phase SET size = size + 1",
    ],
)
def test_what_guards_compare_counts_with_is_not_remembered_when_it_changes(change: str, fleet: Fleet) -> None:
    campaign, first = two_rings(fleet)
    fleet.put(campaign, Target.FAILED, first[:1])
    fleet.tick(campaign)
    fleet.run(change)
    fleet.assert_remembered(campaign)


def test_what_a_transaction_counted_is_forgotten_when_it_is_rolled_back(fleet: Fleet) -> None:
    """Another process counts the same phase in the meantime, and finds what is there."""
    campaign, first = two_rings(fleet)
    fleet.tick(campaign)
    moves = text("UPDATE assignment SET state = 'failed' WHERE vehicle_id = :v")
    work = connect.engine(fleet.url)
    with suppress(ZeroDivisionError), work.begin() as connection:
        connection.execute(moves, {"v": first[0]})
        [here, _] = judged(connection, campaign)
        assert here.tally.by_state == {Target.INSTALLING: 3, Target.FAILED: 1}
        raise ZeroDivisionError
    with work.begin() as connection:
        [here, _] = judged(connection, campaign)
        assert here.tally.by_state == {Target.INSTALLING: 4}
    work.dispose()
    fleet.assert_remembered(campaign)


def test_a_vehicle_that_goes_quiet_is_seen_though_nothing_has_changed(fleet: Fleet) -> None:
    """Only the clock has: the brake counts a download that is as quiet as an overdue installation."""
    campaign, first = two_rings(fleet)
    fleet.put(campaign, Target.SUCCEEDED, first)
    fleet.run("UPDATE assignment SET state = 'downloading', slice = NULL WHERE vehicle_id = :v", v=first[0])
    fleet.tick(campaign)
    fleet.run(f"UPDATE assignment SET {earlier('4 hours')} WHERE state = 'downloading'")
    assert [each.braking.bad for each in fleet.judged(campaign)] == [1, 0]

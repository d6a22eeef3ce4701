"""The epoch rises when a vehicle may have something that had nothing, and for little else."""

import itertools
import threading

import pytest

from campaign.assignment import Target
from tests.store.fleet import Fleet, cars

#: What happened before, what happens, and whether the epoch rises by it.
CASES = {
    "a gate opens": ("UPDATE campaign SET gate_open = false", "UPDATE campaign SET gate_open = true", True),
    "a gate is shut": ("SELECT 1", "UPDATE campaign SET gate_open = false", False),
    "a lease that has run out is renewed": (
        "UPDATE campaign SET lease_until = now() - interval '1 ms'",
        "UPDATE campaign SET lease_until = now() + interval '1 hour'",
        False,  # a vehicle for which only the lease is missing is no idle one
    ),
    "a lease is renewed in time": (
        "SELECT 1",
        "UPDATE campaign SET lease_until = now() + interval '2 hours'",
        False,
    ),
    "a phase is released": ("UPDATE phase SET allowance = 0", "UPDATE phase SET allowance = 1", True),
    "a released phase takes more": (
        "UPDATE phase SET allowance = 1",
        "UPDATE phase SET allowance = 2",
        False,
    ),
    "a vehicle succeeds that was given up": (
        "UPDATE assignment SET state = 'silent'",
        "UPDATE assignment SET state = 'succeeded'",
        False,  # nor is one of which a success may still be told
    ),
    "a success is taken back": (
        "UPDATE assignment SET state = 'succeeded'",
        "UPDATE assignment SET state = 'deferred'",
        True,
    ),
    "a vehicle succeeds that installed": (
        "UPDATE assignment SET state = 'installing'",
        "UPDATE assignment SET state = 'succeeded'",
        False,
    ),
    "a vehicle fails": (
        "UPDATE assignment SET state = 'installing'",
        "UPDATE assignment SET state = 'failed'",
        False,
    ),
    "tokens are written": ("SELECT 1", "UPDATE vehicle SET token_hash = 'x'", True),
    "former tokens are forgotten": ("SELECT 1", "UPDATE vehicle SET former_token_hash = NULL", True),
    "a configuration is wanted": (
        "UPDATE vehicle SET config_wanted = false",
        "UPDATE vehicle SET config_wanted = true",
        True,
    ),
    "a configuration came": (
        "UPDATE vehicle SET config_wanted = true",
        "UPDATE vehicle SET config_wanted = false",
        False,
    ),
    "a vehicle tells of itself": ("SELECT 1", "UPDATE vehicle SET reported_at = now()", False),
}


@pytest.mark.parametrize(("before", "event", "rises"), CASES.values(), ids=CASES)
def test_it_rises_when_a_vehicle_may_have_something_that_had_nothing(
    fleet: Fleet, before: str, event: str, rises: bool
) -> None:
    fleet.add(cars(1))
    fleet.launch()
    fleet.run(before)
    epoch = fleet.value("SELECT number FROM epoch")
    fleet.run(event)
    assert (fleet.value("SELECT number FROM epoch") > epoch) is rises


def test_it_rises_with_each_step_of_a_campaign_that_lets_vehicles_in(fleet: Fleet) -> None:
    fleet.add(cars(2))
    epochs = [fleet.value("SELECT number FROM epoch")]
    campaign = fleet.launch(start=False)
    epochs.append(fleet.value("SELECT number FROM epoch"))
    fleet.open(campaign, 1)
    epochs.append(fleet.value("SELECT number FROM epoch"))
    fleet.tick(campaign)
    epochs.append(fleet.value("SELECT number FROM epoch"))
    for _ in range(3):
        fleet.tick(campaign)
    epochs.append(fleet.value("SELECT number FROM epoch"))
    assert [later > earlier for earlier, later in itertools.pairwise(epochs)] == [
        False,  # selected: its gate is shut
        True,  # opened
        True,  # the first phase released
        False,  # supervised
    ]


def test_whoever_opens_a_gate_keeps_nobody_waiting_before_the_commit(fleet: Fleet) -> None:
    fleet.add(cars(1))
    fleet.launch()
    fleet.run("UPDATE campaign SET gate_open = false")
    with fleet.engine.connect() as slow, slow.begin():
        slow.exec_driver_sql("UPDATE campaign SET gate_open = true")
        # Another one that raises the epoch meanwhile is done before this one is.
        other = threading.Thread(target=fleet.run, args=("UPDATE vehicle SET token_hash = 'x'",))
        other.start()
        other.join(timeout=20)
        assert not other.is_alive()


def test_no_raise_is_lost_where_several_come_at_once(fleet: Fleet) -> None:
    [vehicle] = fleet.add(cars(1))
    campaign = fleet.launch()
    fleet.put(campaign, Target.SILENT, [vehicle])
    epoch = fleet.value("SELECT number FROM epoch")
    others = [Fleet.looking(fleet.url) for _ in range(8)]
    threads = [
        threading.Thread(target=other.run, args=("UPDATE vehicle SET token_hash = 'x'",)) for other in others
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    for other in others:
        other.close()
    assert fleet.value("SELECT number FROM epoch") >= epoch + 8


def test_a_transaction_raises_it_once_however_many_rows_it_touches(fleet: Fleet) -> None:
    fleet.add(cars(50))
    fleet.run("UPDATE vehicle SET config_wanted = false")
    seen = "SELECT number FROM epoch"
    with fleet.engine.connect() as connection, connection.begin():
        connection.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")
        before = connection.exec_driver_sql(seen).scalar_one()
        for zone in ("Europe/Berlin", "Europe/Paris"):
            connection.exec_driver_sql("UPDATE vehicle SET config_wanted = true, timezone = %s", (zone,))
            connection.exec_driver_sql("UPDATE vehicle SET config_wanted = false")
        after = connection.exec_driver_sql(seen).scalar_one()
    assert before < after <= before + 1_000_001

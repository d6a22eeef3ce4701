"""A database of the first version, with a campaign under way in it, goes on under the guards."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from alembic import command
from alembic.config import Config

from campaign.assignment import Target
from campaign.definition import Definition
from campaign.guards import Metric, Rule
from campaign.vehicle import Vehicle
from runtime.database import MIGRATIONS, check_schema, migrate
from tests.store.fleet import Fleet, add_vehicles, cars, closing, connected, define

#: What the first version wrote for a campaign that named no guards and no limits.
GUARD = {
    "name": "failure_rate", "metric": "failure_rate", "mode": "threshold", "limit": "0.02", "action": "pause",
}  # fmt: skip
LIMITS = {"in_flight": 1000, "per_minute": None, "offer_timeout": "PT30M", "silent_after": "P1D"}


class Old(Fleet):
    """A fleet in a database of the first version, written by statements of that version."""

    def add(self, vehicles: Iterable[Vehicle]) -> list[int]:
        with self._open.begin():
            return add_vehicles(self._open, list(vehicles))

    def campaign(self, states: dict[str, int], window: tuple[int, int] = (0, 0)) -> int:
        """A campaign that rolls out its first phase, with so many vehicles in each state."""
        ids = self.add(cars(sum(states.values())))
        definition = define(phases=[{"rollout_percent": 100, "name": "all"}])
        [[number]] = self.rows(
            "INSERT INTO campaign (name, workflow_id, first_run_id, priority, definition, digest, package, "
            'state, gate_open, gate_seq, lease_until, in_flight, "window", selected_at) '
            "SELECT 'Winter', 'w', 'run', 1, CAST(:d AS jsonb), '', body, 'RollingOut', true, 1, "
            "now() + interval '1 hour', 1000, 1 + CAST(:w AS bool)::int, now() FROM package RETURNING id",
            d=json.dumps(_old(definition)),
            w=window != (0, 0),
        )
        self.run(
            "INSERT INTO phase (campaign_id, number, name, size, allowance, released_at, pace_since, "
            "pace_base, guards, limits, window_attempts, window_failures) "
            "VALUES (:c, 1, 'all', :n, :n, now(), now(), 0, CAST(:g AS jsonb), CAST(:l AS jsonb), :a, :f)",
            c=number,
            n=len(ids),
            g=json.dumps([GUARD]),
            l=json.dumps(LIMITS),
            a=window[0],
            f=window[1],
        )
        self.run(
            "INSERT INTO configuration (campaign_id, key, model, ecus) VALUES (:c, 'k', 'Model_Y', "
            """'{"Radar": {"hw_id": "EVO14", "sw_version": "1.3.0"}}')""",
            c=number,
        )
        each = [state for state, many in states.items() for _ in range(many)]
        self.run(
            "INSERT INTO assignment (vehicle_id, campaign_id, phase, configuration_id, state, attempt, "
            "offered_at, heard_at, fetched_at, cancel_wanted) "
            "SELECT v, :c, 1, (SELECT id FROM configuration), s, (s <> 'pending')::int, now(), now(), now(), "
            "false FROM unnest(CAST(:v AS int[]), CAST(:s AS text[])) AS t (v, s)",
            c=number,
            v=ids,
            s=each,
        )
        return int(number)


def _old(definition: Definition) -> dict[str, Any]:
    body = definition.model_dump(mode="json", by_alias=True, exclude={"promotion", "limits"})
    for phase in body["phases"]:
        del phase["promotion"]
    return body | {"guards": [GUARD], "limits": LIMITS}


def _upgrade(url: str, revision: str) -> None:
    config = Config(attributes={"url": url})
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    command.upgrade(config, revision)


@pytest.fixture
def old(empty_database: str) -> Iterator[Old]:
    _upgrade(empty_database, "0001")
    fleet = Old(empty_database)
    yield fleet
    fleet.assert_candidates()
    fleet.close()


async def test_a_campaign_under_way_is_ticked_and_stopped_by_the_rule_it_was_started_with(old: Old) -> None:
    campaign = old.campaign({"succeeded": 48, "installing": 2, "pending": 10})
    migrate(old.url)
    check_schema(old.url)
    seen = old.tick(campaign)
    assert (seen.gate_open, seen.breach, seen.window) == (True, None, 1)
    [verdict] = seen.verdicts
    assert (verdict.failed, verdict.finished, verdict.started) == (0, 48, 50)
    [guard] = old.value("SELECT guards FROM phase")
    assert (guard["metric"], guard["mode"]) == (Metric.FAILURE.value, Rule.THRESHOLD.value)
    installing = [each for each, state in old.states(campaign).items() if state == "installing"]
    async with connected(old.url) as gateway:
        await gateway.record(*closing(campaign, installing[:1], "failure"))  # 1 of 49
    assert not old.gate_open(campaign)
    in_window = "SELECT slice >= window_began_at FROM assignment, campaign WHERE assignment.state = 'failed'"
    assert old.rows(in_window) == [(True,)]
    old.assert_tally()


async def test_what_a_window_knew_stays_acknowledged_and_new_failures_stop_it(old: Old) -> None:
    """Resumed after two failures of four: they must not stop it again, and two of three more must."""
    campaign = old.campaign({"succeeded": 2, "failed": 2, "installing": 3, "pending": 10}, window=(4, 2))
    migrate(old.url)
    acknowledged = old.rows("SELECT state, acknowledged FROM tally WHERE acknowledged > 0 ORDER BY 1")
    assert acknowledged == [("failed", 2), ("succeeded", 2)]
    seen = old.tick(campaign)
    assert (seen.gate_open, seen.window) == (True, 2)
    assert (seen.verdicts[0].failed, seen.verdicts[0].finished) == (0, 0)
    installing = [each for each, state in old.states(campaign).items() if state == "installing"]
    async with connected(old.url) as gateway:
        await gateway.record(*closing(campaign, installing[:1], "failure"))
    assert not old.gate_open(campaign)


def test_a_campaign_that_was_stopped_before_is_watched_and_can_be_resumed(old: Old) -> None:
    campaign = old.campaign({"succeeded": 2, "failed": 2, "pending": 10})
    verdict = {
        "guard": "failure_rate", "status": "breach", "attempts": 4, "failures": 2, "limit": "0.02",
        "sentence": "failure_rate breach: 2 of 4 failed (50 % > 2 %)",
    }  # fmt: skip
    old.run(
        "UPDATE campaign SET gate_open = false, shut_at = now(), state = 'Paused', "
        "breach = CAST(:b AS jsonb)",
        b=json.dumps({"phase": 1, "phase_name": "all", "verdict": verdict}),
    )
    migrate(old.url)
    seen = old.tick(campaign)
    assert seen.breach is not None
    assert seen.breach.sentence == "phase 1 (all): failure_rate breach: 2 of 4 failed (50 % > 2 %)"
    old.open(campaign, 2, new_window=True)
    seen = old.tick(campaign, seq=2)
    assert (seen.gate_open, seen.breach, seen.window) == (True, None, 2)


def test_a_campaign_that_was_only_registered_selects_its_vehicles(old: Old) -> None:
    campaign = old.campaign({"pending": 0})
    old.add(cars(5))
    old.run("UPDATE campaign SET selected_at = NULL, gate_open = false")
    migrate(old.url)
    assert old.select(campaign) == {1: 5}
    assert old.rows("SELECT overdue_after::text, window_began_at FROM phase, campaign") == [
        ("03:00:00", None)
    ]


#: What was taken for an owner's window before, and the zone: whether it is one.
OLD_WINDOWS: list[tuple[Any, str | None, bool]] = [
    ({"from": "22:00", "to": "06:00"}, "Europe/Berlin", True),
    ({"from": "22:00", "to": "24:00", "days": ["fri", "sat"]}, "Europe/Berlin", True),
    ({"from": "22:00", "to": "06:00"}, None, False),
    ({"from": "22:00"}, "Europe/Berlin", False),
    ({"from": "22:00", "to": "22:00"}, "Europe/Berlin", False),
    ({"from": "24:00", "to": "02:00"}, "Europe/Berlin", False),
    ({"from": 22, "to": 6}, "Europe/Berlin", False),
    ({"from": "22:00", "to": "06:00", "note": "quiet"}, "Europe/Berlin", False),
    ({"from": "22:00", "to": "06:00", "days": []}, "Europe/Berlin", False),
    ({"from": "22:00", "to": "06:00", "days": "fri"}, "Europe/Berlin", False),
    ({"from": "22:00", "to": "06:00", "days": ["friday"]}, "Europe/Berlin", False),
    ({}, "Europe/Berlin", False),
]


async def test_what_was_no_window_becomes_an_attribute_and_holds_nobody_up(old: Old) -> None:
    campaign = old.campaign({"pending": len(OLD_WINDOWS)})
    ids = sorted(old.states(campaign))
    for vehicle, (found, zone, _) in zip(ids, OLD_WINDOWS, strict=True):
        old.run(
            "UPDATE vehicle SET install_window = CAST(:w AS jsonb), timezone = :z WHERE id = :v",
            w=json.dumps(found), z=zone, v=vehicle,
        )  # fmt: skip
    migrate(old.url)
    kept = old.rows("SELECT install_window, attributes FROM vehicle ORDER BY id")
    assert kept == [
        (found, {}) if good else (None, {"install_window": found}) for found, _, good in OLD_WINDOWS
    ]
    assert old.value("SELECT terms FROM campaign") == {"type": "general", "interaction": "silent"}
    async with connected(old.url) as gateway:
        admitted = await gateway.admit(*ids)
    assert set(ids) - set(admitted) <= set(ids[:2])


def test_slices_that_had_a_row_for_each_state_are_counted_on_in_one(old: Old) -> None:
    slices = "SELECT installing, succeeded, failed FROM slice ORDER BY began"
    campaign = old.campaign({"pending": 9})
    _upgrade(old.url, "0017")
    ids = sorted(old.states(campaign))
    old.install(campaign, ids[:5], 1)
    old.install(campaign, ids[5:7], 2)
    old.put(campaign, Target.SUCCEEDED, ids[:2])
    old.put(campaign, Target.FAILED, ids[2:3])
    old.put(campaign, Target.DEFERRED, ids[5:7])
    assert old.value("SELECT count(*) FROM slice WHERE vehicles > 0") == 4
    migrate(old.url)
    assert old.rows(slices) == [
        (0, 0, 0),
        (2, 2, 1),
    ]
    old.put(campaign, Target.SUCCEEDED, [*ids[:5], ids[5]])
    assert old.rows(slices) == [
        (0, 1, 0),
        (0, 5, 0),
    ]
    old.assert_tally()
    old.assert_remembered(campaign)

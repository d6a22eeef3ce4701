"""Temporal runs an activity at least once: twice, or cut anywhere, each one leaves the same rows."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import OperationalError
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.delivery import Delivery
from activities.messages import Exclusion, GateOrder, JournalEntry, LimitsChange, Registration
from activities.rota import Rota
from activities.supervision import WATCHING, Supervision
from activities.targeting import Targeting
from campaign.assignment import Target
from campaign.breach import Exposed
from campaign.journal import Line
from campaign.lifecycle import State
from tests.store.fleet import Fleet, cars, define, watch

LEASE = timedelta(seconds=30)
LINES = tuple(
    Line(key=f"{number:06}", at=datetime(2026, 11, 23, tzinfo=UTC), actor="ann", event="note", text="a line")
    for number in (1, 2)
)

Prepare = Callable[[Fleet], Any]
Run = Callable[[Fleet, Any], Any]


@dataclass(frozen=True)
class Act:
    """An activity, what it needs before, and the functions of the store it writes with."""

    prepare: Prepare
    run: Run
    writes: tuple[str, ...]


def order(campaign: int, state: State, seq: int = 5, **more: Any) -> GateOrder:
    return GateOrder(campaign_id=campaign, seq=seq, state=state, lines=LINES, **more)


def registration() -> Registration:
    body = define(name="New").model_dump(mode="json", by_alias=True)
    return Registration(definition=body, workflow_id="campaign-new", first_run_id="run-1")


def registered(fleet: Fleet) -> int:
    """A campaign that has passed the door and selected nobody yet."""
    fleet.register(define())
    return int(fleet.value("SELECT id FROM campaign"))


def rolling(fleet: Fleet) -> int:
    """A campaign that delivers, with vehicles in every state that a stop cares about."""
    campaign = fleet.launch()
    vehicles = sorted(fleet.states(campaign))
    for target, number in ((Target.OFFERED, 0), (Target.DOWNLOADING, 2), (Target.SUCCEEDED, 4)):
        fleet.put(campaign, target, vehicles[number : number + 2])
    return campaign


def shut(fleet: Fleet) -> int:
    campaign = rolling(fleet)
    fleet.shut(campaign, 3)
    return campaign


def delivery(fleet: Fleet) -> Delivery:
    return Delivery(fleet.engine, LEASE)


def run(fleet: Fleet, activity: Callable[..., Any], *given: Any) -> Any:
    """Run it as a worker does."""
    return ActivityEnvironment().run(activity, *given)


def limits(campaign: int) -> LimitsChange:
    return LimitsChange(
        campaign_id=campaign,
        from_phase=1,
        limits={"in_flight": 7},
        guards={"installation_success_rate": Decimal("0.01")},
    )


def exclusion(fleet: Fleet, campaign: int, cohort: str = "hw_id=EVO15") -> Any:
    order = Exclusion(campaign_id=campaign, cohort=cohort)
    return run(fleet, delivery(fleet).exclude_cohort, order)


def mixed(fleet: Fleet) -> int:
    """A campaign that delivers to two kinds of vehicles, three of the second kind under way."""
    other = fleet.add(cars(5, 50, hw_id="EVO15"))
    campaign = fleet.launch()
    fleet.put(campaign, Target.OFFERED, other[:1])
    fleet.put(campaign, Target.DOWNLOADING, other[1:2])
    fleet.put(campaign, Target.INSTALLING, other[2:3])
    return campaign


def supervise(fleet: Fleet, campaign: int) -> Any:
    """One tick that finds nothing."""
    with pytest.raises(ApplicationError) as caught:
        run(
            fleet,
            Supervision(fleet.engine, LEASE, Rota(timedelta(seconds=2), 50), 1).supervise,
            watch(campaign),
        )
    assert caught.value.type == WATCHING


ACTS: dict[str, Act] = {
    "register": Act(
        lambda fleet: None,
        lambda fleet, _: run(fleet, Targeting(fleet.engine).register, registration()),
        ("store.campaigns.register",),
    ),
    "select_targets": Act(
        registered,
        lambda fleet, campaign: run(fleet, Targeting(fleet.engine).select_targets, campaign),
        ("store.campaigns.select_targets", "store.campaigns.freeze"),
    ),
    "open_gate": Act(
        shut,
        lambda fleet, campaign: run(
            fleet, delivery(fleet).open_gate, order(campaign, State.ROLLING_OUT, new_window=True)
        ),
        ("store.gate.open_gate", "store.journal.write"),
    ),
    "shut_gate": Act(
        rolling,
        lambda fleet, campaign: run(fleet, delivery(fleet).shut_gate, order(campaign, State.PAUSED)),
        ("store.gate.shut_gate", "store.journal.write"),
    ),
    "shut_gate and cancel": Act(
        rolling,
        lambda fleet, campaign: run(
            fleet, delivery(fleet).shut_gate, order(campaign, State.PAUSED, cancel_started=True)
        ),
        ("store.gate.shut_gate",),
    ),
    "show_state": Act(
        registered,
        lambda fleet, campaign: run(fleet, delivery(fleet).show_state, order(campaign, State.QUEUED)),
        ("store.gate.set_state", "store.journal.write"),
    ),
    "finish": Act(
        rolling,
        lambda fleet, campaign: run(fleet, delivery(fleet).finish, order(campaign, State.ABORTED)),
        ("store.gate.shut_gate",),
    ),
    "change_limits": Act(
        rolling,
        lambda fleet, campaign: run(fleet, delivery(fleet).change_limits, limits(campaign)),
        ("store.limits.change",),
    ),
    "exclude_cohort": Act(mixed, exclusion, ("store.exclusion.exclude",)),
    "write_journal": Act(
        registered,
        lambda fleet, campaign: run(
            fleet, delivery(fleet).write_journal, JournalEntry(campaign_id=campaign, lines=LINES)
        ),
        ("store.journal.write",),
    ),
    "supervise": Act(rolling, supervise, ("activities.supervision.tick",)),
}

CUTS = [(name, write) for name, act in ACTS.items() for write in act.writes]


def rows(fleet: Fleet, *, moving: bool = False) -> dict[str, list[tuple[Any, ...]]]:
    """All rows; the lease, which each tick renews, only where nothing may have moved."""
    found = fleet.everything()
    if not moving:
        return found
    columns = [name for (name,) in fleet.rows(_COLUMNS)]
    assert "lease_until" not in columns
    return found | {"campaign": fleet.rows(f"SELECT {', '.join(columns)} FROM campaign ORDER BY id")}


_COLUMNS = """
SELECT quote_ident(column_name) FROM information_schema.columns
WHERE table_schema = 'public' AND table_name = 'campaign' AND column_name <> 'lease_until'
"""


@pytest.mark.parametrize("name", ACTS)
def test_an_activity_run_twice_leaves_the_same_rows_and_gives_the_same_answer(
    fleet: Fleet, name: str
) -> None:
    act = ACTS[name]
    prepared = act.prepare(fleet)
    before = rows(fleet)
    first = act.run(fleet, prepared)
    once = rows(fleet, moving=name == "supervise")
    assert rows(fleet) != before
    second = act.run(fleet, prepared)
    assert rows(fleet, moving=name == "supervise") == once
    if name not in _COUNT_WHAT_THEY_FIND:
        assert second == first
    fleet.assert_tally()


#: They answer with what was under way at that moment; a repetition finds nothing left to withdraw.
_COUNT_WHAT_THEY_FIND = ("shut_gate", "shut_gate and cancel")


class Cut(Exception):
    """The worker is gone."""


@pytest.mark.parametrize(("name", "write"), CUTS, ids=[f"{name} after {write}" for name, write in CUTS])
def test_an_activity_cut_after_a_write_has_written_nothing(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, name: str, write: str
) -> None:
    act = ACTS[name]
    prepared = act.prepare(fleet)
    before = rows(fleet)
    with monkeypatch.context() as patch:
        patch.setattr(write, partial(_then, _resolve(write), _raise))
        with pytest.raises(Cut):
            act.run(fleet, prepared)
    assert rows(fleet) == before
    act.run(fleet, prepared)
    assert rows(fleet) != before
    fleet.assert_tally()


@pytest.mark.parametrize("name", ACTS)
def test_an_activity_whose_connection_dies_before_the_commit_has_written_nothing(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    act = ACTS[name]
    prepared, write = act.prepare(fleet), act.writes[-1]
    before = rows(fleet)
    with monkeypatch.context() as patch:
        patch.setattr(write, partial(_then, _resolve(write), partial(_kill, fleet)))
        with pytest.raises(OperationalError):
            act.run(fleet, prepared)
    assert rows(fleet) == before
    act.run(fleet, prepared)
    assert rows(fleet) != before
    fleet.assert_tally()


@pytest.mark.parametrize("write", ["store.gate.finish", "store.journal.write"])
def test_a_finish_cut_after_its_first_part_has_shut_the_gate_and_is_completed_by_the_next(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, write: str
) -> None:
    act, campaign = ACTS["finish"], rolling(fleet)
    with monkeypatch.context() as patch:
        patch.setattr(write, partial(_then, _resolve(write), _raise))
        with pytest.raises(Cut):
            act.run(fleet, campaign)
    assert not fleet.gate_open(campaign)
    assert "expired" not in fleet.states(campaign).values()
    assert act.run(fleet, campaign).by_state == {"downloading": 2, "expired": 6, "succeeded": 2}
    fleet.assert_tally()


def _resolve(dotted: str) -> Callable[..., Any]:
    module, name = dotted.rsplit(".", 1)
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found


def _then(
    write: Callable[..., Any],
    cut: Callable[[Connection], None],
    connection: Connection,
    *given: Any,
    **more: Any,
) -> Any:
    """Write, and be cut off before the commit."""
    answer = write(connection, *given, **more)
    cut(connection)
    return answer


def _raise(connection: Connection) -> None:
    raise Cut


def _kill(fleet: Fleet, connection: Connection) -> None:
    pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    fleet.value("SELECT pg_terminate_backend(:pid, 5000)", pid=pid)


def test_a_database_that_is_away_is_an_error_to_be_tried_again() -> None:
    nowhere = cast("Fleet", SimpleNamespace(engine=create_engine("postgresql+psycopg://n@127.0.0.1:9/none")))
    for name, act in ACTS.items():
        if name != "supervise":
            with pytest.raises(OperationalError):
                act.run(nowhere, 1)


def test_an_opening_that_comes_late_does_not_open_what_was_shut_since(fleet: Fleet) -> None:
    campaign = rolling(fleet)
    run(fleet, delivery(fleet).shut_gate, order(campaign, State.PAUSED, seq=6))
    before = rows(fleet)["campaign"]
    run(fleet, delivery(fleet).open_gate, order(campaign, State.ROLLING_OUT, seq=5))
    assert rows(fleet)["campaign"] == before
    assert not fleet.gate_open(campaign)


def test_a_stop_that_comes_late_shuts_all_the_same(fleet: Fleet) -> None:
    campaign = rolling(fleet)
    run(fleet, delivery(fleet).open_gate, order(campaign, State.ROLLING_OUT, seq=9))
    run(fleet, delivery(fleet).shut_gate, order(campaign, State.PAUSED, seq=5))
    assert not fleet.gate_open(campaign)
    assert fleet.value("SELECT gate_seq FROM campaign") == 9


def test_a_stop_tells_who_was_exposed(fleet: Fleet) -> None:
    campaign = rolling(fleet)
    exposure = run(fleet, delivery(fleet).shut_gate, order(campaign, State.PAUSED))
    assert exposure == Exposed(offered=2, downloading=2)


def test_a_finish_counts_every_vehicle_once(fleet: Fleet) -> None:
    campaign = rolling(fleet)
    ending = run(fleet, delivery(fleet).finish, order(campaign, State.COMPLETED))
    assert ending.by_state == {"downloading": 2, "expired": 6, "succeeded": 2}


def test_new_limits_leave_what_they_do_not_name(fleet: Fleet) -> None:
    strict = {"guards": [{"limit": "0.05"}], "limits": {"in_flight": 3, "per_minute": 2}}
    phases = [
        {"name": "first", "rollout_percent": 10},
        {"name": "second", "rollout_percent": 50, **strict},
        {"name": "third", "rollout_percent": 100},
    ]
    campaign = fleet.launch(phases=phases, start=False)
    stored = "SELECT number, limits, guards FROM phase ORDER BY number"
    before = fleet.rows(stored)

    def change(**values: Any) -> None:
        run(fleet, delivery(fleet).change_limits, LimitsChange(campaign_id=campaign, from_phase=2, **values))

    change(limits={"per_minute": 9})
    change(limits={"in_flight": 7, "harm_budget": 9})
    change(guards={"installation_success_rate": Decimal("0.01")})
    after = fleet.rows(stored)
    assert after[0] == before[0]
    assert after[1][1] == before[1][1] | {"in_flight": 7, "per_minute": 9, "harm_budget": 9}
    assert after[2][1] == before[2][1] | {"in_flight": 7, "per_minute": 9, "harm_budget": 9}
    for old, new in zip(before[1:], after[1:], strict=True):
        assert new[2] == [
            guard | {"limit": "0.01"} if guard["name"] == "installation_success_rate" else guard
            for guard in old[2]
        ]


def test_an_exclusion_counts_who_had_not_begun(fleet: Fleet) -> None:
    assert exclusion(fleet, mixed(fleet)).vehicles == 3


@pytest.mark.parametrize(
    ("cohort", "cure"),
    [
        ("hw_id=EVO16", "no vehicle of this campaign is in it; did you mean 'hw_id=EVO15'?"),
        ("model=Model_X", "did you mean 'model=Model_Y'?"),
    ],
)
def test_a_cohort_nobody_is_in_is_refused_for_good_and_nothing_changes(
    cohort: str, cure: str, fleet: Fleet
) -> None:
    campaign = mixed(fleet)
    before = rows(fleet)
    with pytest.raises(ApplicationError) as caught:
        exclusion(fleet, campaign, cohort)
    assert (caught.value.type, caught.value.non_retryable) == ("Refused", True)
    assert cure in caught.value.message
    assert rows(fleet) == before


@pytest.mark.parametrize(
    ("guards", "cure"),
    [
        ({"rollback": "0.1"}, "no guard of this name; did you mean 'rollback_rate'?"),
        ({"rollback_rate": "0.001"}, "accept 0.001 must be at most half of limit 0.001"),
    ],
)
def test_limits_that_fit_no_guard_are_refused_for_good_and_nothing_changes(
    guards: dict[str, str], cure: str, fleet: Fleet
) -> None:
    campaign = rolling(fleet)
    before = rows(fleet)
    limits = {name: Decimal(limit) for name, limit in guards.items()}
    change = LimitsChange(campaign_id=campaign, from_phase=1, limits={"in_flight": 7}, guards=limits)
    with pytest.raises(ApplicationError) as caught:
        run(fleet, delivery(fleet).change_limits, change)
    assert (caught.value.type, caught.value.non_retryable) == ("Refused", True)
    assert cure in caught.value.message
    assert rows(fleet) == before


def test_an_unknown_package_is_refused_for_good(fleet: Fleet) -> None:
    wrong = registration()
    body = wrong.definition | {"package": "Pkgg"}
    with pytest.raises(ApplicationError) as caught:
        run(fleet, Targeting(fleet.engine).register, wrong.model_copy(update={"definition": body}))
    assert (caught.value.type, caught.value.non_retryable) == ("Refused", True)
    assert "did you mean 'Pkg'?" in caught.value.message


def test_a_phase_that_has_become_empty_is_refused_for_good_and_nothing_is_frozen(fleet: Fleet) -> None:
    campaign = registered(fleet)
    fleet.run("UPDATE ecu SET sw_version = '1.4.0'")
    before = rows(fleet)
    with pytest.raises(ApplicationError) as caught:
        run(fleet, Targeting(fleet.engine).select_targets, campaign)
    assert (caught.value.type, caught.value.non_retryable) == ("Refused", True)
    assert "no vehicle is left for this phase" in caught.value.message
    assert rows(fleet) == before


def test_a_name_is_never_used_by_a_second_workflow(fleet: Fleet) -> None:
    run(fleet, Targeting(fleet.engine).register, registration())
    other = registration().model_copy(update={"first_run_id": "run-2"})
    with pytest.raises(ApplicationError, match="names are never used twice"):
        run(fleet, Targeting(fleet.engine).register, other)

"""What a report changes, what it is answered, and what a success leaves behind."""

from datetime import UTC, datetime
from typing import Any

import pytest
from psycopg import DataError

from campaign.action import action_id
from campaign.assignment import ATTEMPTS, SKIPPED, TERMINAL, Target
from store.reports import Effect, Report
from tests.store.fleet import MODULE, Fleet, Gateway, car, cars, plain, report

LOG = "SELECT vehicle_id, attempt, channel, execution, finished, effect FROM report ORDER BY id"


async def test_a_good_update_walks_through_its_states(fleet: Fleet, gateway: Gateway) -> None:
    [vehicle] = fleet.add(cars(1))
    campaign = fleet.launch()
    action = (await gateway.admit(vehicle))[vehicle]
    walk = []
    for step in ("proceeding", "begin", "proceeding", "proceeding", "closed"):
        if step == "begin":
            assert await gateway.begin(vehicle, action)
        else:
            finished = "success" if step == "closed" else "none"
            assert await gateway.say(vehicle, action, step, finished) is Effect.RECORDED
        walk.append(fleet.state(vehicle, campaign))
    assert walk == ["downloading", "downloading", "installing", "installing", "succeeded"]
    assert [row[-1] for row in fleet.rows(LOG)] == ["downloading", "installing", "install", "succeeded"]
    assert fleet.value("SELECT finished_at >= offered_at FROM assignment")
    fleet.assert_tally()


async def test_a_success_is_written_into_the_vehicle_its_history_and_its_wish_list(
    fleet: Fleet, gateway: Gateway
) -> None:
    gw = {"name": "GW", "hw_id": "G", "sw_version": "2.0"}
    radar = {"name": "Radar", "hw_id": "EVO14", "sw_version": "1.3.0"}
    done, other = fleet.add([car(0, ecus=[radar, gw]), car(1, ecus=[radar, gw])])
    campaign = fleet.launch(
        package={"name": "Two", "modules": [MODULE, MODULE | {"ecu": "GW", "hw_ids": ["G"], "version": "2.1",
                                                              "from_versions": None}]}
    )  # fmt: skip
    action = await gateway.start(done)
    await gateway.say(done, action, "closed", "success")
    ecus = fleet.rows("SELECT vehicle_id, name, sw_version, built_version FROM ecu ORDER BY 1, 2")
    assert ecus == [
        (done, "GW", "2.1", "2.0"), (done, "Radar", "1.4.0", "1.3.0"),
        (other, "GW", "2.0", "2.0"), (other, "Radar", "1.3.0", "1.3.0"),
    ]  # fmt: skip
    changes = fleet.rows(
        "SELECT vehicle_id, ecu, from_version, to_version, campaign_id, source "
        "FROM software_change ORDER BY ecu"
    )
    assert changes == [
        (done, "GW", "2.0", "2.1", campaign, "campaign"),
        (done, "Radar", "1.3.0", "1.4.0", campaign, "campaign"),
    ]  # fmt: skip
    assert await gateway.wishes() == {done: True, other: False}
    await gateway.say(done, action, "closed", "success")  # its answer was lost
    assert fleet.value("SELECT count(*) FROM software_change") == 2


@pytest.mark.parametrize("finished", ["failure", "rolled back"])
async def test_a_failure_changes_nothing_of_what_the_vehicle_is_known_to_run(
    finished: str, fleet: Fleet, gateway: Gateway
) -> None:
    [vehicle] = fleet.add(cars(1))
    campaign = fleet.launch()
    action = await gateway.start(vehicle)
    details = ("Rolled back to slot A",) if finished == "rolled back" else ("no space",)
    await gateway.record(report(vehicle, action, "closed", "failure", *details, code=7))
    assert fleet.state(vehicle, campaign) == ("rolled_back" if len(finished) > 7 else "failed")
    assert fleet.rows("SELECT code, message FROM assignment") == [(7, details[0])]
    assert fleet.rows("SELECT sw_version FROM ecu") == [("1.3.0",)]
    assert fleet.value("SELECT count(*) FROM software_change") == 0
    assert not fleet.value("SELECT config_wanted FROM vehicle")


@pytest.mark.parametrize(
    ("details", "begins"),
    [((), False), ((SKIPPED,), False), ((SKIPPED,), True), (("Update Installed.",), False)],
)  # fmt: skip
async def test_an_unproven_success_is_deferred_and_said_to_be_only_claimed(
    details: tuple[str, ...], begins: bool, fleet: Fleet, gateway: Gateway
) -> None:
    [vehicle] = fleet.add(cars(1))
    campaign = fleet.launch()
    action = (await gateway.admit(vehicle))[vehicle]
    if begins:
        await gateway.begin(vehicle, action)
    assert await gateway.say(vehicle, action, "closed", "success", *details) is Effect.RECORDED
    assert fleet.state(vehicle, campaign) == "deferred"
    [(message, waits, sw_version)] = fleet.rows(
        "SELECT message, not_before > clock_timestamp() + interval '4 minutes', sw_version "
        "FROM assignment JOIN ecu USING (vehicle_id)"
    )
    how = "though it skipped the update" if begins else "without fetching the artifact"
    assert message.startswith(f"claimed success {how}")
    assert (waits, sw_version) == (True, "1.3.0")
    assert fleet.tick(campaign).total.of(ATTEMPTS) == 0


async def test_a_deferred_vehicle_waits_longer_with_every_attempt(fleet: Fleet, gateway: Gateway) -> None:
    [vehicle] = fleet.add(cars(1))
    fleet.launch()
    waits = []
    for _ in range(3):
        action = (await gateway.admit(vehicle))[vehicle]
        await gateway.say(vehicle, action, "rejected")
        waits.append(
            fleet.value("SELECT round(extract(epoch FROM not_before - heard_at) / 60) FROM assignment")
        )
        fleet.run("UPDATE assignment SET not_before = clock_timestamp()")
    assert waits == [5, 10, 20]


@pytest.mark.parametrize(
    ("execution", "finished", "end"),
    [("closed", "success", "succeeded"), ("closed", "failure", "failed"), ("rejected", "none", "deferred")],
)
async def test_a_closing_report_whose_answer_was_lost_is_answered_the_same_again(
    execution: str, finished: str, end: str, fleet: Fleet, gateway: Gateway
) -> None:
    [vehicle] = fleet.add(cars(1))
    campaign = fleet.launch()
    action = await gateway.start(vehicle)
    assert await gateway.say(vehicle, action, execution, finished) is Effect.RECORDED
    before = fleet.rows("SELECT * FROM assignment")
    assert await gateway.say(vehicle, action, execution, finished) is Effect.RECORDED
    assert fleet.rows("SELECT * FROM assignment") == before
    assert fleet.state(vehicle, campaign) == end
    assert [row[-1] for row in fleet.rows(LOG)][-2:] == [end, "repeated"]


@pytest.mark.parametrize("state", sorted(TERMINAL - {Target.SILENT, Target.EXPIRED}), ids=str)
@pytest.mark.parametrize(
    "said", [("closed", "success"), ("closed", "failure"), ("proceeding", "none")], ids=str
)
async def test_what_comes_after_the_end_is_answered_over_and_moves_nothing(
    said: tuple[str, str], state: Target, fleet: Fleet, gateway: Gateway
) -> None:
    [vehicle] = fleet.add(cars(1))
    campaign = fleet.launch()
    fleet.put(campaign, state)
    repeats = (said, state) in {(("closed", "success"), "succeeded"), (("closed", "failure"), "failed")}
    effect = await gateway.say(vehicle, action_id(campaign, 1), *said)
    assert effect is (Effect.RECORDED if repeats else Effect.OVER)
    assert fleet.state(vehicle, campaign) == state
    assert fleet.rows("SELECT sw_version FROM ecu") == [("1.3.0",)]


@pytest.mark.parametrize("state", [Target.SILENT, Target.EXPIRED], ids=str)
@pytest.mark.parametrize(("finished", "end"), [("success", "succeeded"), ("failure", "failed")])
async def test_the_truth_that_comes_late_corrects_what_time_had_concluded(
    finished: str, end: str, state: Target, fleet: Fleet, gateway: Gateway
) -> None:
    [vehicle] = fleet.add(cars(1))
    campaign = fleet.launch()
    fleet.put(campaign, state)
    assert await gateway.say(vehicle, action_id(campaign, 1), "proceeding") is Effect.OVER
    assert await gateway.say(vehicle, action_id(campaign, 1), "closed", finished) is Effect.RECORDED
    assert fleet.state(vehicle, campaign) == end
    assert fleet.value("SELECT sw_version FROM ecu") == ("1.4.0" if end == "succeeded" else "1.3.0")
    fleet.assert_tally()


async def test_a_late_success_that_corrects_an_acknowledged_silence_is_recorded(
    fleet: Fleet, gateway: Gateway
) -> None:
    """The failures fall below those that were known when the evidence window began."""
    ids = fleet.add(cars(2))
    campaign = fleet.launch(guards=plain())
    fleet.put(campaign, Target.SILENT, ids[:1])
    fleet.shut(campaign, 2)
    fleet.open(campaign, 3, new_window=True)
    assert await gateway.say(ids[0], action_id(campaign, 1), "closed", "success") is Effect.RECORDED
    assert fleet.tick(campaign, seq=3).gate_open


async def test_an_earlier_attempt_is_over_and_a_foreign_action_unknown(
    fleet: Fleet, gateway: Gateway
) -> None:
    target, other = fleet.add([*cars(1), *cars(1, 1, hw_id="EVO16")])
    campaign = fleet.launch()
    fleet.put(campaign, Target.INSTALLING)
    fleet.run("UPDATE assignment SET attempt = 2")
    before = fleet.rows("SELECT * FROM assignment")
    asked = {
        (target, action_id(campaign, 1)): Effect.OVER,
        (target, action_id(campaign, 3)): Effect.UNKNOWN,
        (target, action_id(campaign + 1, 1)): Effect.UNKNOWN,
        (other, action_id(campaign, 2)): Effect.UNKNOWN,
        (999, action_id(campaign, 2)): Effect.UNKNOWN,
        (target, 0): Effect.UNKNOWN,
    }
    for (vehicle, action), effect in asked.items():
        assert await gateway.say(vehicle, action, "closed", "success") is effect
    assert fleet.rows("SELECT * FROM assignment") == before
    assert fleet.rows(LOG) == [(target, 1, "deployment", "closed", "success", "earlier attempt")]


async def test_a_group_is_recorded_in_its_order_and_each_is_answered(fleet: Fleet, gateway: Gateway) -> None:
    one, two = fleet.add(cars(2))
    campaign = fleet.launch()
    fleet.put(campaign, Target.INSTALLING)
    action = action_id(campaign, 1)
    effects = await gateway.record(
        report(one, action, "closed", "failure"),
        report(two, action, "closed", "success"),
        report(one, action, "closed", "success"),
        report(999, action, "closed", "success"),
        report(two, action, "closed", "success"),
    )
    assert effects == [
        Effect.RECORDED, Effect.RECORDED, Effect.OVER, Effect.UNKNOWN, Effect.RECORDED,
    ]  # fmt: skip
    assert fleet.states(campaign) == {one: "failed", two: "succeeded"}
    assert [row[-1] for row in fleet.rows(LOG)] == ["failed", "succeeded", "late", "repeated"]


async def test_the_log_keeps_a_report_word_for_word(fleet: Fleet, gateway: Gateway) -> None:
    [vehicle] = fleet.add(cars(1))
    campaign = fleet.launch()
    await gateway.admit(vehicle)
    told = report(
        vehicle, action_id(campaign, 1), "a word", "of tomorrow", "späte 'Zeile'", "{}", "", code=-3
    )
    then = datetime(2020, 2, 3, 4, 5, 6, tzinfo=UTC)
    await gateway.record(Report(told.vehicle_id, told.action, told.channel, told.said, then))
    [row] = fleet.rows(
        "SELECT execution, finished, code, details, device_at, effect, received_at > device_at FROM report"
    )
    assert row == ("a word", "of tomorrow", -3, ["späte 'Zeile'", "{}", ""], then, "note", True)
    assert fleet.state(vehicle, campaign) == "offered"


#: The answer on the cancel channel, and what becomes of the update.
CANCELS: list[tuple[tuple[str, str], Effect, str, bool]] = [
    (("closed", "success"), Effect.RECORDED, "cancelled", False),
    (("closed", "none"), Effect.RECORDED, "cancelled", False),
    (("closed", "failure"), Effect.RECORDED, "downloading", False),
    (("rejected", "success"), Effect.RECORDED, "downloading", False),
    (("proceeding", "none"), Effect.RECORDED, "downloading", True),
    (("scheduled", "none"), Effect.RECORDED, "downloading", True),
    (("resumed", "none"), Effect.RECORDED, "downloading", True),
    # "canceled" is no acknowledgement: some clients say it while they go on.
    (("canceled", "success"), Effect.RECORDED, "downloading", True),
]


@pytest.mark.parametrize(("said", "effect", "state", "still_wanted"), CANCELS, ids=str)
async def test_a_vehicle_that_is_asked_to_cancel_does_or_refuses(
    said: tuple[str, str], effect: Effect, state: str, still_wanted: bool, fleet: Fleet, gateway: Gateway
) -> None:
    [vehicle] = fleet.add(cars(1))
    campaign = fleet.launch()
    fleet.put(campaign, Target.DOWNLOADING)
    fleet.shut(campaign, 2, cancel_started=True)
    answer = report(vehicle, action_id(campaign, 1), *said, channel="cancel")
    assert await gateway.record(answer) == [effect]
    assert fleet.state(vehicle, campaign) == state
    assert fleet.value("SELECT cancel_wanted FROM assignment") is still_wanted
    fleet.assert_tally()


@pytest.mark.parametrize("state", sorted(TERMINAL | {Target.DOWNLOADING}), ids=str)
async def test_a_cancel_nobody_asked_for_or_that_comes_too_late_changes_nothing(
    state: Target, fleet: Fleet, gateway: Gateway
) -> None:
    [vehicle] = fleet.add(cars(1))
    campaign = fleet.launch()
    fleet.put(campaign, state)
    answer = report(vehicle, action_id(campaign, 1), "closed", "success", channel="cancel")
    assert await gateway.record(answer) == [Effect.NOT_CANCELLING]
    assert fleet.state(vehicle, campaign) == state


async def test_a_vehicle_asked_to_cancel_may_finish_first(fleet: Fleet, gateway: Gateway) -> None:
    [vehicle] = fleet.add(cars(1))
    campaign = fleet.launch()
    fleet.put(campaign, Target.DOWNLOADING)
    fleet.shut(campaign, 2, cancel_started=True)
    action = action_id(campaign, 1)
    assert await gateway.say(vehicle, action, "closed", "success") is Effect.RECORDED
    assert fleet.rows("SELECT state, cancel_wanted FROM assignment") == [("succeeded", False)]
    late = report(vehicle, action, "closed", "success", channel="cancel")
    assert await gateway.record(late) == [Effect.NOT_CANCELLING]


async def test_no_reports_are_no_work(fleet: Fleet, gateway: Gateway) -> None:
    fleet.add(cars(1))
    fleet.launch()
    before: Any = fleet.everything()
    assert await gateway.record() == []
    assert fleet.everything() == before


#: What the vehicle says with its deferral, and what is kept of it.
PRECONDITIONS = [
    (("deferred: battery_12v 11.4 V",), ("low_battery", "11.4 V")),
    (("vehicle is not parked",), ("not_parked", None)),
    (("whatever",), ("other", None)),
]


@pytest.mark.parametrize(("details", "kept"), PRECONDITIONS)
async def test_a_deferral_keeps_its_reason_and_value_and_the_back_off_doubles(
    details: tuple[str, ...], kept: tuple[str, str | None], fleet: Fleet, gateway: Gateway
) -> None:
    [vehicle] = fleet.add(cars(1))
    fleet.launch()
    waits = []
    for _ in range(3):
        action = (await gateway.admit(vehicle))[vehicle]
        assert await gateway.say(vehicle, action, "rejected", "none", *details) is Effect.RECORDED
        assert fleet.rows("SELECT state, deferral, deferral_value FROM assignment") == [("deferred", *kept)]
        waits.append(fleet.value("SELECT round(extract(epoch FROM not_before - heard_at)) FROM assignment"))
        assert await gateway.admit(vehicle) == {}
        fleet.run("UPDATE assignment SET not_before = clock_timestamp()")
    assert waits == [300, 600, 1200]
    action = (await gateway.admit(vehicle))[vehicle]
    await gateway.begin(vehicle, action)
    assert await gateway.say(vehicle, action, "closed", "success", "installed") is Effect.RECORDED
    assert fleet.rows("SELECT state, deferral, deferral_value FROM assignment") == [("succeeded", *kept)]
    fleet.assert_tally()


async def test_a_success_without_a_fetched_file_is_deferred_as_unproven(
    fleet: Fleet, gateway: Gateway
) -> None:
    [vehicle] = fleet.add(cars(1))
    fleet.launch()
    action = (await gateway.admit(vehicle))[vehicle]
    await gateway.say(vehicle, action, "closed", "success", "low battery: 11 V")
    assert fleet.rows("SELECT deferral, deferral_value FROM assignment") == [("unproven", None)]


@pytest.mark.parametrize("place", [0, 1])
async def test_what_the_database_refuses_is_raised_as_what_it_is_and_nothing_is_recorded(
    place: int, fleet: Fleet, gateway: Gateway
) -> None:
    """The gateway tells one bad report from a database that is away by the kind of the error."""
    ids = fleet.add(cars(2))
    campaign = fleet.launch()
    fleet.put(campaign, Target.INSTALLING)
    action = action_id(campaign, 1)
    group = [report(vehicle, action, "closed", "failure") for vehicle in ids]
    group[place] = report(ids[place], action, "closed", "failure", code=2**40)
    with pytest.raises(DataError):
        await gateway.record(*group)
    assert set(fleet.states(campaign).values()) == {"installing"}
    assert await gateway.say(ids[1 - place], action, "closed", "success") is Effect.RECORDED


async def test_a_report_that_an_installation_goes_on_changes_only_when_it_was_heard(
    fleet: Fleet, gateway: Gateway
) -> None:
    [vehicle] = fleet.add(cars(1))
    fleet.launch()
    action = await gateway.start(vehicle)
    await gateway.say(vehicle, action, "proceeding", "none", "10 % written")
    columns = "to_jsonb(a) - 'heard_at', heard_at"
    [(before, heard)] = fleet.rows(f"SELECT {columns} FROM assignment AS a")
    await gateway.say(vehicle, action, "proceeding", "none", "20 % written")
    [(after, heard_again)] = fleet.rows(f"SELECT {columns} FROM assignment AS a")
    assert after == before
    assert heard_again > heard
    assert fleet.value("SELECT count(*) FROM report") == 3

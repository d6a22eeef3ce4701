"""One vehicle and a server: the whole course of an update, and every kind of fault in it."""

import hashlib

import pytest

from simulator import Kind, Phase, Rule, Script
from tests.simulator.conftest import FleetMaker
from tests.simulator.ddi import PAYLOAD, UPDATE, DdiServer, Seen, said

SUCCESS = [("proceeding", "none"), ("proceeding", "none"), ("closed", "success")]
FAILURE = [("proceeding", "none"), ("proceeding", "none"), ("closed", "failure")]


def always(kind: Kind, **more: object) -> Script:
    return Script(rules=(Rule.model_validate({"share": 1, "kind": kind, **more}),))


async def test_an_update_is_downloaded_installed_and_reported_in_order(
    server: DdiServer, fleet_of: FleetMaker
) -> None:
    async with fleet_of() as fleet:
        await fleet.until(lambda: fleet.totals[Phase.SUCCEEDED] == 1)
    assert server.executions() == SUCCESS
    assert said(server.reports())[:2] == ["Download complete", "installing"]
    (vehicle,) = fleet.installed.values()
    assert vehicle == {"Radar": "1.4.0", "Gateway": "2.1.0"}


async def test_every_request_carries_the_vehicles_token(server: DdiServer, fleet_of: FleetMaker) -> None:
    async with fleet_of(2) as fleet:
        await fleet.until(lambda: fleet.totals[Phase.SUCCEEDED] > 0)
    assert server.seen
    for seen in server.seen:
        assert seen.headers["Authorization"] == f"TargetToken secret-{seen.vin}"


async def test_reports_have_the_shape_of_ddi(server: DdiServer, fleet_of: FleetMaker) -> None:
    async with fleet_of() as fleet:
        await fleet.until(lambda: fleet.totals[Phase.SUCCEEDED] == 1)
    for report in server.reports():
        assert report.headers["Content-Type"] == "application/json"
        assert report.body["timestamp"] > 1_700_000_000_000
        assert isinstance(report.body["status"]["code"], int)


async def test_attributes_go_before_the_update_and_again_with_the_new_version(
    server: DdiServer, fleet_of: FleetMaker
) -> None:
    async with fleet_of() as fleet:
        await server.until(lambda: len(server.requests("PUT")) == 2)
    before, after = server.requests("PUT", "/configData")
    assert server.seen.index(before) < server.seen.index(server.requests("GET", "/deploymentBase/42")[0])
    assert before.body["mode"] == "merge"
    assert before.body["data"] | {"vin": "", "Radar.sw_version": "", "Radar.hw_id": ""} == {
        "vin": "",
        "model": "Model_Y",
        "Radar.hw_id": "",
        "Radar.sw_version": "",
        "Gateway.hw_id": "CONTI-GW-002",
        "Gateway.sw_version": "2.1.0",
    }
    assert before.body["data"]["vin"] == before.vin
    assert before.body["data"]["Radar.sw_version"] in {"1.3.0", "1.3.2"}
    assert after.body["data"]["Radar.sw_version"] == "1.4.0"
    assert fleet.troubles == {}


async def test_attributes_are_not_sent_unasked(server: DdiServer, fleet_of: FleetMaker) -> None:
    server.wants_attributes = server.offers = False
    async with fleet_of():
        await server.until(lambda: len(server.polls()) == 3)
    assert server.requests("PUT") == []


async def test_an_update_that_must_wait_is_left_alone(server: DdiServer, fleet_of: FleetMaker) -> None:
    server.handling = "skip"
    async with fleet_of() as fleet:
        await server.until(lambda: len(server.polls()) == 3)
    assert server.reports() == []
    assert fleet.totals == {Phase.POLLING: 1}


async def test_a_failed_installation_keeps_the_old_software(server: DdiServer, fleet_of: FleetMaker) -> None:
    async with fleet_of(script=always(Kind.FAIL, code=77, message="block 9")) as fleet:
        await fleet.until(lambda: fleet.totals[Phase.FAILED] == 1)
    assert server.executions() == FAILURE
    assert server.reports()[-1].details == ["block 9"]
    assert server.reports()[-1].body["status"]["code"] == 77
    assert fleet.installed.popitem()[1]["Radar"] != "1.4.0"


async def test_a_rollback_is_a_failure_with_words_and_code_of_its_own(
    server: DdiServer, fleet_of: FleetMaker
) -> None:
    async with fleet_of(script=always(Kind.ROLLBACK)) as fleet:
        await fleet.until(lambda: fleet.totals[Phase.ROLLED_BACK] == 1)
    assert server.executions() == FAILURE
    assert server.reports()[-1].details[0].startswith("rolled back: ")
    assert server.reports()[-1].body["status"]["code"] == 4301
    assert fleet.installed.popitem()[1]["Radar"] != "1.4.0"


async def test_a_critical_failure_says_so_first_and_keeps_the_old_software(
    server: DdiServer, fleet_of: FleetMaker
) -> None:
    async with fleet_of(script=always(Kind.CRITICAL)) as fleet:
        await fleet.until(lambda: fleet.totals[Phase.CRITICAL] == 1)
    assert server.executions() == FAILURE
    assert server.reports()[-1].details == ["critical: no brake assist after restart"]
    assert server.reports()[-1].body["status"]["code"] == 4401
    assert fleet.installed.popitem()[1]["Radar"] != "1.4.0"


async def test_a_bricked_vehicle_is_silent_from_the_installation_on(
    server: DdiServer, fleet_of: FleetMaker
) -> None:
    async with fleet_of(script=always(Kind.BRICK)) as fleet:
        await fleet.until(lambda: fleet.totals[Phase.SILENT] == 1)
        (vehicle,) = fleet.vehicles.values()
    assert said(server.reports()) == ["Download complete", "installing"]
    assert server.seen[-1].details == ["installing"]
    assert vehicle.memory.bricked


async def test_a_bricked_vehicle_stays_silent_after_a_restart(
    server: DdiServer, fleet_of: FleetMaker
) -> None:
    async with fleet_of(script=always(Kind.BRICK)) as fleet:
        await fleet.until(lambda: fleet.totals[Phase.SILENT] == 1)
    before = len(server.seen)
    async with fleet_of(memories=fleet.memories) as restarted:
        await restarted.until(lambda: restarted.totals[Phase.SILENT] == 1)
    assert len(server.seen) == before


async def test_a_deferred_update_is_rejected_and_done_when_offered_again(
    server: DdiServer, fleet_of: FleetMaker
) -> None:
    async with fleet_of(script=always(Kind.DEFER, times=2)) as fleet:
        await fleet.until(lambda: fleet.totals[Phase.DEFERRED] == 1)
        await fleet.until(lambda: fleet.totals[Phase.SUCCEEDED] == 1)
    assert server.executions() == [("rejected", "none")] * 2 + SUCCESS
    assert server.reports()[0].details == ["deferred: battery_12v 11.4 V"]


async def test_a_failed_download_installs_nothing(server: DdiServer, fleet_of: FleetMaker) -> None:
    async with fleet_of(script=always(Kind.DOWNLOAD_FAIL)) as fleet:
        await fleet.until(lambda: fleet.totals[Phase.FAILED] == 1)
    assert said(server.reports()) == ["download failed: storage full"]
    assert server.executions() == [("closed", "failure")]


async def test_a_false_success_fetches_and_installs_nothing(server: DdiServer, fleet_of: FleetMaker) -> None:
    async with fleet_of(script=always(Kind.FALSE_SUCCESS)) as fleet:
        await fleet.until(lambda: fleet.totals[Phase.SUCCEEDED] == 1)
    assert server.executions() == [("closed", "success")]
    assert server.requests("GET", "radar.bin") == []
    assert fleet.installed.popitem()[1]["Radar"] != "1.4.0"


async def test_a_success_is_taken_back_after_the_next_poll(server: DdiServer, fleet_of: FleetMaker) -> None:
    async with fleet_of(script=always(Kind.FAIL_AFTER_SUCCESS_POLL)) as fleet:
        await fleet.until(lambda: fleet.totals[Phase.FAILED] == 1)
    assert server.executions() == [*SUCCESS, ("closed", "failure")]
    success, failure = (server.seen.index(report) for report in server.reports()[-2:])
    assert [seen.path for seen in server.seen[success + 1 : failure]] == ["", "/configData"]
    versions = [put.body["data"]["Radar.sw_version"] for put in server.requests("PUT")]
    assert versions == [versions[0], "1.4.0", versions[0]]
    assert fleet.installed.popitem()[1]["Radar"] == versions[0]


async def test_an_update_for_a_missing_ecu_fails_at_once(server: DdiServer, fleet_of: FleetMaker) -> None:
    server.update = {"Camera": "2"}
    async with fleet_of() as fleet:
        await fleet.until(lambda: fleet.totals[Phase.FAILED] == 1)
    assert said(server.reports()) == ["no ECU named Camera"]


async def test_duplicates_are_the_same_body_twice(server: DdiServer, fleet_of: FleetMaker) -> None:
    async with fleet_of(script=Script(duplicate_reports=1)) as fleet:
        await fleet.until(lambda: fleet.totals[Phase.SUCCEEDED] == 1)
    bodies = [report.body for report in server.reports()]
    assert len(bodies) == 6
    assert bodies[0::2] == bodies[1::2]


async def test_out_of_order_repeats_an_old_report_after_the_closing_one(
    server: DdiServer, fleet_of: FleetMaker
) -> None:
    async with fleet_of(script=Script(out_of_order=1)) as fleet:
        await fleet.until(lambda: fleet.totals[Phase.SUCCEEDED] == 1)
    _, installing, closing, late = (report.body for report in server.reports())
    assert late == installing
    assert late["timestamp"] <= closing["timestamp"]


async def test_a_dropped_download_is_resumed_where_it_broke(server: DdiServer, fleet_of: FleetMaker) -> None:
    async with fleet_of(script=Script(dropped_downloads=1)) as fleet:
        await fleet.until(lambda: fleet.totals[Phase.SUCCEEDED] == 1)
    first, second = server.requests("GET", "radar.bin")
    assert "Range" not in first.headers
    assert second.headers["Range"] == f"bytes={len(PAYLOAD) // 2}-"


async def test_a_server_that_cannot_resume_is_heard_from_the_beginning(
    server: DdiServer, fleet_of: FleetMaker
) -> None:
    server.resumes = False
    async with fleet_of(script=Script(dropped_downloads=1)) as fleet:
        await fleet.until(lambda: fleet.totals[Phase.SUCCEEDED] == 1)
    assert len(server.requests("GET", "radar.bin")) == 2


@pytest.mark.parametrize(
    ("sent", "sha256", "words"),
    [
        (PAYLOAD[::-1], None, "sha256 mismatch of radar.bin"),
        (PAYLOAD + b"x", None, "size mismatch of radar.bin"),
        (PAYLOAD, hashlib.sha256(b"").hexdigest(), "sha256 mismatch of radar.bin"),
    ],
)
async def test_a_corrupt_artifact_is_fetched_three_times_and_never_installed(
    server: DdiServer, fleet_of: FleetMaker, sent: bytes, sha256: str | None, words: str
) -> None:
    server.sent, server.sha256 = sent, sha256
    async with fleet_of() as fleet:
        await fleet.until(lambda: fleet.totals[Phase.FAILED] == 1)
    assert len(server.requests("GET", "radar.bin")) == 3
    assert said(server.reports()) == [f"download failed: {words}"]


async def test_a_download_that_ends_early_is_not_complete(server: DdiServer, fleet_of: FleetMaker) -> None:
    def heal(seen: Seen) -> None:
        if "Range" in seen.headers:
            server.sent = None

    server.sent, server.on_request = PAYLOAD[:1000], heal
    async with fleet_of() as fleet:
        await fleet.until(lambda: fleet.totals[Phase.SUCCEEDED] == 1)
    assert server.requests("GET", "radar.bin")[1].headers["Range"] == "bytes=1000-"


async def test_an_update_is_never_installed_twice_for_one_action(
    server: DdiServer, fleet_of: FleetMaker
) -> None:
    server.closes = False
    async with fleet_of() as fleet:
        await server.until(lambda: len(server.reports()) == 5)
        (memory,) = fleet.memories.values()
    assert server.executions() == [*SUCCESS, ("closed", "success"), ("closed", "success")]
    assert len({report.body["timestamp"] for report in server.reports()[2:]}) == 1
    assert memory.flashes == {"Radar 1.4.0": 1}


async def test_a_failed_action_may_be_tried_again(server: DdiServer, fleet_of: FleetMaker) -> None:
    server.closes = False
    async with fleet_of(script=always(Kind.FAIL, times=1)) as fleet:
        await fleet.until(lambda: fleet.totals[Phase.SUCCEEDED] == 1)
    assert server.executions()[:6] == FAILURE + SUCCESS
    assert server.update == UPDATE


async def test_an_owner_who_is_asked_confirms_and_the_update_follows(
    server: DdiServer, fleet_of: FleetMaker
) -> None:
    server.asks = True
    async with fleet_of() as fleet:
        await fleet.until(lambda: fleet.totals[Phase.SUCCEEDED] == 1)
    assert server.answers == ["confirmed"]
    assert server.executions() == SUCCESS


@pytest.mark.parametrize(
    ("script", "word"), [(Script(denials=1), "denied"), (Script(postponements=1), "postponed")]
)
async def test_an_owner_may_say_no_and_nothing_is_begun(
    script: Script, word: str, server: DdiServer, fleet_of: FleetMaker
) -> None:
    server.asks = True
    async with fleet_of(script=script):
        await server.until(lambda: bool(server.answers) and len(server.polls()) > 2)
    assert server.answers == [word]
    assert server.reports() == []

"""Withdrawn offers, cancellations, refusals and broken links."""

import pytest
from structlog.testing import capture_logs

from simulator import Closing, Phase, Script
from tests.simulator.conftest import FleetMaker
from tests.simulator.ddi import ACTION, PAYLOAD, DdiServer, Seen, said


async def test_an_offer_withdrawn_before_it_began_is_forgotten(
    server: DdiServer, fleet_of: FleetMaker
) -> None:
    server.withdrawn = True
    async with fleet_of() as fleet:
        await server.until(lambda: len(server.polls()) == 3)
        assert fleet.totals == {Phase.POLLING: 1}
    assert server.reports() == []


@pytest.mark.parametrize("status", [403, 404, 410])
async def test_a_refused_download_is_no_failure(server: DdiServer, fleet_of: FleetMaker, status: int) -> None:
    server.download_status = status
    async with fleet_of() as fleet:
        await server.until(lambda: len(server.requests("GET", "radar.bin")) == 2)
        assert Phase.FAILED not in fleet.totals
    assert server.reports() == []


async def test_a_vehicle_whose_first_report_is_refused_installs_nothing(
    server: DdiServer, fleet_of: FleetMaker
) -> None:
    server.fails["/feedback"] = [410]
    server.on_request = lambda seen: setattr(server, "offers", not seen.path.endswith("/feedback"))
    async with fleet_of() as fleet:
        await server.until(lambda: len(server.reports()) == 1)
        await server.until(lambda: server.seen[-1].path == "")
    assert said(server.reports()) == ["Download complete"]
    assert fleet.installed.popitem()[1]["Radar"] != "1.4.0"


def cancel_at(server: DdiServer, detail: str | None) -> None:
    """The server wants the action back when the download begins, or when `detail` is reported."""

    def on_request(seen: Seen) -> None:
        reported = seen.method == "POST" and detail is not None and detail in seen.details
        if reported or (detail is None and seen.path.endswith("radar.bin")):
            server.cancels = True

    server.on_request = on_request


async def test_a_cancellation_is_agreed_to_before_the_installation(
    server: DdiServer, fleet_of: FleetMaker
) -> None:
    cancel_at(server, None)
    async with fleet_of(pace=0.1) as fleet:  # a download of 10 s or more, many polls long
        await fleet.until(lambda: fleet.totals[Phase.DOWNLOADING] == 1)
        await fleet.until(lambda: fleet.totals[Phase.POLLING] == 1)
    (answer,) = server.requests("POST", f"cancelAction/{ACTION}/feedback")
    assert answer.execution == ("closed", "success")
    assert server.reports() == []


async def test_a_cancellation_is_rejected_during_the_installation_which_goes_on(
    server: DdiServer, fleet_of: FleetMaker
) -> None:
    cancel_at(server, "installing")
    async with fleet_of(pace=0.5) as fleet:
        await fleet.until(lambda: fleet.totals[Phase.SUCCEEDED] == 1)
    (answer,) = server.requests("POST", f"cancelAction/{ACTION}/feedback")
    assert answer.execution == ("rejected", "none")
    assert server.reports()[-1].execution == ("closed", "success")
    assert server.seen.index(answer) < server.seen.index(server.reports()[-1])


async def test_a_cancellation_of_what_never_began_is_agreed_to(
    server: DdiServer, fleet_of: FleetMaker
) -> None:
    server.cancels = True
    async with fleet_of():
        await server.until(lambda: len(server.requests("POST")) == 1)
    assert server.seen[-1].path == f"/cancelAction/{ACTION}/feedback"
    assert server.seen[-1].execution == ("closed", "success")


async def test_a_cancellation_that_was_itself_withdrawn_is_ignored(
    server: DdiServer, fleet_of: FleetMaker
) -> None:
    def withdraw(seen: Seen) -> None:
        if "cancelAction" in seen.path:
            server.cancels = False

    server.cancels, server.on_request = True, withdraw
    async with fleet_of() as fleet:
        await fleet.until(lambda: fleet.totals[Phase.SUCCEEDED] == 1)
    assert server.requests("POST", f"cancelAction/{ACTION}/feedback") == []


@pytest.mark.parametrize("ending", ["", "/configData", f"deploymentBase/{ACTION}", "radar.bin", "/feedback"])
@pytest.mark.parametrize("status", [401, 429, 500, 503])
async def test_a_passing_trouble_delays_the_update_and_loses_nothing(
    server: DdiServer, fleet_of: FleetMaker, ending: str, status: int
) -> None:
    server.fails[ending] = [status, status]
    async with fleet_of() as fleet:
        await fleet.until(lambda: fleet.totals[Phase.SUCCEEDED] == 1)
        assert fleet.troubles[f"http {status}"] == 2
    assert said(server.reports())[-3:] == ["Download complete", "installing", "installed"]


async def test_a_report_is_repeated_unchanged_until_exactly_200(
    server: DdiServer, fleet_of: FleetMaker
) -> None:
    server.fails["/feedback"] = [503, 204, 202, 429]
    async with fleet_of() as fleet:
        await fleet.until(lambda: fleet.totals[Phase.SUCCEEDED] == 1)
    assert said(server.reports()) == ["Download complete"] * 5 + ["installing", "installed"]
    assert len({report.body["timestamp"] for report in server.reports()[:5]}) == 1


@pytest.mark.parametrize("status", [404, 410])
async def test_a_closing_report_that_is_refused_is_not_repeated(
    server: DdiServer, fleet_of: FleetMaker, status: int
) -> None:
    server.fails["/feedback"] = []

    def refuse_the_last(seen: Seen) -> None:
        if seen.method == "POST" and seen.execution[0] == "closed":
            server.fails["/feedback"], server.offers = [status], False

    server.on_request = refuse_the_last
    async with fleet_of() as fleet:
        await fleet.until(lambda: fleet.totals[Phase.SUCCEEDED] == 1)
        polls = len(server.polls())
        await server.until(lambda: len(server.polls()) == polls + 2)
        (memory,) = fleet.memories.values()
    assert len(server.reports()) == 3
    assert memory.closing is not None
    assert memory.closing.answer == status


async def test_a_refused_poll_is_repeated_no_faster_than_the_fallback_interval(
    server: DdiServer, fleet_of: FleetMaker
) -> None:
    server.fails[""] = [404]
    async with fleet_of() as fleet:
        await fleet.until(lambda: fleet.troubles["http 404"] == 1)
        assert fleet.totals == {Phase.OFFLINE: 1}
        await fleet.until(lambda: fleet.totals[Phase.SUCCEEDED] == 1)


async def test_without_a_gateway_the_fleet_is_offline_and_keeps_trying(
    server: DdiServer, fleet_of: FleetMaker
) -> None:
    server.url = "http://127.0.0.1:9"  # the discard port: nobody listens
    async with fleet_of(3) as fleet:
        await fleet.until(lambda: fleet.troubles["connection"] >= 9)
        assert fleet.totals == {Phase.OFFLINE: 3}


async def test_a_vehicle_polls_at_the_interval_of_the_server_and_not_before(
    server: DdiServer, fleet_of: FleetMaker
) -> None:
    server.offers, server.sleep = False, None
    async with fleet_of() as fleet:
        start = fleet._clock.seconds()
        await server.until(lambda: len(server.polls()) == 3)
        assert fleet._clock.seconds() - start >= 2 * 30 * 0.95


async def test_what_is_installed_survives_a_restart(server: DdiServer, fleet_of: FleetMaker) -> None:
    async with fleet_of() as fleet:
        await fleet.until(lambda: fleet.totals[Phase.SUCCEEDED] == 1)
    async with fleet_of(memories=fleet.memories) as restarted:
        await restarted.until(lambda: restarted.totals[Phase.SUCCEEDED] == 1)
        assert restarted.installed == fleet.installed
    assert len(server.reports()) == 3


async def test_a_closing_report_owed_at_the_stop_is_sent_after_the_restart(
    server: DdiServer, fleet_of: FleetMaker
) -> None:
    server.offers = False
    fleet = fleet_of()
    async with fleet:
        (memory,) = fleet.memories.values()
    memory.closing = Closing(ACTION, Phase.FAILED, 4201, "block 17", 1_700_000_000_000)
    async with fleet_of(memories=fleet.memories):
        await server.until(lambda: len(server.polls()) == 2)
    (report,) = server.reports()
    assert report.execution == ("closed", "failure")
    assert report.body["timestamp"] == 1_700_000_000_000
    assert memory.closing.answer == 200


async def test_a_stop_interrupts_at_once_and_may_be_repeated(server: DdiServer, fleet_of: FleetMaker) -> None:
    async with fleet_of(20, pace=0.001) as fleet:
        await fleet.until(lambda: fleet.totals[Phase.DOWNLOADING] == 20)
        await fleet.stop()
        await fleet.stop()
    seen = len(server.seen)
    assert fleet.installed
    assert len(server.seen) == seen


async def test_a_fleet_shares_few_connections(server: DdiServer, fleet_of: FleetMaker) -> None:
    server.closes, server.payload = False, PAYLOAD[:5000]
    async with fleet_of(100, Script(dropped_downloads=0.5), connections=4) as fleet:
        await fleet.until(lambda: fleet.totals[Phase.SUCCEEDED] == 100)
        assert {memory.flashes["Radar 1.4.0"] for memory in fleet.memories.values()} == {1}


async def test_a_vin_is_logged_at_debug_level_only(server: DdiServer, fleet_of: FleetMaker) -> None:
    with capture_logs() as lines:
        async with fleet_of() as fleet:
            await fleet.until(lambda: fleet.totals[Phase.SUCCEEDED] == 1)
    (vin,) = fleet.vehicles
    assert {line["log_level"] for line in lines if vin in str(line)} == {"debug"}

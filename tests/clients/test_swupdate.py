"""Debian's SWUpdate against the system: what it does, and what the system makes of it."""

from pathlib import Path
from typing import Any

import pytest

from runtime.processes import Processes
from tests.clients.debian import Programs
from tests.clients.fleet import OneVehicle
from tests.clients.keys import Signer
from tests.clients.swupdate import SwUpdate
from tests.clients.wire import Wire
from tests.system.garage import by_state, eventually, stage, until

pytestmark = [pytest.mark.clients, pytest.mark.timeout(180)]

PAYLOAD = bytes(range(256)) * 256  # 64 KiB
DONE = ("proceeding", "none", "All Chunks Installed.")


@pytest.fixture
def car(
    fleet: OneVehicle, programs: Programs, processes: Processes, trusted: Signer, tmp_path: Path
) -> SwUpdate:
    """The vehicle with SWUpdate."""
    return SwUpdate(programs, processes, tmp_path / "car", fleet.vin, fleet.token, trusted)


async def test_an_update_is_verified_installed_and_reported_after_the_reboot(
    fleet: OneVehicle, car: SwUpdate, line: Wire
) -> None:
    launched = await fleet.offer(car.image(PAYLOAD))
    daemon = car.start(line.url)
    await eventually(lambda: DONE in line.feedback())
    assert car.flash.read_bytes() == PAYLOAD
    await fleet.becomes(launched, "installing")
    daemon.stop()
    car.start(line.url, rebooted=True)
    done = await until(fleet.campaigns, launched.workflow_id, stage("Completed"))
    assert by_state(done) == {"succeeded": 1}
    await eventually(lambda: line.feedback()[-1] == ("closed", "success", "Update Installed."))
    assert fleet.radar() == "1.4.0"
    assert line.count("HEAD artifact 200") == line.count("GET artifact 200") == 1
    assert {exchange.status for exchange in line.exchanges} == {200}


async def test_it_identifies_itself_and_does_so_anew_after_an_update(
    fleet: OneVehicle, car: SwUpdate, line: Wire
) -> None:
    daemon = car.start(line.url)
    await eventually(lambda: fleet.reported() is not None)
    assert fleet.reported() == {"vin": fleet.vin, "hwRevision": "1.0"}
    launched = await fleet.offer(car.image(PAYLOAD))
    await eventually(lambda: DONE in line.feedback())
    daemon.stop()
    before = line.count("PUT configData 200")
    car.start(line.url, rebooted=True)
    await fleet.becomes(launched, "succeeded")
    await eventually(lambda: line.count("PUT configData 200") > before)


async def test_a_paused_campaign_shows_no_link_until_it_is_resumed(
    fleet: OneVehicle, car: SwUpdate, line: Wire
) -> None:
    launched = await fleet.offer(car.image(PAYLOAD))
    await fleet.pause(launched)
    car.start(line.url)
    await eventually(lambda: line.count("GET base 200") >= 4)
    assert line.count("(GET|HEAD) (deploymentBase|artifact) .*") == 0
    await fleet.order(launched, "resume")
    await eventually(lambda: DONE in line.feedback())
    assert car.flash.read_bytes() == PAYLOAD


async def test_a_download_under_way_is_finished_in_a_pause(
    fleet: OneVehicle, car: SwUpdate, line: Wire
) -> None:
    launched = await fleet.offer(car.image(PAYLOAD * 64))
    line.slow = True
    car.start(line.url)
    await line.downloading.wait()
    await fleet.pause(launched)
    line.slow = False
    await eventually(lambda: DONE in line.feedback())
    assert car.flash.read_bytes() == PAYLOAD * 64


async def test_a_download_under_way_is_broken_off_by_an_abort_that_cancels(
    fleet: OneVehicle, car: SwUpdate, line: Wire
) -> None:
    launched = await fleet.offer(car.image(PAYLOAD * 64), on_abort="cancel")
    line.slow = True
    line.hold = "GET artifact"
    car.start(line.url)
    await line.waiting.wait()
    line.hold = "POST feedback"  # its next log lines, once it downloads, say that it installs
    await line.downloading.wait()
    await fleet.order(launched, "abort")
    line.hold = ""
    await fleet.becomes(launched, "cancelled")
    await eventually(lambda: line.feedback()[-1] == ("closed", "success", "cancellation acknowledged."))
    assert line.count("POST cancel-feedback 200") == 1
    assert car.flash.stat().st_size < len(PAYLOAD) * 64


async def test_an_abort_that_cancels_leaves_an_installed_update_to_its_reboot(
    fleet: OneVehicle, car: SwUpdate, line: Wire
) -> None:
    launched = await fleet.offer(car.image(PAYLOAD), on_abort="cancel")
    daemon = car.start(line.url)
    await eventually(lambda: DONE in line.feedback())
    await fleet.becomes(launched, "installing")
    await fleet.order(launched, "abort")
    # Asked now, it would acknowledge a cancel of what it has installed.
    polled = line.count("GET base 200")
    await eventually(lambda: line.count("GET base 200") >= polled + 2)
    assert line.count(".* cancel.*") == 0
    daemon.stop()
    car.start(line.url, rebooted=True)
    await fleet.becomes(launched, "succeeded")


async def test_an_abort_that_cancels_reaches_a_vehicle_before_its_download(
    fleet: OneVehicle, car: SwUpdate, line: Wire
) -> None:
    launched = await fleet.offer(car.image(PAYLOAD), on_abort="cancel")
    line.hold = "HEAD artifact"
    car.start(line.url)
    await line.waiting.wait()
    await fleet.order(launched, "abort")
    line.hold = ""
    # It acknowledges the cancel, or takes the refused file for a broken image and closes with a failure.
    await fleet.becomes(launched, "cancelled")
    assert line.count("(HEAD|GET) artifact 20.") == 0
    assert car.flash.read_bytes() == b""


async def test_an_image_signed_by_a_stranger_is_refused_and_counts_as_a_failure(
    fleet: OneVehicle, car: SwUpdate, line: Wire, stranger: Signer
) -> None:
    launched = await fleet.offer(car.image(PAYLOAD, by=stranger))
    car.start(line.url)
    await fleet.becomes(launched, "failed")
    assert car.flash.read_bytes() == b""
    await eventually(lambda: line.feedback()[-1][:2] == ("closed", "failure"))
    assert fleet.radar() != "1.4.0"


async def test_a_file_damaged_on_the_disk_is_never_served(
    fleet: OneVehicle, car: SwUpdate, line: Wire
) -> None:
    content = car.image(PAYLOAD)
    launched = await fleet.offer(content)
    fleet.stored(content).write_bytes(content[:-1] + b"x")
    car.start(line.url)
    await fleet.becomes(launched, "failed")
    assert line.count("(GET|HEAD) artifact 503") >= 1
    assert line.count("(GET|HEAD) artifact 20.") == 0
    assert car.flash.read_bytes() == b""


async def test_a_skipped_update_is_no_success(fleet: OneVehicle, car: SwUpdate, line: Wire) -> None:
    def skip(document: dict[str, Any]) -> dict[str, Any]:
        if "deployment" in document:
            document["deployment"]["update"] = "skip"
        return document

    line.alter = skip
    launched = await fleet.offer(car.image(PAYLOAD))
    car.start(line.url)
    await fleet.becomes(launched, "deferred")
    await eventually(lambda: line.feedback() == [("closed", "success", "Skipped Update.")])
    assert fleet.message(launched) == "claimed success without fetching the artifact: Skipped Update."
    assert fleet.radar() != "1.4.0"


async def test_the_success_of_an_action_never_fetched_is_none_and_the_update_follows(
    fleet: OneVehicle, car: SwUpdate, line: Wire
) -> None:
    launched = await fleet.offer(car.image(PAYLOAD))
    car.start(line.url, rebooted=True)
    await fleet.becomes(launched, "deferred")
    await eventually(lambda: line.feedback() == [("closed", "success", "Update Installed.")])
    assert fleet.radar() != "1.4.0"
    fleet.garage.end_back_offs(launched.status.campaign_id)
    await eventually(lambda: DONE in line.feedback())
    assert car.flash.read_bytes() == PAYLOAD

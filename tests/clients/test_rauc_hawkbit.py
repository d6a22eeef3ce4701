"""rauc-hawkbit with Debian's RAUC against the system: what it does, and what the system makes of it."""

from pathlib import Path

import pytest

from runtime.processes import Processes
from tests.clients.debian import NotAvailable, Programs
from tests.clients.fleet import OneVehicle
from tests.clients.keys import Signer
from tests.clients.rauc import Rauc, needs_mounts, rauc_hawkbit
from tests.clients.wire import Wire
from tests.system.garage import by_state, eventually, stage, until

pytestmark = [pytest.mark.clients, pytest.mark.timeout(180)]

PAYLOAD = bytes(range(256)) * 256  # 64 KiB


@pytest.fixture(scope="module")
def client(programs: Programs, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The update client, from PyPI."""
    try:
        needs_mounts()
        return rauc_hawkbit(programs, tmp_path_factory.mktemp("rauc-hawkbit"))
    except NotAvailable as reason:
        pytest.skip(f"not run: {reason}")


@pytest.fixture
def car(
    fleet: OneVehicle,
    programs: Programs,
    processes: Processes,
    client: str,
    trusted: Signer,
    tmp_path: Path,
) -> Rauc:
    """The vehicle with RAUC."""
    return Rauc(programs, processes, tmp_path / "car", client, fleet.vin, fleet.token, trusted)


async def test_an_update_is_identified_downloaded_verified_installed_and_reported(
    fleet: OneVehicle, car: Rauc, line: Wire
) -> None:
    launched = await fleet.offer(car.bundle(PAYLOAD))
    car.start(line.url)
    done = await until(fleet.campaigns, launched.workflow_id, stage("Completed"))
    assert by_state(done) == {"succeeded": 1}
    assert car.spare.read_bytes()[: len(PAYLOAD)] == PAYLOAD
    assert fleet.reported() == {"MAC": "02:00:00:00:00:01"}
    assert fleet.radar() == "1.4.0"
    assert {exchange.status for exchange in line.exchanges} == {200}


async def test_a_paused_campaign_shows_no_link_until_it_is_resumed(
    fleet: OneVehicle, car: Rauc, line: Wire
) -> None:
    launched = await fleet.offer(car.bundle(PAYLOAD))
    await fleet.pause(launched)
    car.start(line.url)
    await eventually(lambda: line.count("GET base 200") >= 4)
    assert line.count("GET (deploymentBase|artifact) .*") == 0
    await fleet.order(launched, "resume")
    await fleet.becomes(launched, "succeeded")


async def test_it_refuses_to_cancel_and_what_it_installs_all_the_same_is_counted(
    fleet: OneVehicle, car: Rauc, line: Wire
) -> None:
    launched = await fleet.offer(car.bundle(PAYLOAD), on_abort="cancel")
    line.slow, line.hold = True, "POST feedback"
    car.start(line.url)
    await line.downloading.wait()
    await fleet.order(launched, "abort")
    line.slow = False
    await eventually(lambda: line.count("POST cancel-feedback 200") == 1)
    await eventually(lambda: line.feedback() == [("rejected", "success", "Cancelling not supported")])
    await eventually(lambda: line.count("GET deploymentBase 200") == 1)
    line.hold = ""
    await fleet.becomes(launched, "succeeded")
    await eventually(lambda: line.feedback()[-1][:2] == ("closed", "success"))


async def test_a_bundle_signed_by_a_stranger_is_refused_and_counts_as_a_failure(
    fleet: OneVehicle, car: Rauc, line: Wire, stranger: Signer
) -> None:
    launched = await fleet.offer(car.bundle(PAYLOAD, by=stranger))
    car.start(line.url)
    await fleet.becomes(launched, "failed")
    assert not any(car.spare.read_bytes())
    assert ("proceeding", "failure") in {said[:2] for said in line.feedback()}
    await eventually(lambda: line.feedback()[-1][:2] == ("closed", "failure"))
    assert fleet.radar() != "1.4.0"


async def test_a_file_damaged_on_the_disk_is_never_served(fleet: OneVehicle, car: Rauc, line: Wire) -> None:
    content = car.bundle(PAYLOAD)
    launched = await fleet.offer(content)
    fleet.stored(content).write_bytes(content[:-1] + b"x")
    car.start(line.url)
    await eventually(lambda: line.count("GET artifact 503") == 1)
    assert line.feedback() == []  # it waits a minute and comes again
    await fleet.becomes(launched, "offered")
    assert not any(car.spare.read_bytes())

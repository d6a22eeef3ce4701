"""What update clients are known to send, replayed: their headers, their bodies, their order, their quirks.

docs/clients.md has the clients; tests/clients runs the two that can be had as packages.
"""

from collections.abc import Callable

import pytest

from campaign.assignment import Target
from tests.gateway.conftest import NewVehicle
from tests.gateway.talk import CLIENTS, HAWKBIT_RS, RAUC_HAWKBIT, SWUPDATE, UPDATER, Client, Talk
from tests.gateway.world import CONTENT, World

NewTalk = Callable[[Client], Talk]


@pytest.fixture
def talk(new_vehicle: NewVehicle, world: World) -> NewTalk:
    """`talk(client)`: a client whose vehicle is a target."""

    def make(client: Client) -> Talk:
        vehicle, number = new_vehicle()
        action = world.assign(number, world.campaign(world.file("radar.raucb")))
        return Talk(client, vehicle, number, action, world)

    return make


@pytest.fixture(params=list(CLIENTS))
def any_talk(request: pytest.FixtureRequest, talk: NewTalk) -> Talk:
    """Every client in its turn."""
    return talk(CLIENTS[request.param])


# Every client


async def test_the_first_bytes_of_a_file_begin_the_update_and_the_closing_report_ends_it(
    any_talk: Talk,
) -> None:
    await any_talk.look()
    assert (await any_talk.fetch()).body == CONTENT
    assert any_talk.state() is Target.DOWNLOADING
    await any_talk.say("proceeding", "none", "installing")
    await any_talk.say("closed", "success", "done")
    assert any_talk.state() is Target.SUCCEEDED
    assert "deploymentBase" not in await any_talk.poll()


#: What clients say in the end who have installed nothing: told to skip, restarted to confirm an older update,
#: and an own program that only closes.
UNPROVEN = ["Skipped Update.", "Update Installed.", ""]


@pytest.mark.parametrize("detail", UNPROVEN)
async def test_a_success_without_a_download_is_deferred_and_offered_again(
    any_talk: Talk, world: World, detail: str
) -> None:
    await any_talk.look()
    await any_talk.say("closed", "success", detail)
    assert any_talk.state() is Target.DEFERRED
    assert world.value("SELECT count(*) FROM software_change") == 0
    world.run("UPDATE assignment SET not_before = NULL")
    again = (await any_talk.poll())["deploymentBase"]
    assert f"/deploymentBase/{any_talk.action + 1}?" in again


async def test_a_download_and_a_skip_together_are_no_success(any_talk: Talk, world: World) -> None:
    await any_talk.look()
    await any_talk.fetch()
    await any_talk.say("closed", "success", "Skipped Update.")
    assert any_talk.state() is Target.DEFERRED
    message = "claimed success though it skipped the update: Skipped Update."
    assert world.value("SELECT message FROM assignment") == message


async def test_the_success_of_an_older_update_is_not_taken_for_the_newer_one(
    any_talk: Talk, new_vehicle: NewVehicle, world: World
) -> None:
    await any_talk.look()
    await any_talk.fetch()
    await any_talk.say("proceeding", "none", "All Chunks Installed.")
    # It waits for its reboot until nobody believes in it any more, and a newer campaign offers another file.
    world.run("UPDATE assignment SET state = 'silent', finished_at = now()")
    newer = world.campaign(world.file("newer.raucb", b"newer"), name="newer")
    older, any_talk.action = any_talk.action, world.assign(any_talk.number, newer)
    await any_talk.look()
    await any_talk.say("closed", "success", "Update Installed.")
    states = "SELECT string_agg(state, ' ' ORDER BY campaign_id) FROM assignment"
    assert world.value(states) == "silent deferred"
    any_talk.action = older
    await any_talk.say("closed", "success", "Update Installed.")
    assert world.value(states) == "succeeded deferred"


# rauc-hawkbit-updater


async def test_the_updater_tells_twenty_steps_in_a_moment_and_polls_meanwhile(talk: NewTalk) -> None:
    updater = talk(UPDATER)
    await updater.look()
    assert (await updater.fetch()).body == CONTENT
    steps = [f" {step}% Checking bundle" for step in range(0, 100, 5)]
    for detail in ("Download complete. 1.55 MB/s", "File checksum OK.", "installing", *steps, "idle"):
        await updater.say("proceeding", "none", detail)
        await updater.look()
    await updater.say("closed", "success", "Software bundle installed successfully.")
    assert updater.state() is Target.SUCCEEDED


async def test_the_updater_identifies_itself_before_it_looks_at_its_update(
    talk: NewTalk, world: World
) -> None:
    updater = talk(UPDATER)
    world.run("UPDATE vehicle SET config_wanted = true")
    link = (await updater.poll())["configData"]
    status = {"result": {"finished": "success"}, "execution": "closed"}
    body = {"time": "20261123T092431", "status": status, "data": {"hw_revision": "2", "model": "T1"}}
    assert (await updater.send("PUT", link, body)).status == 200
    assert world.value("SELECT reported FROM vehicle") == {"hw_revision": "2", "model": "T1"}
    assert "configData" not in await updater.poll()


async def test_the_updater_asked_to_cancel_ends_its_download_first(talk: NewTalk, world: World) -> None:
    updater = talk(UPDATER)
    await updater.look()
    await updater.fetch()
    world.run("UPDATE assignment SET cancel_wanted = true")
    stop = await updater.send("GET", (await updater.poll())["cancelAction"])
    assert stop.json["cancelAction"]["stopId"] == str(updater.action)
    for detail in ("Download complete. 1.55 MB/s", "File checksum OK."):
        await updater.say("proceeding", "none", detail)
    await updater.say("closed", "success", "Action canceled.", to="cancelAction")
    assert updater.state() is Target.CANCELLED


@pytest.mark.parametrize("name", ["rauc-hawkbit-updater", "rauc-hawkbit"])
async def test_a_client_that_installs_rejects_the_cancel_and_its_success_counts(
    talk: NewTalk, world: World, name: str
) -> None:
    car = talk(CLIENTS[name])
    await car.look()
    await car.fetch()
    await car.say("proceeding", "none", "installing")
    world.run("UPDATE assignment SET cancel_wanted = true")
    await car.say("rejected", "success", "Cancelling not supported", to="cancelAction")
    assert list(await car.poll()) == ["deploymentBase"]
    await car.say("closed", "success", "Software bundle installed successfully.")
    assert car.state() is Target.SUCCEEDED


async def test_the_updater_resumes_a_download_and_asks_beyond_the_end_of_a_whole_one(talk: NewTalk) -> None:
    updater = talk(UPDATER)
    await updater.look()
    rest = await updater.fetch(Range="bytes=100-")
    assert (rest.status, rest.body) == (206, CONTENT[100:])
    beyond = await updater.fetch(Range=f"bytes={len(CONTENT)}-")
    assert (beyond.status, beyond.headers["content-range"]) == (416, f"bytes */{len(CONTENT)}")


async def test_a_streamed_bundle_is_read_in_pieces_and_begins_once(talk: NewTalk, world: World) -> None:
    updater = talk(UPDATER)
    await updater.look()
    begun = set()
    for first in range(0, len(CONTENT), 128):
        piece = await updater.fetch(Range=f"bytes={first}-{first + 127}")
        assert (piece.status, piece.body) == (206, CONTENT[first : first + 128])
        begun.add(world.value("SELECT fetched_at FROM assignment"))
    assert len(begun) == 1
    await updater.say("closed", "success", "Software bundle installed successfully.")
    assert updater.state() is Target.SUCCEEDED


#: How the updater gives up, and the class of its failure.
GIVEN_UP = {
    "Software: radar V1.4.0. Invalid checksum: 0123 expected 4567": Target.FAILED,
    "Failed to install software bundle.": Target.FAILED,
    "Download failed: HTTP request failed: 503": Target.DOWNLOAD_FAILED,
}


@pytest.mark.parametrize("detail", GIVEN_UP)
async def test_the_updater_gives_up_with_a_failure(talk: NewTalk, detail: str) -> None:
    updater = talk(UPDATER)
    await updater.look()
    await updater.fetch()
    await updater.say("closed", "failure", detail)
    assert updater.state() is GIVEN_UP[detail]


async def test_what_is_only_downloaded_is_not_installed(talk: NewTalk) -> None:
    updater = talk(UPDATER)
    await updater.look()
    await updater.fetch()
    await updater.say("downloaded", "success", "Download complete.")
    assert updater.state() is Target.DOWNLOADING
    assert list(await updater.poll()) == ["deploymentBase"]


# rauc-hawkbit


async def test_an_error_on_the_way_is_not_the_end(talk: NewTalk) -> None:
    car = talk(RAUC_HAWKBIT)
    await car.look()
    await car.fetch()
    await car.say("proceeding", "failure", "LastError: signature verification failed")
    assert car.state() is Target.INSTALLING
    await car.say("closed", "failure", "Rauc bundle update completed with result: 1")
    assert car.state() is Target.FAILED


# hawkbit-rs


async def test_hawkbit_rs_says_that_it_downloads_before_it_does_and_closes_without_a_word(
    talk: NewTalk, world: World
) -> None:
    car = talk(HAWKBIT_RS)
    world.run("UPDATE vehicle SET config_wanted = true")
    status = {"execution": "closed", "result": {"finished": "success"}, "details": []}
    body = {"status": status, "mode": None, "data": {"HwRevision": "1.0"}}
    assert (await car.send("PUT", (await car.poll())["configData"], body)).status == 200
    assert world.value("SELECT reported FROM vehicle") == {"HwRevision": "1.0"}
    await car.look()
    await car.say("proceeding", "none", "Downloading")
    assert car.state() is Target.DOWNLOADING
    await car.fetch()
    await car.say("closed", "success")
    assert car.state() is Target.SUCCEEDED


async def test_hawkbit_rs_finds_all_that_its_description_must_have(talk: NewTalk) -> None:
    car = talk(HAWKBIT_RS)
    await car.look()
    assert {"download-http", "md5sum-http"} <= car.artifact["_links"].keys()
    assert car.artifact["hashes"].keys() == {"sha1", "md5", "sha256"}
    assert car.artifact["size"] == len(CONTENT)


async def test_hawkbit_rs_reads_a_cancel_twice_and_may_fail_it(talk: NewTalk, world: World) -> None:
    car = talk(HAWKBIT_RS)
    await car.look()
    await car.fetch()
    world.run("UPDATE assignment SET cancel_wanted = true")
    link = (await car.poll())["cancelAction"]
    assert [(await car.send("GET", link)).status for _ in range(2)] == [200, 200]
    await car.say("closed", "failure", "too late", to="cancelAction")
    assert list(await car.poll()) == ["deploymentBase"]


# SWUpdate


async def test_swupdate_identifies_itself_unasked_with_headers_sent_twice(
    talk: NewTalk, world: World
) -> None:
    car = talk(SWUPDATE)
    headers = [*SWUPDATE.writes.items(), ("charsets", "utf-8"), ("Expect", "100-continue")]
    token = ("Authorization", f"TargetToken {car.vehicle.token}")
    body = (
        b'{"id":"","time":"20261123T092428","status":{"result":{"finished":"success"},'
        b'"execution":"closed","details":[""]},"data":{"vin":"VIN1","hwRevision":"1.0"}}'
    )
    path = f"{car.vehicle.home}/configData"
    answer = await car.vehicle.client.send("PUT", path, data=body, headers=[*headers, token])
    assert answer.status == 200
    assert world.value("SELECT reported FROM vehicle") == {"vin": "VIN1", "hwRevision": "1.0"}


async def test_swupdate_closes_with_a_text_that_is_no_json(talk: NewTalk) -> None:
    car = talk(SWUPDATE)
    await car.look()
    await car.fetch()
    body = (
        b'{"id":%d,"time":"20261123T092431","status":{"result":{"finished":"failure"},'
        b'"execution":"closed","details":["ERROR: no sha1\n in the answer"]}}' % car.action
    )
    answer = await car.vehicle.send(
        "POST", f"/deploymentBase/{car.action}/feedback", data=body, headers=SWUPDATE.writes
    )
    assert answer.status == 200
    assert car.state() is Target.FAILED


async def test_swupdate_sends_its_log_after_the_cancel_was_read(talk: NewTalk, world: World) -> None:
    car = talk(SWUPDATE)
    await car.look()
    await car.say("proceeding", "none", "Installing Update Chunk Artifacts.")
    head = await car.send("HEAD", car.artifact["_links"]["download-http"]["href"])
    assert (head.status, car.state()) == (200, Target.DOWNLOADING)
    await car.fetch()
    world.run("UPDATE assignment SET cancel_wanted = true")
    assert (await car.send("GET", (await car.poll())["cancelAction"])).status == 200
    await car.say("proceeding", "none", "Update log")
    await car.say("closed", "success", "cancellation acknowledged.", to="cancelAction")
    assert car.state() is Target.CANCELLED


#: What a vehicle says that was refused its file because it is to cancel, and what becomes of it.
REFUSED_A_FILE = {
    "No suitable .swu image found": Target.CANCELLED,
    "Download failed: HTTP request failed: 404": Target.CANCELLED,
    "critical: brake warning": Target.CRITICAL,
}


@pytest.mark.parametrize("detail", REFUSED_A_FILE)
async def test_who_is_to_cancel_before_the_first_byte_has_not_failed(
    talk: NewTalk, world: World, detail: str
) -> None:
    car = talk(SWUPDATE)
    await car.look()
    await car.say("proceeding", "none", "Installing Update Chunk Artifacts.")
    world.run("UPDATE assignment SET cancel_wanted = true")
    assert (await car.fetch()).status == 404
    await car.say("closed", "failure", detail)
    assert car.state() is REFUSED_A_FILE[detail]

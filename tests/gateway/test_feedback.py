"""Feedback: 200 means recorded, and nothing else is."""

import asyncio
from collections.abc import Sequence
from itertools import product
from typing import Any

import orjson
import pytest
from psycopg import AsyncConnection
from structlog.testing import capture_logs

from campaign.assignment import Target
from gateway import fleet
from gateway.pool import POOL_MAX
from store import reports
from tests.gateway.conftest import NewVehicle
from tests.gateway.world import World

CLOSED = {"status": {"execution": "closed", "result": {"finished": "success"}}}


async def test_an_update_is_told_from_the_offer_to_the_success(new_vehicle: NewVehicle, world: World) -> None:
    vehicle, number = new_vehicle()
    file = world.file()
    action = world.assign(number, world.campaign(file))
    assert "deploymentBase" in (await vehicle.poll()).link
    path = f"/softwaremodules/{file.id}/artifacts/{file.name}"
    assert (await vehicle.send("GET", path)).body == file.content
    assert world.state(number) is Target.DOWNLOADING
    answer = await vehicle.feedback(action, "proceeding")
    assert (answer.status, answer.body) == (200, b"")
    assert world.state(number) is Target.INSTALLING
    assert (await vehicle.feedback(action, "closed", "success")).status == 200
    assert world.state(number) is Target.SUCCEEDED
    assert "deploymentBase" not in (await vehicle.poll()).link
    # It is described still, and there is nothing to fetch or to do.
    described = await vehicle.send("GET", f"/deploymentBase/{action}")
    [chunk] = described.json["deployment"]["chunks"]
    file = chunk["artifacts"][0]["_links"]["download-http"]["href"]
    assert (await vehicle.send("GET", file)).status == 404
    assert "deploymentBase" not in (await vehicle.poll()).link
    assert world.state(number) is Target.SUCCEEDED


async def test_what_is_over_answers_410_and_what_is_foreign_404(
    new_vehicle: NewVehicle, world: World
) -> None:
    vehicle, number = new_vehicle()
    action = world.assign(number, world.campaign(world.file()), Target.FAILED)
    assert (await vehicle.feedback(action, "proceeding")).status == 410
    assert (await vehicle.feedback(action + 1, "proceeding")).status == 404
    assert (await vehicle.feedback(action, "closed", "success", channel="cancelAction")).status == 405


async def test_a_cancel_is_acknowledged_by_closed_and_undone_by_rejected(
    new_vehicle: NewVehicle, world: World
) -> None:
    vehicle, number = new_vehicle()
    campaign = world.campaign(world.file())
    action = world.assign(number, campaign, Target.DOWNLOADING, cancel_wanted=True)
    answer = await vehicle.feedback(action, "rejected", "success", channel="cancelAction")
    assert answer.status == 200
    assert list((await vehicle.poll()).link) == ["deploymentBase"]
    world.run("UPDATE assignment SET cancel_wanted = true")
    # An update client aborts the transfer and sends its log to the deployment first.
    assert (await vehicle.feedback(action, "proceeding")).status == 200
    answer = await vehicle.feedback(action, "closed", "success", channel="cancelAction")
    assert answer.status == 200
    assert world.state(number) is Target.CANCELLED


async def test_every_word_said_is_kept(new_vehicle: NewVehicle, world: World) -> None:
    vehicle, number = new_vehicle()
    action = world.assign(number, world.campaign(world.file()), Target.DOWNLOADING)
    details = [f"line {place} " + "x" * 400 for place in range(48)]
    status = {"execution": "proceeding", "result": {"finished": "none"}, "code": 7, "details": details}
    body = {"timestamp": 1_627_997_501_890, "status": status}
    assert (await vehicle.send("POST", f"/deploymentBase/{action}/feedback", json=body)).status == 200
    assert world.value("SELECT details FROM report") == details
    assert world.value("SELECT code FROM report") == 7
    assert world.value("SELECT extract(epoch FROM device_at) * 1000 FROM report") == 1_627_997_501_890


#: A vehicle's own words for what went wrong, and the class of its failure.
FAILURES = [
    (["no space left"], Target.FAILED),
    (["Rolled back to slot A"], Target.ROLLED_BACK),
    (["installing", "CRITICAL: brake warning", "rolled back"], Target.CRITICAL),
    (["Failed to download: timeout"], Target.DOWNLOAD_FAILED),
    (["retried: download failed"], Target.FAILED),
]


async def test_a_failure_is_classed_by_the_words_of_the_vehicle(
    new_vehicle: NewVehicle, world: World
) -> None:
    campaign = world.campaign(world.file())
    found = []
    for place, (details, _) in enumerate(FAILURES):
        vehicle, number = new_vehicle(f"5YJYGDEE0MF0003{place:02}")
        action = world.assign(number, campaign, Target.DOWNLOADING)
        status = {"execution": "closed", "result": {"finished": "failure"}, "details": details}
        path = f"/deploymentBase/{action}/feedback"
        assert (await vehicle.send("POST", path, json={"status": status})).status == 200
        found.append(world.value("SELECT state FROM assignment WHERE vehicle_id = :it", it=number))
    assert found == [state for _, state in FAILURES]


async def test_many_reports_at_once_are_each_recorded_once(new_vehicle: NewVehicle, world: World) -> None:
    vehicle, number = new_vehicle()
    action = world.assign(number, world.campaign(world.file()), Target.DOWNLOADING)
    answers = await asyncio.gather(*(vehicle.feedback(action, "proceeding") for _ in range(60)))
    assert {answer.status for answer in answers} == {200}
    assert world.value("SELECT count(*) FROM report") == 60


@pytest.mark.parametrize(
    "text", ["a\\u0000b", "\\ud800", "raw\nline\tend", "\\\\", "'; DROP TABLE report; --"]
)
async def test_odd_texts_are_recorded_and_spoil_no_neighbour(
    new_vehicle: NewVehicle, world: World, text: str
) -> None:
    campaign = world.campaign(world.file())
    odd, number = new_vehicle()
    action = world.assign(number, campaign, Target.DOWNLOADING)
    other, number = new_vehicle("5YJYGDEE0MF000002")
    world.assign(number, campaign, Target.DOWNLOADING)
    body = f'{{"status":{{"execution":"proceeding","result":{{"finished":"none"}},"details":["{text}"]}}}}'
    path = f"/deploymentBase/{action}/feedback"
    answers = await asyncio.gather(
        odd.send("POST", path, data=body.encode(), headers={"Content-Type": "application/json"}),
        other.feedback(action, "proceeding"),
    )
    assert [answer.status for answer in answers] == [200, 200]


MALFORMED: dict[str, tuple[Any, int]] = {
    "empty": (b"", 400),
    "cut": (orjson.dumps(CLOSED)[:-1], 400),
    "two documents": (orjson.dumps(CLOSED) * 2, 400),
    "no object": (b"[]", 400),
    "no status": (b"{}", 400),
    "an unknown word": (orjson.dumps({"status": CLOSED["status"] | {"execution": "done"}}), 400),
    "no result": (b'{"status":{"execution":"closed"}}', 400),
    "deep": (b"[" * 50_000, 400),
    "bytes": (bytes(range(256)), 400),
    "utf-16": (orjson.dumps(CLOSED).decode().encode("utf-16"), 400),
    "a long number": (b"9" * 60_000, 400),
    "too large": (b" " * (64 * 1024) + orjson.dumps(CLOSED), 413),
}


async def test_a_malformed_body_is_refused_and_changes_nothing(new_vehicle: NewVehicle, world: World) -> None:
    vehicle, number = new_vehicle()
    action = world.assign(number, world.campaign(world.file()), Target.INSTALLING)
    headers = {"Content-Type": "application/json"}
    for (name, (body, status)), channel in product(MALFORMED.items(), ("deploymentBase", "cancelAction")):
        answer = await vehicle.send("POST", f"/{channel}/{action}/feedback", data=body, headers=headers)
        assert answer.status == status, name
        assert set(answer.json) == {"exceptionClass", "errorCode", "message"}
    assert world.state(number) is Target.INSTALLING
    assert world.value("SELECT count(*) FROM report") == 0


async def test_a_body_without_a_length_is_bounded_as_well(new_vehicle: NewVehicle, world: World) -> None:
    vehicle, number = new_vehicle()
    action = world.assign(number, world.campaign(world.file()), Target.INSTALLING)

    async def chunks() -> Any:
        for _ in range(80):
            yield b" " * 1024

    path = f"/deploymentBase/{action}/feedback"
    answer = await vehicle.send("POST", path, data=chunks(), headers={"Content-Type": "application/json"})
    assert answer.status == 413


KINDS = [
    ("application/json", 200),
    ("application/json; charset=utf-8", 200),
    ("Application/JSON", 200),
    ("application/hal+json", 415),
    ("application/cbor", 400),
    ("text/plain", 415),
]


async def test_bodies_are_json_unless_they_say_otherwise(new_vehicle: NewVehicle, world: World) -> None:
    vehicle, number = new_vehicle()
    action = world.assign(number, world.campaign(world.file()), Target.INSTALLING)
    body = orjson.dumps({"status": {"execution": "proceeding", "result": {"finished": "none"}}})
    path = f"/deploymentBase/{action}/feedback"
    for kind, status in KINDS:
        answer = await vehicle.send("POST", path, data=body, headers={"Content-Type": kind})
        assert answer.status == status, kind


async def test_a_client_that_waits_for_the_permission_to_send_is_served(
    new_vehicle: NewVehicle, world: World
) -> None:
    vehicle, number = new_vehicle()
    action = world.assign(number, world.campaign(world.file()), Target.INSTALLING)
    answer = await vehicle.send(
        "POST",
        f"/deploymentBase/{action}/feedback",
        json={"status": {"execution": "proceeding", "result": {"finished": "none"}}},
        expect100=True,
    )
    assert answer.status == 200


async def test_feedback_is_posted(new_vehicle: NewVehicle) -> None:
    vehicle, _ = new_vehicle()
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        answer = await vehicle.send(method, "/deploymentBase/129/feedback")
        assert (answer.status, answer.headers["allow"]) == (405, "POST"), method


@pytest.mark.parametrize("execution", ["download", "nonsense"])
async def test_a_report_with_a_token_that_is_no_good_any_more_is_refused_and_not_recorded(
    new_vehicle: NewVehicle, world: World, execution: str
) -> None:
    vehicle, number = new_vehicle()
    action = world.assign(number, world.campaign(world.file()), Target.DOWNLOADING)
    for _ in range(2):  # the second one out of memory
        assert (await vehicle.feedback(action, "download")).status == 200
    world.run("UPDATE vehicle SET token_hash = sha256('another'::bytea)")
    assert (await vehicle.feedback(action, execution)).status == 401
    assert world.value("SELECT count(*) FROM report") == 2


async def test_a_report_in_another_epoch_is_recorded_once_its_proof_is_good_in_that_one(
    new_vehicle: NewVehicle, world: World
) -> None:
    vehicle, number = new_vehicle()
    action = world.assign(number, world.campaign(world.file()), Target.DOWNLOADING)
    for said in range(1, 4):
        assert (await vehicle.feedback(action, "download")).status == 200
        assert world.value("SELECT count(*) FROM report") == said
        world.run("UPDATE epoch SET number = number - 1")


async def test_a_report_that_is_overtaken_each_time_is_told_to_come_back_and_the_database_is_not_called_away(
    new_vehicle: NewVehicle, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    vehicle, number = new_vehicle()
    action = world.assign(number, world.campaign(world.file()), Target.DOWNLOADING)
    with monkeypatch.context() as patched, capture_logs() as logged:
        patched.setattr(reports, "LOCK_AS_READ_SQL", "SELECT refuse_overtaken(false)")
        refused = await vehicle.feedback(action, "download")
    assert refused.status == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert "database_away" not in [line["event"] for line in logged]
    assert world.value("SELECT count(*) FROM report") == 0
    assert (await vehicle.feedback(action, "download")).status == 200


async def test_a_report_that_its_patience_cuts_off_leaves_nothing_and_holds_no_connection(
    new_vehicle: NewVehicle, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    vehicle, number = new_vehicle()
    action = world.assign(number, world.campaign(world.file()), Target.DOWNLOADING)
    assert (await vehicle.feedback(action, "download")).status == 200
    with world.locked_campaigns() as waiting:
        monkeypatch.setattr(fleet, "PATIENCE_SECONDS", 2)
        telling = asyncio.create_task(vehicle.feedback(action, "download"))
        while not (seen := waiting()) and not telling.done():
            await vehicle.poll()
        assert seen
        assert (await telling).status == 503
        assert waiting() == 0
        monkeypatch.setattr(fleet, "PATIENCE_SECONDS", 0.1)
        for _ in range(POOL_MAX):
            assert (await vehicle.feedback(action, "download")).status == 503
    monkeypatch.undo()
    assert (await vehicle.feedback(action, "download")).status == 200
    assert world.value("SELECT count(*) FROM report") == 2


async def test_a_group_that_fails_at_its_end_leaves_nothing_and_spoils_no_connection(
    new_vehicle: NewVehicle, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    vehicle, number = new_vehicle()
    action = world.assign(number, world.campaign(world.file()), Target.DOWNLOADING)
    record = reports.record

    async def spoilt(connection: AsyncConnection, group: Sequence[reports.Report]) -> list[reports.Effect]:
        effects = await record(connection, group)
        await connection.execute("SELECT 1 / 0")  # raised when the commit is waited for
        return effects

    monkeypatch.setattr(reports, "record", spoilt)
    for _ in range(POOL_MAX + 1):
        assert (await vehicle.feedback(action, "download")).status == 500
    monkeypatch.setattr(reports, "record", record)
    assert (await vehicle.feedback(action, "download")).status == 200
    assert world.value("SELECT count(*) FROM report") == 1

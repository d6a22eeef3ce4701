"""Artifacts: the file, whole or in part, for the vehicle that may have it now."""

import asyncio
import hashlib
from dataclasses import dataclass
from typing import Any

import pytest
from psycopg import AsyncConnection

from campaign.assignment import Target
from store.beginning import begin
from tests.gateway.conftest import NewVehicle
from tests.gateway.http import Answer, Vehicle
from tests.gateway.world import CONTENT, File, World

SIZE = len(CONTENT)


@dataclass
class Download:
    """A vehicle with an offer, and the file it is offered."""

    vehicle: Vehicle
    number: int
    file: File

    async def send(self, method: str = "GET", name: str = "", **headers: str) -> Answer:
        path = f"/softwaremodules/{self.file.id}/artifacts/{name or self.file.name}"
        return await self.vehicle.send(
            method, path, headers={key.replace("_", "-"): value for key, value in headers.items()}
        )


@pytest.fixture
def download(new_vehicle: NewVehicle, world: World) -> Download:
    vehicle, number = new_vehicle()
    file = world.file()
    world.assign(number, world.campaign(file), Target.OFFERED)
    return Download(vehicle, number, file)


async def test_the_whole_file_is_served_with_what_clients_check(download: Download, world: World) -> None:
    answer = await download.send()
    assert answer.status == 200
    assert answer.body == CONTENT
    expected = {
        "content-length": str(SIZE),
        "content-type": "application/octet-stream",
        "accept-ranges": "bytes",
        "etag": f'"{download.file.sha1}"',
        "content-disposition": "attachment;filename=radar.swu",
        "x-content-type-options": "nosniff",
    }
    assert {name: answer.headers[name] for name in expected} == expected
    assert "content-encoding" not in answer.headers
    assert world.state(download.number) is Target.DOWNLOADING


async def test_head_tells_the_same_and_starts_nothing(download: Download, world: World) -> None:
    answer = await download.send("HEAD", Accept="application/octet-stream")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-length"] == str(SIZE)
    assert answer.headers["etag"] == f'"{download.file.sha1}"'
    assert world.state(download.number) is Target.OFFERED


PARTS = [
    ("bytes=0-0", 0, 0),
    ("bytes=10-20", 10, 20),
    ("bytes=2000-", 2000, SIZE - 1),
    ("bytes=-48", SIZE - 48, SIZE - 1),
    ("bytes=-99999", 0, SIZE - 1),
    ("bytes=2000-99999", 2000, SIZE - 1),
]


async def test_a_part_is_served(download: Download) -> None:
    for header, first, last in PARTS:
        answer = await download.send(Range=header)
        assert answer.status == 206, header
        assert answer.headers["content-range"] == f"bytes {first}-{last}/{SIZE}"
        assert answer.headers["content-length"] == str(last - first + 1)
        assert answer.body == CONTENT[first : last + 1]


async def test_several_parts_are_served_as_multipart(download: Download) -> None:
    answer = await download.send(Range="bytes=0-9,100-109")
    assert answer.status == 206
    assert answer.headers["content-type"].startswith("multipart/byteranges; boundary=")
    assert CONTENT[:10] in answer.body
    assert CONTENT[100:110] in answer.body
    assert len(answer.body) == int(answer.headers["content-length"])


async def test_a_range_outside_the_file_answers_416_and_starts_nothing(
    download: Download, world: World
) -> None:
    for header in (f"bytes={SIZE}-", "bytes=9-5", "bytes=x-y", "items=0-1", "bytes=-0", "bytes=0-9,5-14"):
        answer = await download.send(Range=header)
        assert answer.status == 416, header
        assert answer.headers["content-range"] == f"bytes */{SIZE}"
    assert world.state(download.number) is Target.OFFERED


async def test_a_resumed_download_gets_the_rest_only_of_the_same_file(download: Download) -> None:
    etag = f'"{download.file.sha1}"'
    modified = (await download.send("HEAD")).headers["last-modified"]
    for mark in (etag, modified):
        assert (await download.send(Range="bytes=10-", If_Range=mark)).status == 206
    other = await download.send(Range="bytes=10-", If_Range='"other"')
    assert (other.status, other.body) == (200, CONTENT)
    beyond = await download.send(Range=f"bytes={SIZE}-", If_Range='"other"')
    assert (beyond.status, beyond.body) == (200, CONTENT)


async def test_if_match_names_the_content_by_its_sha1(download: Download, world: World) -> None:
    assert (await download.send(If_Match='"other"')).status == 412
    assert world.state(download.number) is Target.OFFERED
    assert (await download.send(If_Match=f'"{download.file.sha1}"')).status == 200


async def test_the_md5sum_starts_nothing(download: Download, world: World) -> None:
    answer = await download.send(name="radar.swu.MD5SUM")
    assert answer.body.decode() == f"{download.file.md5}  radar.swu"
    assert world.state(download.number) is Target.OFFERED


async def test_a_download_that_has_not_begun_is_refused_when_the_campaign_stops(
    download: Download, world: World
) -> None:
    world.run("UPDATE campaign SET gate_open = false")
    for method in ("GET", "HEAD"):
        assert (await download.send(method)).status == 404
    assert world.state(download.number) is Target.OFFERED


async def test_no_byte_is_given_when_the_campaign_stops_between_the_look_and_the_begin(
    download: Download, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def too_late(connection: AsyncConnection, vehicle_id: int, action: int, sha256: str) -> bool:
        world.run("UPDATE campaign SET gate_open = false")
        return await begin(connection, vehicle_id, action, sha256)

    monkeypatch.setattr("gateway.fleet.begin", too_late)
    answer = await download.send()
    assert answer.status == 404
    assert answer.json["errorCode"] == "ringmaster.missing"
    assert world.state(download.number) is Target.OFFERED


async def test_a_download_that_has_begun_goes_on_when_the_campaign_stops(
    download: Download, world: World
) -> None:
    assert (await download.send(Range="bytes=0-99")).status == 206
    world.run("UPDATE campaign SET gate_open = false")
    assert (await download.send(Range="bytes=100-")).body == CONTENT[100:]


async def test_files_of_others_other_names_and_other_numbers_are_not_there(
    download: Download, new_vehicle: NewVehicle, world: World
) -> None:
    stranger, _ = new_vehicle("5YJYGDEE0MF000002")
    path = f"/softwaremodules/{download.file.id}/artifacts/"
    assert (await stranger.send("GET", path + download.file.name)).status == 404
    for name in ("other.swu", "radar.swu%00", "..%2Fradar.swu", ".MD5SUM", "%C3%A9"):
        assert (await download.vehicle.send("GET", path + name)).status == 404, name
    for number in (0, download.file.id + 1, "x", 2**31):
        path = f"/softwaremodules/{number}/artifacts/{download.file.name}"
        assert (await download.vehicle.send("GET", path)).status == 404, number
    assert world.state(download.number) is Target.OFFERED


async def test_a_file_that_is_missing_or_damaged_is_no_fault_of_the_vehicle(
    download: Download, world: World
) -> None:
    path = world.artifacts / download.file.sha256
    path.write_bytes(CONTENT[:-1])
    assert (await download.send()).status == 503
    path.unlink()
    answer = await download.send()
    assert answer.status == 503
    assert answer.headers["retry-after"].isdigit()
    assert world.state(download.number) is Target.OFFERED


async def test_a_file_of_the_right_size_and_other_bytes_is_never_served(
    download: Download, world: World
) -> None:
    path = world.artifacts / download.file.sha256
    path.write_bytes(CONTENT[:-1] + b"x")
    for method in ("HEAD", "GET"):
        answer = await download.send(method, Range="bytes=0-99")
        assert (answer.status, CONTENT[:100] in answer.body) == (503, False)
    assert world.state(download.number) is Target.OFFERED
    path.write_bytes(CONTENT)
    assert (await download.send()).body == CONTENT


async def test_a_file_that_is_damaged_after_it_was_served_is_served_no_more(
    download: Download, world: World
) -> None:
    assert (await download.send()).body == CONTENT
    (world.artifacts / download.file.sha256).write_bytes(b"x" + CONTENT[1:])
    assert (await download.send()).status == 503


async def test_a_file_is_read_for_its_hash_once_however_many_ask(
    download: Download, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []
    whole = hashlib.file_digest

    def counting(file: Any, digest: str) -> Any:
        read.append(digest)
        return whole(file, digest)

    monkeypatch.setattr(hashlib, "file_digest", counting)
    answers = await asyncio.gather(*(download.send() for _ in range(20)))
    assert {answer.body for answer in answers} == {CONTENT}
    assert len(read) == 1

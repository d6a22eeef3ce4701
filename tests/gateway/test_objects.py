"""Artifacts in an object store: vehicles are sent there, by links that open one file for a while."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import ClientSession

from campaign.assignment import Target
from campaign.problems import Refused
from store.connect import connect
from store.objects import ObjectStore
from store.packages import known, read_package, register
from tests.gateway.bucket import NAME, SECRET, Bucket, open_bucket
from tests.gateway.conftest import VIN, Gateway
from tests.gateway.http import Answer, Vehicle
from tests.gateway.world import CONTENT, TOKEN, File, World

STORE = f"s3://{NAME}/ota"
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
async def bucket(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bucket]:
    async with open_bucket() as bucket:
        for name, value in bucket.environment.items():
            monkeypatch.setenv(name, value)
        yield bucket


class Download:
    """A vehicle with an offer, whose file is in the bucket and nowhere else."""

    def __init__(self, vehicle: Vehicle, number: int, file: File) -> None:
        self.vehicle, self.number, self.file = vehicle, number, file
        self.key = f"ota/{file.sha256}"

    async def ask(self, method: str = "GET", suffix: str = "") -> Answer:
        path = f"/softwaremodules/{self.file.id}/artifacts/{self.file.name}{suffix}"
        return await self.vehicle.send(method, path, allow_redirects=False)

    async def follow(self, link: str, method: str = "GET", **headers: str) -> Answer:
        session: ClientSession = self.vehicle.client.session
        async with session.request(method, link, headers=headers) as response:
            return Answer(response.status, response.headers, await response.read())


@pytest.fixture
async def download(bucket: Bucket, gateway: Gateway, world: World) -> AsyncIterator[Download]:
    async with gateway(artifact_store=STORE) as client:
        file = world.file()
        (world.artifacts / file.sha256).unlink()
        number = world.vehicle(VIN)
        world.assign(number, world.campaign(file), Target.OFFERED)
        download = Download(Vehicle(client, VIN, TOKEN), number, file)
        bucket.objects[download.key] = CONTENT
        yield download


async def test_a_vehicle_is_sent_to_the_store_and_has_begun(
    download: Download, bucket: Bucket, world: World
) -> None:
    answer = await download.ask()
    assert (answer.status, answer.body) == (302, b"")
    assert answer.headers["location"].startswith(f"{bucket.url}/{NAME}/{download.key}?")
    assert answer.headers["cache-control"] == "no-store"
    assert world.state(download.number) is Target.DOWNLOADING
    whole = await download.follow(answer.headers["location"])
    assert (whole.status, whole.body) == (200, CONTENT)
    part = await download.follow(answer.headers["location"], Range="bytes=2000-")
    assert (part.status, part.body) == (206, CONTENT[2000:])


async def test_head_is_sent_there_too_and_starts_nothing(download: Download, world: World) -> None:
    answer = await download.ask("HEAD")
    assert answer.status == 302
    assert world.state(download.number) is Target.OFFERED
    facts = await download.follow(answer.headers["location"], "HEAD")
    assert (facts.status, facts.headers["content-length"]) == (200, str(len(CONTENT)))
    assert (await download.follow(answer.headers["location"])).status == 403, "a link is for one method"


async def test_the_hash_file_is_the_gateway_s(download: Download) -> None:
    answer = await download.ask(suffix=".MD5SUM")
    assert (answer.status, answer.body.decode()) == (200, f"{download.file.md5}  {download.file.name}")


async def test_a_link_opens_one_file_until_it_expires(download: Download, bucket: Bucket) -> None:
    link = (await download.ask()).headers["location"]
    bucket.objects["ota/other"] = b"another's"
    assert (await download.follow(link.replace(download.file.sha256, "other"))).status == 403
    bucket.ahead = timedelta(minutes=14)
    assert (await download.follow(link)).status == 200
    bucket.ahead = timedelta(minutes=15)
    assert (await download.follow(link)).status == 403


async def test_a_vehicle_without_the_offer_is_sent_nowhere(
    download: Download, bucket: Bucket, world: World
) -> None:
    world.vehicle("5YJYGDEE0MF000002")
    other = Download(replace(download.vehicle, vin="5YJYGDEE0MF000002"), 0, download.file)
    assert (await other.ask()).status == 404
    assert bucket.asked == []


async def test_an_object_is_read_once_however_many_ask(download: Download, bucket: Bucket) -> None:
    answers = await asyncio.gather(*(download.ask() for _ in range(20)))
    assert {answer.status for answer in answers} == {302}
    assert bucket.asked.count(("GET", download.key)) == 1


@pytest.mark.parametrize("content", [b"x" * len(CONTENT), CONTENT[:-1], b"y"])
async def test_no_vehicle_is_sent_to_a_changed_object(
    download: Download, bucket: Bucket, world: World, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    assert (await download.ask("HEAD")).status == 302
    bucket.objects[download.key] = content
    for method in ("HEAD", "GET"):
        answer = await download.ask(method)
        assert answer.status == 503
        assert int(answer.headers["retry-after"]) > 0
    assert world.state(download.number) is Target.OFFERED
    assert "artifact_damaged" in caplog.text
    bucket.objects[download.key] = CONTENT
    assert (await download.ask()).status == 302


async def test_a_store_that_is_away_or_shut_sends_nobody_and_is_asked_again(
    download: Download, bucket: Bucket, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    bucket.closed = True
    assert (await download.ask()).status == 503
    bucket.closed = False
    del bucket.objects[download.key]
    assert (await download.ask()).status == 503
    assert world.state(download.number) is Target.OFFERED
    assert caplog.text.count("artifact_unreadable") == 2
    bucket.objects[download.key] = CONTENT
    assert (await download.ask()).status == 302


async def test_no_link_and_no_secret_is_logged(
    download: Download, bucket: Bucket, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    await download.ask()
    bucket.closed = True
    await download.ask()
    assert "Signature" not in caplog.text
    assert SECRET not in caplog.text


def _register(database: str, folder: Path) -> None:
    source = EXAMPLES / "artifacts"
    with connect(database) as connection:
        package = read_package(EXAMPLES / "winter-package.yaml", source)
        register(connection, package, source, folder, ObjectStore(STORE))


async def test_registration_uploads_the_files_and_may_be_repeated(
    bucket: Bucket, database: str, tmp_path: Path
) -> None:
    for _ in range(2):
        await asyncio.to_thread(_register, database, tmp_path)
    assert bucket.objects == {
        f"ota/{file.name}": file.read_bytes()
        for file in tmp_path.iterdir()  # noqa: ASYNC240  (two small files)
    }


async def test_a_store_that_cannot_be_written_registers_nothing_and_says_how_to_go_on(
    bucket: Bucket, database: str, tmp_path: Path
) -> None:
    bucket.closed = True
    with pytest.raises(Refused, match=rf"{STORE}.*cannot be written.*RINGMASTER_ARTIFACT_STORE") as refused:
        await asyncio.to_thread(_register, database, tmp_path)
    assert SECRET not in str(refused.value)
    with connect(database) as connection:
        assert known(connection) == []

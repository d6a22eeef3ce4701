"""When the database is away: 503, nothing acknowledged, one line in the log, and back by itself."""

import asyncio
import logging

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from campaign.assignment import Target
from gateway.pool import Pool
from store import reports
from tests.gateway.conftest import NewVehicle
from tests.gateway.http import Client
from tests.gateway.world import World


def said(caplog: pytest.LogCaptureFixture, *loggers: str) -> list[str]:
    """The lines of these loggers. (pytest attaches itself to uvicorn's muted access log as well.)"""
    return [record.getMessage() for record in caplog.records if record.name.split(".")[0] in loggers]


def admin(database_url: str, *statements: str) -> None:
    engine = create_engine(database_url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))


async def test_health_is_ok_without_a_token(client: Client) -> None:
    answers = await asyncio.gather(*(client.send("GET", "/health") for _ in range(5)))
    assert [(answer.status, answer.json) for answer in answers] == [(200, {"status": "ok"})] * 5


async def test_the_gateway_survives_an_absence_of_the_database(
    client: Client,
    pool: Pool,
    new_vehicle: NewVehicle,
    world: World,
    database_url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    vehicle, number = new_vehicle()
    action = world.assign(number, world.campaign(world.file()), Target.INSTALLING)
    name = make_url(world.url).database
    pool.timeout = 0.05
    admin(
        database_url,
        f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false',
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
    )
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            for answer in await asyncio.gather(
                vehicle.poll(), vehicle.feedback(action, "closed", "success"), client.send("GET", "/health")
            ):
                assert answer.status == 503
                assert answer.headers["retry-after"].isdigit()
                assert set(answer.json) == {"exceptionClass", "errorCode", "message"}
    told = said(caplog, "gateway")
    assert len(told) == 1
    assert "database_away" in told[0]
    assert vehicle.vin not in "".join(said(caplog, "gateway", "psycopg"))
    admin(database_url, f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    while (await client.send("GET", "/health")).status != 200:
        pass  # each request waits for a connection
    assert world.state(number) is Target.INSTALLING
    assert (await vehicle.poll()).status == 200
    assert (await vehicle.feedback(action, "closed", "failure")).status == 200
    assert world.state(number) is Target.FAILED


async def test_a_group_that_fails_is_not_acknowledged_and_the_sender_may_repeat(
    new_vehicle: NewVehicle, world: World
) -> None:
    vehicle, number = new_vehicle()
    action = world.assign(number, world.campaign(world.file()), Target.DOWNLOADING)
    # The transaction has done its work and fails at the commit.
    world.run(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = 'deadlock_detected'; END $$;"
        "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON report DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    assert (await vehicle.feedback(action, "closed", "failure")).status == 503
    assert world.state(number) is Target.DOWNLOADING
    world.run("DROP TRIGGER refuse ON report")
    assert (await vehicle.feedback(action, "closed", "failure")).status == 200
    assert world.state(number) is Target.FAILED


async def test_a_fault_of_ours_is_500_and_the_log_has_the_cause_without_the_vin(
    new_vehicle: NewVehicle, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    vehicle, _ = new_vehicle()

    async def broken(*_: object) -> list[reports.Effect]:
        raise KeyError("the details")

    monkeypatch.setattr(reports, "record", broken)
    answer = await vehicle.feedback(129, "closed", "success")
    assert answer.status == 500
    assert "the details" not in answer.body.decode()
    told = [record for record in caplog.records if record.name == "gateway.resource"]
    assert [record.levelname for record in told] == ["ERROR"]
    assert told[0].exc_info
    assert vehicle.vin not in "".join(said(caplog, "gateway"))

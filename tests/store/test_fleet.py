"""Looking at the fleet, and issuing tokens, against PostgreSQL."""

import hashlib
import json
import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, select

from campaign.problems import Refused
from simulator.asbuilt import as_built
from store.connect import Connection, connect, engine
from store.fleet import (
    Filter,
    Issued,
    ask_configuration,
    fleet_size,
    gateway_token,
    issue_tokens,
    revoke_tokens,
    vehicle,
    vehicles,
)
from store.fleet_import import import_fleet
from store.tables import AssignmentRow, CampaignRow, PhaseRow, SoftwareChange, VehicleRow

FLEET = list(as_built(30, seed=5, models={"Model_Y": 0.5, "Model_3": 0.5}))
THEN = datetime(2026, 11, 1, tzinfo=UTC)
VINS = sorted(record["vin"] for record in FLEET)


@pytest.fixture
def connection(database: str, tmp_path: Path) -> Iterator[Connection]:
    fleet = tmp_path / "fleet.json"
    fleet.write_text(json.dumps(FLEET))
    with connect(database) as opened:
        import_fleet(opened, fleet)
        yield opened


def matching(**wanted: str) -> list[str]:
    def fits(record: dict[str, Any]) -> bool:
        group = wanted.get("group")
        facts = {key: value for key, value in wanted.items() if key != "group"}
        return facts.items() <= record.items() and (group is None or group in record["groups"])

    return sorted(record["vin"] for record in FLEET if fits(record))


@pytest.mark.parametrize(
    "wanted",
    [
        {}, {"model": "Model_Y"}, {"country": "US"}, {"region": "EU"}, {"group": "volunteers"},
        {"model": "Model_3", "region": "NA"}, {"model": "nothing like it"},
    ],
    ids=str,
)  # fmt: skip
def test_a_filter_takes_those_equal_in_every_value_given(
    wanted: dict[str, str], connection: Connection
) -> None:
    assert [row["vin"] for row in vehicles(connection, Filter(**wanted))] == matching(**wanted)
    assert fleet_size(connection, Filter(**wanted)) == len(matching(**wanted))


def test_a_list_is_limited_and_the_size_is_not(connection: Connection) -> None:
    assert [row["vin"] for row in vehicles(connection, limit=3)] == VINS[:3]
    assert fleet_size(connection) == 30


def _campaign_updates(url: str, vin: str) -> None:
    """The rows of a campaign that tried this vehicle."""
    store = engine(url)
    with Session(store) as session:
        vehicle_id = session.exec(select(VehicleRow.id).where(VehicleRow.vin == vin)).one() or 0
        campaign = CampaignRow(
            name="Winter", workflow_id="w", first_run_id="r", priority=1, definition={}, digest="d",
            package={}, created_at=THEN,
        )  # fmt: skip
        session.add(campaign)
        session.flush()
        number = campaign.id or 0
        session.add(
            PhaseRow(
                campaign_id=number,
                number=1,
                name="canary",
                guards=[],
                limits={},
                overdue_after=timedelta(hours=3),
            )
        )
        session.add(
            AssignmentRow(
                vehicle_id=vehicle_id, campaign_id=number, phase=1, configuration_id=1, state="failed",
                attempt=2, code=7, message="no space",
            )
        )  # fmt: skip
        session.add(
            SoftwareChange(
                vehicle_id=vehicle_id, campaign_id=number, ecu="Radar", from_version="1.3.0",
                to_version="1.4.0", source="campaign", at=THEN,
            )
        )  # fmt: skip
        session.commit()
    store.dispose()


def test_a_vehicle_shows_what_it_has_and_what_it_was_built_with(
    connection: Connection, database: str
) -> None:
    record = FLEET[0]
    vin = record["vin"]
    _campaign_updates(database, vin)
    connection.execute("UPDATE ecu SET sw_version = '1.4.0' FROM vehicle WHERE id = vehicle_id AND vin = %s "
                       "AND name = 'Radar'", (vin,))  # fmt: skip
    found = vehicle(connection, vin.lower())
    assert {ecu["name"]: (ecu["hw_id"], ecu["now"], ecu["built"]) for ecu in found["ecus"]} == {
        ecu["name"]: (
            ecu["hw_id"],
            "1.4.0" if ecu["name"] == "Radar" else ecu["sw_version"],
            ecu["sw_version"],
        )
        for ecu in record["ecus"]
    }
    assert found["groups"] == record["groups"]
    assert found["assignments"] == [
        {"campaign": "Winter", "phase": "canary", "state": "failed", "attempt": 2, "code": 7,
         "message": "no space", "deferral": None, "deferral_value": None},
    ]  # fmt: skip
    [change] = found["history"]
    assert (change["ecu"], change["from"], change["to"], change["campaign"]) == (
        "Radar", "1.3.0", "1.4.0", "Winter",
    )  # fmt: skip
    assert (found["reported"], found["has_token"]) == (None, False)


def test_an_unknown_vin_is_refused(connection: Connection) -> None:
    with pytest.raises(Refused, match="there is no such vehicle"):
        vehicle(connection, "WVWZZZ1JZXW000001")


def tokens(path: Path) -> dict[str, str]:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return {line["vin"]: line["token"] for line in lines}


def hashes(connection: Connection) -> dict[str, bytes]:
    query = "SELECT vin, token_hash FROM vehicle WHERE token_hash IS NOT NULL"
    return dict(connection.execute(query).fetchall())


def test_every_vehicle_gets_a_token_and_the_database_only_its_hash(
    connection: Connection, tmp_path: Path
) -> None:
    out = tmp_path / "tokens.jsonl"
    assert issue_tokens(connection, out) == Issued(30, 0)
    issued = tokens(out)
    assert sorted(issued) == VINS
    assert {len(token) for token in issued.values()} == {32}
    assert len(set(issued.values())) == 30
    assert hashes(connection) == {
        vin: hashlib.sha256(token.encode()).digest() for vin, token in issued.items()
    }


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such permission bits")
def test_only_its_owner_reads_the_file_of_tokens(connection: Connection, tmp_path: Path) -> None:
    issue_tokens(connection, tmp_path / "tokens")
    assert stat.S_IMODE((tmp_path / "tokens").stat().st_mode) == 0o600


def test_a_vehicle_keeps_its_token_unless_it_is_renewed(connection: Connection, tmp_path: Path) -> None:
    first, rest, new = tmp_path / "first", tmp_path / "rest", tmp_path / "new"
    assert issue_tokens(connection, first, [VINS[0].lower(), VINS[1], VINS[1]]) == Issued(2, 0)
    before = hashes(connection)
    assert issue_tokens(connection, rest) == Issued(28, 2)
    assert tokens(rest).keys() == set(VINS[2:])
    assert before.items() <= hashes(connection).items()
    assert issue_tokens(connection, new, VINS[:1], renew=True) == Issued(1, 0)
    assert hashes(connection)[VINS[0]] != before[VINS[0]]
    assert hashes(connection)[VINS[1]] == before[VINS[1]]


def admitted(connection: Connection, token: str, at: str = "now()") -> list[str]:
    """Whom a token lets in: the hashes the gateway compares with, read as it reads them."""
    query = f"""
    SELECT vin FROM vehicle WHERE token_hash = %(hash)s
        OR former_token_hash = %(hash)s AND former_token_until > {at}
    """
    found = connection.execute(query.encode(), {"hash": hashlib.sha256(token.encode()).digest()})
    return [vin for (vin,) in found]


def test_a_replaced_token_is_good_for_the_overlap_and_no_longer(
    connection: Connection, tmp_path: Path
) -> None:
    for name, overlap in (("a", timedelta(0)), ("b", timedelta(hours=2)), ("c", timedelta(0))):
        issue_tokens(connection, tmp_path / name, VINS[:1], renew=True, overlap=overlap)
        issued = tokens(tmp_path / name)[VINS[0]]
        assert admitted(connection, issued) == VINS[:1]
        if name == "b":
            former = tokens(tmp_path / "a")[VINS[0]]
            assert admitted(connection, former) == VINS[:1]
            assert admitted(connection, former, "now() + interval '119 minutes'") == VINS[:1]
            assert admitted(connection, former, "now() + interval '121 minutes'") == []
    assert admitted(connection, tokens(tmp_path / "b")[VINS[0]]) == []


def test_a_first_token_has_no_former_one(connection: Connection, tmp_path: Path) -> None:
    issue_tokens(connection, tmp_path / "a", VINS[:1], renew=True, overlap=timedelta(hours=2))
    query = "SELECT count(*) FROM vehicle WHERE former_token_until IS NOT NULL"
    assert connection.execute(query).fetchone() == (0,)


def test_a_revoked_token_lets_nobody_in_and_neither_does_the_former_one(
    connection: Connection, tmp_path: Path
) -> None:
    issue_tokens(connection, tmp_path / "a", VINS[:3])
    issue_tokens(connection, tmp_path / "b", VINS[:3], renew=True, overlap=timedelta(hours=2))
    assert revoke_tokens(connection, [VINS[0].lower(), VINS[1], VINS[5]]) == 2
    for name in ("a", "b"):
        each = [admitted(connection, tokens(tmp_path / name)[vin]) for vin in VINS[:3]]
        assert each == [[], [], VINS[2:3]]
    with pytest.raises(Refused, match="WVWZZZ1JZXW000001: there is no such vehicle"):
        revoke_tokens(connection, [VINS[2], "WVWZZZ1JZXW000001"])
    assert VINS[2] in hashes(connection)


def test_vehicles_are_asked_for_their_configuration_once(connection: Connection) -> None:
    connection.execute("UPDATE vehicle SET config_wanted = false")
    assert ask_configuration(connection, [VINS[0].lower(), VINS[1]]) == 2
    assert ask_configuration(connection, VINS[:3]) == 1
    with pytest.raises(Refused, match="WVWZZZ1JZXW000001: there is no such vehicle"):
        ask_configuration(connection, [VINS[3], "WVWZZZ1JZXW000001"])
    asked = connection.execute("SELECT vin FROM vehicle WHERE config_wanted ORDER BY vin").fetchall()
    assert [vin for (vin,) in asked] == sorted(VINS[:3])


def test_a_gateway_token_is_in_its_file_alone(connection: Connection, tmp_path: Path) -> None:
    digest = gateway_token(tmp_path / "token")
    assert hashlib.sha256((tmp_path / "token").read_text().strip().encode()).digest() == digest
    with pytest.raises(Refused, match="exists already"):
        gateway_token(tmp_path / "token")


def test_an_unknown_vin_gets_no_token_and_neither_does_any_other(
    connection: Connection, tmp_path: Path
) -> None:
    with pytest.raises(Refused, match="WVWZZZ1JZXW000001: there is no such vehicle"):
        issue_tokens(connection, tmp_path / "out", [VINS[0], "WVWZZZ1JZXW000001"])
    assert hashes(connection) == {}
    assert not (tmp_path / "out").exists()


def test_a_file_of_tokens_is_never_written_over(connection: Connection, tmp_path: Path) -> None:
    out = tmp_path / "out"
    issue_tokens(connection, out, VINS[:1])
    before = out.read_text()
    with pytest.raises(Refused, match="exists already"):
        issue_tokens(connection, out, renew=True)
    assert out.read_text() == before
    assert len(hashes(connection)) == 1


def test_tokens_that_did_not_become_valid_leave_no_file(connection: Connection, tmp_path: Path) -> None:
    connection.execute("ALTER TABLE vehicle ADD CHECK (token_hash IS NULL)")
    with pytest.raises(Exception, match="check constraint"):
        issue_tokens(connection, tmp_path / "out")
    assert not (tmp_path / "out").exists()

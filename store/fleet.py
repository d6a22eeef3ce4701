"""The fleet as it is stored: listed, shown vehicle by vehicle, and given its tokens."""

import hashlib
import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TextIO

import orjson
from psycopg.rows import dict_row

from campaign.ecu_results import EcuResult, latest, read_ecu_results
from campaign.problems import Problem, Refused
from store.connect import Connection

#: 24 random bytes are 32 characters: what clients of the protocol are known to take.
TOKEN_BYTES = 24

TOKEN_BATCH = 10_000

_MATCHES = """
(%(model)s::text IS NULL OR model = %(model)s)
AND (%(country)s::text IS NULL OR country = %(country)s)
AND (%(region)s::text IS NULL OR region = %(region)s)
AND (%(group)s::text IS NULL OR %(group)s = ANY (groups))
"""


@dataclass(frozen=True)
class Filter:
    """Which vehicles: those equal in every value given; ``group`` is one they belong to."""

    model: str | None = None
    country: str | None = None
    region: str | None = None
    group: str | None = None


#: A new token takes the place of the one in use; the former one stays good for a while, or is forgotten.
_REPLACE = """
UPDATE vehicle SET token_hash = issued.hash,
    former_token_hash = CASE WHEN %(overlap)s > interval '0' THEN token_hash END,
    former_token_until = CASE WHEN %(overlap)s > interval '0' AND token_hash IS NOT NULL
        THEN clock_timestamp() + %(overlap)s END
FROM issued WHERE vehicle.id = issued.id
"""

_REVOKE = """
UPDATE vehicle SET token_hash = NULL, former_token_hash = NULL, former_token_until = NULL
WHERE vin = ANY(%s) AND (token_hash IS NOT NULL OR former_token_hash IS NOT NULL)
"""


@dataclass(frozen=True)
class Issued:
    """How many vehicles got a token, and how many had one and kept it."""

    issued: int
    kept: int


def fleet_size(connection: Connection, wanted: Filter | None = None) -> int:
    """How many vehicles match."""
    query = f"SELECT count(*) FROM vehicle WHERE {_MATCHES}"
    row = connection.execute(query.encode(), vars(wanted or Filter())).fetchone()
    return int(row[0]) if row else 0


def vehicles(
    connection: Connection, wanted: Filter | None = None, *, limit: int = 50
) -> list[dict[str, Any]]:
    """The first ``limit`` matching vehicles by VIN.

    Each with ``vin``, ``model``, ``build_date``, ``country``, ``region``, ``groups``, ``ecus`` (a count).
    """
    query = f"""
    SELECT vin, model, build_date, country, region, groups,
           (SELECT count(*) FROM ecu WHERE ecu.vehicle_id = vehicle.id) AS ecus
    FROM vehicle WHERE {_MATCHES} ORDER BY vin LIMIT %(limit)s
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query.encode(), vars(wanted or Filter()) | {"limit": limit}).fetchall()


def vehicle(connection: Connection, vin: str) -> dict[str, Any]:
    """Everything known of one vehicle.

    ``ecus``: name, hw_id, now, built. ``ecu_results``: the last word on each ECU of each campaign's last
    attempt, by the vehicle's reports: campaign, ecu, result, version, code, text. ``assignments``, latest
    first: campaign, phase, state, attempt, code, message, deferral, deferral_value. ``history``, latest
    first: ecu, from, to, campaign, source, at. ``reported``: the last configuration it sent. ``has_token``:
    whether it was issued one.

    Raises:
        Refused: there is no vehicle of this VIN.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(_VEHICLE, (vin.strip().upper(),)).fetchone()
        if found is None:
            cure = "there is no such vehicle; `fleet list` shows those imported"
            raise Refused([Problem("vin", repr(vin), cure)], subject="vehicle")
        key = (found.pop("id"),)
        found["ecus"] = cursor.execute(_ECUS, key).fetchall()
        found["assignments"] = cursor.execute(_ASSIGNMENTS, key).fetchall()
        found["ecu_results"] = [
            _as_row(row["campaign"], result)
            for row in cursor.execute(_DETAILS, key).fetchall()
            for result in latest(read_ecu_results(row["details"])).values()
        ]
        found["history"] = cursor.execute(_HISTORY, key).fetchall()
        return found


def _as_row(campaign: str, result: EcuResult) -> dict[str, Any]:
    word = "success" if result.succeeded else "failure"
    said = {"version": result.version, "code": result.code, "text": result.text}
    return {"campaign": campaign, "ecu": result.ecu, "result": word} | said


_VEHICLE = """
SELECT id, vin, model, build_date, country, region, timezone, groups, install_window,
       update_preference, attributes,
       reported, reported_at, token_hash IS NOT NULL AS has_token, imported_at
FROM vehicle WHERE vin = %s
"""

_ECUS = """
SELECT name, hw_id, sw_version AS now, built_version AS built FROM ecu WHERE vehicle_id = %s ORDER BY name
"""

_ASSIGNMENTS = """
SELECT c.name AS campaign, p.name AS phase, a.state, a.attempt, a.code, a.message, a.deferral,
       a.deferral_value
FROM assignment AS a
JOIN campaign AS c ON c.id = a.campaign_id
LEFT JOIN phase AS p ON p.campaign_id = a.campaign_id AND p.number = a.phase
WHERE a.vehicle_id = %s ORDER BY a.campaign_id DESC
"""

#: All that was said of the last attempt, in the order in which it came.
_DETAILS = """
SELECT c.name AS campaign, array_agg(line.text ORDER BY r.id, line.place) AS details
FROM assignment AS a JOIN campaign AS c ON c.id = a.campaign_id
JOIN report AS r ON r.vehicle_id = a.vehicle_id AND r.campaign_id = a.campaign_id AND r.attempt = a.attempt,
     unnest(r.details) WITH ORDINALITY AS line (text, place)
WHERE a.vehicle_id = %s AND line.text LIKE 'ecu=%%' GROUP BY c.id ORDER BY c.id DESC
"""

_HISTORY = """
SELECT s.ecu, s.from_version AS "from", s.to_version AS "to", c.name AS campaign, s.source, s.at
FROM software_change AS s LEFT JOIN campaign AS c ON c.id = s.campaign_id
WHERE s.vehicle_id = %s ORDER BY s.id DESC
"""


def issue_tokens(
    connection: Connection,
    out: Path,
    vins: Sequence[str] | None = None,
    *,
    renew: bool = False,
    overlap: timedelta = timedelta(0),
) -> Issued:
    """Give vehicles their token and write JSON Lines ``{"vin", "token"}`` to a new file only its owner reads.

    The database keeps the sha256 of a token alone: this file is the one place that has it.

    Args:
        connection: autocommitting; all tokens become valid in one transaction, after the file is on disk.
        out: must not exist.
        vins: which vehicles; None for all.
        renew: also replace the tokens of vehicles that have one.
        overlap: how long a replaced token stays good beside the new one; 0 locks out at once whoever uses it.

    Raises:
        Refused: a VIN is unknown, or the file exists or cannot be written; no token was changed.
    """
    wanted = None if vins is None else sorted({vin.strip().upper() for vin in vins})
    with connection.transaction():
        if wanted is not None:
            _refuse_unknown(connection, wanted)
        file = _private_file(out)
        try:
            with file:
                issued = _write_tokens(connection, file, wanted, renew)
                file.flush()
                os.fsync(file.fileno())
            connection.execute(_REPLACE, {"overlap": overlap})
            connection.execute("DROP TABLE issued")
        except BaseException:
            out.unlink()
            raise
    matching = fleet_size(connection) if wanted is None else len(wanted)
    return Issued(issued, matching - issued)


def revoke_tokens(connection: Connection, vins: Sequence[str]) -> int:
    """Take vehicles their tokens, the former one too, and so the access by token. Returns how many had one.

    Raises:
        Refused: a VIN is unknown; nothing was changed.
    """
    wanted = sorted({vin.strip().upper() for vin in vins})
    with connection.transaction():
        _refuse_unknown(connection, wanted)
        return connection.execute(_REVOKE, (wanted,)).rowcount


def ask_configuration(connection: Connection, vins: Sequence[str]) -> int:
    """Ask vehicles for their configuration, until they have sent it. Returns how many were not asked before.

    Raises:
        Refused: a VIN is unknown; nothing was changed.
    """
    wanted = sorted({vin.strip().upper() for vin in vins})
    with connection.transaction():
        _refuse_unknown(connection, wanted, subject="configuration")
        query = "UPDATE vehicle SET config_wanted = true WHERE vin = ANY(%s) AND NOT config_wanted"
        return connection.execute(query, (wanted,)).rowcount


def gateway_token(out: Path) -> bytes:
    """Write a new token to a new file that only its owner reads; returns its sha256. Nothing is stored.

    Raises:
        Refused: the file exists or cannot be written.
    """
    token = secrets.token_urlsafe(TOKEN_BYTES)
    with _private_file(out) as file:
        file.write(token + "\n")
    return hashlib.sha256(token.encode()).digest()


def _refuse_unknown(connection: Connection, vins: Sequence[str], subject: str = "tokens") -> None:
    known = {vin for (vin,) in connection.execute("SELECT vin FROM vehicle WHERE vin = ANY(%s)", (vins,))}
    if unknown := [vin for vin in vins if vin not in known]:
        more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
        problem = Problem("vin", ", ".join(unknown[:3]) + more, "there is no such vehicle; import it first")
        raise Refused([problem], subject=subject)


def _private_file(path: Path) -> TextIO:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        cure = "exists already; give a new file, tokens are never written over others"
        raise Refused([Problem(str(path), "", cure)], subject="tokens") from None
    except OSError as error:
        cure = f"cannot be written: {error.strerror}"
        raise Refused([Problem(str(path), "", cure)], subject="tokens") from error
    return os.fdopen(descriptor, "w", encoding="utf-8")


def _write_tokens(connection: Connection, file: TextIO, vins: Sequence[str] | None, renew: bool) -> int:
    """Write the tokens to the file and their hashes to the temporary table ``issued``; returns how many."""
    connection.execute("CREATE TEMPORARY TABLE issued (id int PRIMARY KEY, hash bytea NOT NULL)")
    count = 0
    with connection.cursor() as copying:
        for batch in _vehicles_for_tokens(connection, vins, renew):
            with copying.copy("COPY issued (id, hash) FROM STDIN") as copy:
                for vehicle_id, vin in batch:
                    token = secrets.token_urlsafe(TOKEN_BYTES)
                    file.write(orjson.dumps({"vin": vin, "token": token}).decode() + "\n")
                    copy.write_row((vehicle_id, hashlib.sha256(token.encode()).digest()))
            count += len(batch)
    return count


def _vehicles_for_tokens(
    connection: Connection, vins: Sequence[str] | None, renew: bool
) -> Iterator[list[tuple[int, str]]]:
    """Batches of (id, VIN); the rows are locked in the order of the ids until the transaction ends."""
    query = """
    SELECT id, vin FROM vehicle
    WHERE (%(vins)s::text[] IS NULL OR vin = ANY (%(vins)s)) AND (%(renew)s OR token_hash IS NULL)
    ORDER BY id FOR NO KEY UPDATE
    """
    with connection.cursor(name="vehicles_for_tokens") as cursor:
        cursor.execute(query, {"vins": vins, "renew": renew})
        while rows := cursor.fetchmany(TOKEN_BATCH):
            yield rows

"""As-built records into the database: streamed, validated, merged set by set, safe to repeat.

A record that did not change since its last import touches nothing. Of a changed one, an ECU's software is set
only where the record's own word on that ECU changed: what a campaign installed since is never taken back.
Each batch is one transaction; an import cut in the middle and started again ends with the same rows.
"""

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from campaign.problems import Problem
from store.connect import Connection
from store.fleet_records import Found, open_fleet_file, records
from store.fleet_rows import COLUMNS, Batch, Refusal, batch

#: Keeps memory flat and loses little against one transaction for all.
BATCH_RECORDS = 10_000

#: A file of the wrong kind must not fill the memory with refusals; they are all counted.
KEPT_REFUSALS = 1_000

#: Any number of ours: two imports at once take turns, batch by batch, instead of waiting crosswise for rows.
IMPORT_LOCK = 0x464C4545


@dataclass
class Imported:
    """What an import did, in vehicles; ``refusals`` are the first `KEPT_REFUSALS` of ``refused``."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: int = 0
    refusals: list[Refusal] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """A JSON object of the counts and the kept refusals."""
        counts = {name: getattr(self, name) for name in ("inserted", "updated", "unchanged", "refused")}
        return counts | {"refusals": [refusal.as_dict() for refusal in self.refusals]}


def import_fleet(
    connection: Connection,
    path: Path,
    *,
    on_refusal: Callable[[Refusal], None] = lambda refusal: None,
    on_progress: Callable[[int], None] = lambda read_bytes: None,
) -> Imported:
    """Import a fleet file: one JSON object, an array, or JSON Lines.

    Args:
        connection: autocommitting (store/connect.py), so that each batch commits.
        path: the file; UTF-8, with or without a byte order mark.
        on_refusal: called with each refused record, in the file's order.
        on_progress: called with the bytes of records read since the last call.

    Raises:
        Refused: the file is missing, empty, a folder, or no JSON at all; nothing was imported.
    """
    result = Imported()
    with open_fleet_file(path) as file, closing(_ahead(_batches(records(file, path)))) as batches:
        connection.execute(_TEMPORARY)
        for prepared in batches:
            with connection.transaction():
                duplicates = _load(connection, prepared, result)
            refusals = sorted((prepared.refusals | duplicates).items())
            result.refused += len(refusals)
            for _, refusal in refusals:
                on_refusal(refusal)
            result.refusals += [refusal for _, refusal in refusals][: KEPT_REFUSALS - len(result.refusals)]
            on_progress(prepared.read_bytes)
    connection.execute("DROP TABLE arrived, changed, seen")
    if result.inserted or result.updated:
        connection.execute(_ANALYZE)
    return result


def _batches(found: Iterator[Found]) -> Iterator[Batch]:
    position = 0
    while items := list(islice(found, BATCH_RECORDS)):
        yield batch(items, position)
        position += len(items)


def _ahead(batches: Iterator[Batch]) -> Generator[Batch]:
    """The same batches, the next one prepared in a thread while the server works on the last."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="fleet-import") as pool:
        following = pool.submit(next, batches, None)
        while (current := following.result()) is not None:
            following = pool.submit(next, batches, None)
            yield current


_TEMPORARY = """
DROP TABLE IF EXISTS pg_temp.arrived, pg_temp.changed, pg_temp.seen;
CREATE TEMPORARY TABLE arrived (
    position int NOT NULL, line int NOT NULL, vin text COLLATE "C" NOT NULL, model text NOT NULL,
    build_date date, country text, region text, timezone text, groups text[] NOT NULL, install_window jsonb,
    update_preference text, attributes jsonb NOT NULL, lot bigint NOT NULL, digest text NOT NULL,
    ecu_names text[] NOT NULL, hw_ids text[] NOT NULL, sw_versions text[] NOT NULL
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE changed (
    vehicle_id int NOT NULL, is_new boolean NOT NULL,
    ecu_names text[] NOT NULL, hw_ids text[] NOT NULL, sw_versions text[] NOT NULL
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE seen (vin text COLLATE "C" PRIMARY KEY, position int NOT NULL, line int NOT NULL);
"""

#: Not left to autovacuum, which comes a minute later: until then a selection takes a model or a version that
#: has just arrived for that of a single vehicle, and joins row by row for minutes.
_ANALYZE = "ANALYZE vehicle, ecu"

_COPY = f"COPY arrived ({', '.join(COLUMNS)}) FROM STDIN"

_SEE = """
INSERT INTO seen (vin, position, line) SELECT vin, position, line FROM arrived ORDER BY position
ON CONFLICT (vin) DO NOTHING
"""

_TAKE_OUT_DUPLICATES = """
DELETE FROM arrived USING seen
WHERE seen.vin = arrived.vin AND seen.position <> arrived.position
RETURNING arrived.position, arrived.line, arrived.vin, seen.line
"""

_FACTS = (
    "model", "build_date", "country", "region", "timezone", "groups", "install_window",
    "update_preference", "attributes", "record_digest",
)  # fmt: skip

# OFFSET 0 keeps the lookup what it is, one index probe a record: without it the planner may scan the whole
# fleet for each batch.
_MERGE_VEHICLES = f"""
WITH compared AS MATERIALIZED (
    SELECT arrived.*, known.id AS known_id, decode(digest, 'hex') AS record_digest
    FROM arrived LEFT JOIN LATERAL (
        SELECT id, record_digest FROM vehicle WHERE vehicle.vin = arrived.vin OFFSET 0
    ) AS known ON true
    WHERE known.record_digest IS DISTINCT FROM decode(arrived.digest, 'hex')
), merged AS (
    INSERT INTO vehicle (vin, lot, {", ".join(_FACTS)})
    SELECT vin, lot, {", ".join(_FACTS)} FROM compared ORDER BY position
    ON CONFLICT (vin) DO UPDATE SET imported_at = now(), {", ".join(f"{f} = excluded.{f}" for f in _FACTS)}
    RETURNING id, vin
)
INSERT INTO changed (vehicle_id, is_new, ecu_names, hw_ids, sw_versions)
SELECT merged.id, compared.known_id IS NULL, ecu_names, hw_ids, sw_versions
FROM merged JOIN compared USING (vin) ORDER BY merged.id
"""

_COUNT = "SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new) FROM changed"

_ECUS = """
SELECT vehicle_id, named.name, named.hw_id, named.sw_version
FROM changed, unnest(ecu_names, hw_ids, sw_versions) AS named (name, hw_id, sw_version)
"""

_INSERT_ECUS = f"""
INSERT INTO ecu (vehicle_id, name, hw_id, sw_version, built_version)
SELECT vehicle_id, name, hw_id, sw_version, sw_version FROM ({_ECUS} WHERE is_new) AS built
"""

# An ECU the plant replaced counts as a change even when the version is the same; a record that only caught up
# with what a campaign installed does not.
_NOTE_CHANGES = f"""
INSERT INTO software_change (vehicle_id, ecu, from_version, to_version, source)
SELECT built.vehicle_id, built.name, ecu.sw_version, built.sw_version, 'as_built'
FROM ({_ECUS} WHERE NOT is_new) AS built LEFT JOIN ecu USING (vehicle_id, name)
WHERE ecu.hw_id IS DISTINCT FROM built.hw_id
   OR ecu.built_version <> built.sw_version AND ecu.sw_version <> built.sw_version
"""

_REMOVE_ECUS = """
DELETE FROM ecu USING changed
WHERE ecu.vehicle_id = changed.vehicle_id AND NOT is_new AND ecu.name <> ALL (changed.ecu_names)
"""

_UPDATE_ECUS = f"""
INSERT INTO ecu (vehicle_id, name, hw_id, sw_version, built_version)
SELECT vehicle_id, name, hw_id, sw_version, sw_version FROM ({_ECUS} WHERE NOT is_new) AS built
ON CONFLICT (vehicle_id, name) DO UPDATE
SET hw_id = excluded.hw_id, sw_version = excluded.sw_version, built_version = excluded.built_version
WHERE (ecu.hw_id, ecu.built_version) IS DISTINCT FROM (excluded.hw_id, excluded.built_version)
"""


def _load(connection: Connection, prepared: Batch, result: Imported) -> dict[int, Refusal]:
    """Merge one batch; returns the records refused because their VIN came before, by position."""
    # Plans are not kept: one made for an empty fleet would scan the full one a hundred batches later.
    cursor = connection.cursor()
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", (IMPORT_LOCK,))
    with cursor.copy(_COPY.encode()) as copy:
        copy.write(prepared.rows)
    duplicates: dict[int, Refusal] = {}
    if cursor.execute(_SEE, prepare=False).rowcount < prepared.count:
        for position, line, vin, first in cursor.execute(_TAKE_OUT_DUPLICATES, prepare=False):
            problem = Problem("vin", repr(vin), f"is already on line {first}, which is kept")
            index = position if prepared.in_array else None
            duplicates[position] = Refusal(line, index, (problem,))
    cursor.execute(_MERGE_VEHICLES.encode(), prepare=False)
    inserted, updated = cursor.execute(_COUNT, prepare=False).fetchone() or (0, 0)
    cursor.execute(_INSERT_ECUS.encode(), prepare=False)
    if updated:
        for statement in (_NOTE_CHANGES, _REMOVE_ECUS, _UPDATE_ECUS):
            cursor.execute(statement.encode(), prepare=False)
    result.inserted += inserted
    result.updated += updated
    result.unchanged += prepared.count - len(duplicates) - inserted - updated
    return duplicates

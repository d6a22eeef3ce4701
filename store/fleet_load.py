"""A batch of as-built rows into the tables, in the transaction of the caller.

Most batches are new vehicles: those go by COPY straight into ``vehicle``, ``ecu`` and ``candidate``, the
fastest way there is. What is known already is compared by the digest of its record; only what changed is
merged.
"""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from psycopg import Cursor

from store.connect import Connection
from store.fleet_rows import CANDIDATE_COLUMNS, ECU_COLUMNS, ID_SLOT, VEHICLE_COLUMNS, Row
from store.variants import Variants
from store.words import SOFTWARE_LOCK_SQL

#: Any number of ours: two imports at once take turns, batch by batch, instead of waiting crosswise for rows.
IMPORT_LOCK = 0x464C4545

#: Vehicles to a page of `Seen`.
_PAGE = 1 << 12


class Seen:
    """On which line an import met each vehicle first: four bytes a vehicle, so that memory stays flat."""

    def __init__(self) -> None:
        self._pages: defaultdict[int, array[int]] = defaultdict(lambda: array("I", bytes(4 * _PAGE)))

    def before(self, vehicle_id: int, line: int) -> int:
        """The line it was met on before, 0 if it is met for the first time; from now on that is ``line``."""
        page, place = self._pages[vehicle_id // _PAGE], vehicle_id % _PAGE
        first = page[place]
        if not first:
            page[place] = line
        return first


@dataclass
class Loaded:
    """What became of a batch: numbers of vehicles, and rows whose VIN stood on an earlier line."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    twice: list[tuple[Row, int]] = field(default_factory=list)


@dataclass
class _Lines:
    """Lines for COPY into ``vehicle`` and ``ecu``, or into tables like them."""

    vehicles: list[str] = field(default_factory=list)
    ecus: list[str] = field(default_factory=list)

    def add(self, vehicle_id: int, row: Row) -> None:
        key = str(vehicle_id)
        self.vehicles.append(f"{key}\t{row.vehicle}")
        self.ecus.append(row.ecus.replace(ID_SLOT, key))


_PREPARE = f"""
DROP TABLE IF EXISTS pg_temp.changed_vehicle, pg_temp.changed_ecu;
CREATE TEMPORARY TABLE changed_vehicle ON COMMIT DELETE ROWS AS
    SELECT id, {", ".join(VEHICLE_COLUMNS)} FROM vehicle WITH NO DATA;
CREATE TEMPORARY TABLE changed_ecu ON COMMIT DELETE ROWS AS
    SELECT {", ".join(ECU_COLUMNS)} FROM ecu WITH NO DATA;
"""

#: Whatever the statistics say, a batch is looked up by index, here and with LATERAL and OFFSET 0 below: they
#: may be those of an empty fleet, and to scan a fleet for each batch, or for each record, takes hours.
_BEGIN = """
SELECT pg_advisory_xact_lock(%s), set_config('enable_seqscan', 'off', true),
       set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),
       set_config('ringmaster.keeps_candidates', 'on', true)
"""

#: One text and no array of texts: the client would spend more on that than the server on the lookup.
_KNOWN = """
SELECT known.vin, known.id, known.record_digest
FROM unnest(string_to_array(%s, ' ')) AS given (vin), LATERAL (
    SELECT vin, id, record_digest FROM vehicle WHERE vehicle.vin = given.vin COLLATE "C" OFFSET 0) AS known
"""

_IDS = "SELECT nextval('vehicle_id_seq')::int FROM generate_series(1, %s)"

_FACTS = [column for column in VEHICLE_COLUMNS if column not in ("vin", "lot")]

_UPDATE_VEHICLES = f"""
INSERT INTO vehicle (id, {", ".join(VEHICLE_COLUMNS)})
SELECT id, {", ".join(VEHICLE_COLUMNS)} FROM changed_vehicle
ON CONFLICT (id) DO UPDATE SET imported_at = now(), {", ".join(f"{f} = excluded.{f}" for f in _FACTS)}
"""

_LOCK = SOFTWARE_LOCK_SQL.format(vehicles="ARRAY(SELECT id FROM changed_vehicle)")

# An ECU the plant replaced counts as a change even when the version is the same; a record that only caught up
# with what a campaign installed does not.
_NOTE_CHANGES = """
INSERT INTO software_change (vehicle_id, ecu, from_version, to_version, source)
SELECT built.vehicle_id, built.name, ecu.sw_version, built.sw_version, 'as_built'
FROM changed_ecu AS built LEFT JOIN ecu USING (vehicle_id, name)
WHERE ecu.hw_id IS DISTINCT FROM built.hw_id
   OR ecu.built_version <> built.sw_version AND ecu.sw_version <> built.sw_version
"""

_REMOVE_ECUS = """
DELETE FROM ecu WHERE ctid = ANY (ARRAY(
    SELECT gone.ctid FROM changed_vehicle AS changed, LATERAL (
        SELECT ctid FROM ecu WHERE vehicle_id = changed.id AND name NOT IN (
            SELECT built.name FROM changed_ecu AS built WHERE built.vehicle_id = changed.id
        ) OFFSET 0
    ) AS gone))
"""

_UPDATE_ECUS = f"""
INSERT INTO ecu ({", ".join(ECU_COLUMNS)}) SELECT {", ".join(ECU_COLUMNS)} FROM changed_ecu
ON CONFLICT (vehicle_id, name) DO UPDATE
SET hw_id = excluded.hw_id, sw_version = excluded.sw_version, built_version = excluded.built_version
WHERE (ecu.hw_id, ecu.built_version) IS DISTINCT FROM (excluded.hw_id, excluded.built_version)
"""

#: Once and last, in place of the trigger that follows each change of ECUs: a report of the same new variant
#: waits for it.
_KEEP_CANDIDATES = "SELECT keep_candidates(ARRAY(SELECT id FROM changed_vehicle))"

#: The vehicles first: a fleet command may hold them for long, and reports are not to wait for it as well.
_MERGE = (_UPDATE_VEHICLES, _LOCK, _NOTE_CHANGES, _REMOVE_ECUS, _UPDATE_ECUS, _KEEP_CANDIDATES)


def prepare(connection: Connection) -> None:
    """Make the temporary tables of an import."""
    connection.execute(_PREPARE.encode())


def clean(connection: Connection) -> None:
    """Drop them."""
    connection.execute("DROP TABLE changed_vehicle, changed_ecu")


def load(connection: Connection, rows: Sequence[Row], seen: Seen, variants: Variants) -> Loaded:
    """Insert, update or leave alone; of several rows with one VIN in an import the first is kept.

    Args:
        variants: has learnt those of the rows.
    """
    # Plans are not kept (prepare=False): one made for an empty fleet is none for a full one.
    cursor = connection.cursor(binary=True)
    cursor.execute(_BEGIN, (IMPORT_LOCK,), prepare=False)
    vins = " ".join([row.vin for row in rows])
    known = {vin: (id_, digest) for vin, id_, digest in cursor.execute(_KNOWN, (vins,), prepare=False)}
    ids = _new_ids(cursor, len({row.vin for row in rows} - known.keys()))
    new, changed, result = _Lines(), _Lines(), Loaded()
    candidates: list[str] = []
    for row in rows:
        found = known.get(row.vin)
        if found is None:
            found = known[row.vin] = next(ids), None
        vehicle_id, digest = found
        if first := seen.before(vehicle_id, row.line):
            result.twice.append((row, first))
        elif digest is None:
            new.add(vehicle_id, row)
            candidates.append(f"{vehicle_id}\t{row.lot}\t{variants.id_of(row.variant)}\n")
        elif digest != row.digest:
            changed.add(vehicle_id, row)
        else:
            result.unchanged += 1
    result.inserted, result.updated = len(new.vehicles), len(changed.vehicles)
    _copy(cursor, "vehicle", "ecu", new)
    _copy_lines(cursor, f"candidate ({', '.join(CANDIDATE_COLUMNS)})", candidates)
    if changed.vehicles:
        _copy(cursor, "changed_vehicle", "changed_ecu", changed)
        for statement in _MERGE:
            cursor.execute(statement.encode(), prepare=False)
    return result


def _new_ids(cursor: Cursor[tuple[int]], number: int) -> Iterator[int]:
    return (row[0] for row in cursor.execute(_IDS, (number,), prepare=False).fetchall())


def _copy(cursor: Cursor[tuple[int]], vehicles: str, ecus: str, lines: _Lines) -> None:
    _copy_lines(cursor, f"{vehicles} (id, {', '.join(VEHICLE_COLUMNS)})", lines.vehicles)
    _copy_lines(cursor, f"{ecus} ({', '.join(ECU_COLUMNS)})", lines.ecus)


def _copy_lines(cursor: Cursor[tuple[int]], table: str, lines: Iterable[str]) -> None:
    if text := "".join(lines).encode():
        with cursor.copy(f"COPY {table} FROM STDIN".encode()) as copy:
            copy.write(text)

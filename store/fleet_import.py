"""As-built records into the database: streamed, validated, merged set by set, safe to repeat.

A record that did not change since its last import touches nothing. Of a changed one, an ECU's software is set
only where the record's own word on that ECU changed: what a campaign installed since is never taken back.
Each batch is one transaction; an import cut in the middle and started again ends with the same rows.
"""

import sys
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from campaign.problems import Problem
from store.connect import Connection
from store.fleet_load import Seen, clean, load, prepare
from store.fleet_records import Found, open_fleet_file, records
from store.fleet_rows import Batch, Refusal, Row, batch
from store.variants import Variants

#: Keeps memory flat and loses little against one transaction for all.
BATCH_RECORDS = 10_000

TURN_SECONDS = 0.0001

#: A file of the wrong kind must not fill the memory with refusals; they are all counted.
KEPT_REFUSALS = 1_000


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
    seen, variants = Seen(), Variants()
    with open_fleet_file(path) as file, closing(_ahead(_batches(records(file, path)))) as batches:
        prepare(connection)
        for prepared in batches:
            variants.learn(connection, [row.variant for row in prepared.rows])
            with connection.transaction():
                loaded = load(connection, prepared.rows, seen, variants)
            result.inserted += loaded.inserted
            result.updated += loaded.updated
            result.unchanged += loaded.unchanged
            duplicates = {row.position: _twice(row, first, prepared) for row, first in loaded.twice}
            refusals = sorted((prepared.refusals | duplicates).items())
            result.refused += len(refusals)
            for _, refusal in refusals:
                on_refusal(refusal)
            result.refusals += [refusal for _, refusal in refusals][: KEPT_REFUSALS - len(result.refusals)]
            on_progress(prepared.read_bytes)
    clean(connection)
    connection.execute(_KEEP_FORGOTTEN)
    if result.inserted or result.updated:
        connection.execute(_ANALYZE)
    return result


def _twice(row: Row, first: int, prepared: Batch) -> Refusal:
    problem = Problem("vin", repr(row.vin), f"is already on line {first}, which is kept")
    return Refusal(row.line, row.position if prepared.in_array else None, (problem,))


@contextmanager
def _quick_turns() -> Iterator[None]:
    """While one thread validates, the other gets its turn at once.

    COPY sends a batch in some thirty packets and needs the interpreter after each: to wait the usual 5 ms for
    it would take as long as the server needs for the batch.
    """
    usual = sys.getswitchinterval()
    sys.setswitchinterval(TURN_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


def _batches(found: Iterator[Found]) -> Iterator[Batch]:
    position = 0
    while items := list(islice(found, BATCH_RECORDS)):
        yield batch(items, position)
        position += len(items)


def _ahead(batches: Iterator[Batch]) -> Generator[Batch]:
    """The same batches, the next one prepared in a thread while the server works on the last."""
    with _quick_turns(), ThreadPoolExecutor(max_workers=1, thread_name_prefix="fleet-import") as pool:
        following = pool.submit(next, batches, None)
        while (current := following.result()) is not None:
            following = pool.submit(next, batches, None)
            yield current


#: An import of an older version that went on while the schema was changed wrote vehicles without candidates,
#: which no selection would see.
_KEEP_FORGOTTEN = """
SELECT keep_candidates(found.ids) FROM (
    SELECT array_agg(v.id) AS ids FROM vehicle AS v
    WHERE NOT EXISTS (SELECT FROM candidate AS c WHERE c.vehicle_id = v.id)
      AND EXISTS (SELECT FROM ecu AS e WHERE e.vehicle_id = v.id)
    GROUP BY v.id / 10000
) AS found
"""

#: Not left to autovacuum, which comes a minute later: until then a selection takes a model or a version that
#: has just arrived for that of a single vehicle, and joins row by row for minutes.
_ANALYZE = "ANALYZE vehicle, ecu, candidate, variant"

"""The assignments that a group of reports is about: read once, moved in memory, written once."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from psycopg import AsyncConnection

from campaign.assignment import HARMED, IN_FLIGHT, TERMINAL, Target
from store.evidence import SLICE_SQL
from store.words import ALL_FILES_SQL, EXCLUDED_SQL, FACTS_SQL, STANDS_SQL, int_array, json_rows

#: Vehicle and campaign.
Key = tuple[int, int]


@dataclass(slots=True)
class Held:
    """An assignment as a group of reports finds it, and what they make of it.

    ``fetched`` in any attempt, ``fetched_now`` since the offer; ``missing`` are the ECUs whose file was not
    fetched since the offer and which had not its software before; ``in_slice``: it has its slice of time;
    ``several``: its package has more than one module. ``version`` is that of the row, and another one after
    each change of it; ``facts`` are those of the campaign that are decided on.
    ``was`` is the state before; ``heard`` says that something of it is to be written.
    """

    vehicle_id: int
    campaign_id: int
    phase: int
    configuration_id: int
    was: Target
    attempt: int
    fetched: bool
    fetched_now: bool
    missing: list[str] | None
    in_slice: bool
    cancel_wanted: bool
    acknowledged: bool
    stands: bool
    excluded: bool
    several: bool
    version: str
    facts: str
    state: Target = field(init=False)
    heard: bool = False
    refused_cancel: bool = False
    back_off: float | None = None
    code: int | None = None
    message: str | None = None
    deferral: str | None = None
    deferral_value: str | None = None

    def __post_init__(self) -> None:
        self.state = self.was = Target(self.was)  # the row has the word

    @property
    def key(self) -> Key:
        """Which one it is."""
        return self.vehicle_id, self.campaign_id

    @property
    def moved(self) -> bool:
        """Whether it is in another state than before."""
        return self.state is not self.was


_READ = f"""
SELECT a.vehicle_id, a.campaign_id, a.phase, a.configuration_id, a.state, a.attempt,
       a.fetched_at IS NOT NULL, coalesce(a.fetched_at >= a.offered_at, false),
       CASE WHEN {ALL_FILES_SQL} & ~a.files <> 0 THEN ARRAY(
           SELECT m.module ->> 'ecu'
           FROM jsonb_array_elements(c.package -> 'modules') WITH ORDINALITY AS m (module, place)
           WHERE a.files >> (m.place - 1)::int & 1 = 0 AND NOT EXISTS (
               SELECT FROM ecu AS e WHERE e.vehicle_id = a.vehicle_id AND e.name = m.module ->> 'ecu'
                 AND e.sw_version = m.module ->> 'version')
           ORDER BY m.place) END,
       a.slice IS NOT NULL, a.cancel_wanted, coalesce(a.finished_at < c.window_began_at, false),
       {STANDS_SQL}, {EXCLUDED_SQL}, jsonb_array_length(c.package -> 'modules') > 1,
       a.xmin::text, {FACTS_SQL}
FROM unnest(%s::int[], %s::int[]) AS asked (vehicle_id, campaign_id)
JOIN assignment AS a USING (vehicle_id, campaign_id) JOIN campaign AS c ON c.id = a.campaign_id
"""

#: Of rows ``a`` that are to be changed as ``n`` says, if they are as they were read: raises a serialization
#: failure where one is not, so that nothing is written at all.
_AS_READ = """
    AND a.xmin = n.version
    RETURNING 1
)
SELECT refuse_overtaken(count(*) = %(rows)s) FROM written
"""

#: A vehicle belongs to the slice of time in which it began to install; slices begin with their window. Lease
#: and install window end by the clock: an offer that was taken up must still stand.
_WRITE = f"""
WITH written AS (
UPDATE assignment AS a
SET state = n.state, cancel_wanted = coalesce(n.cancel_wanted, false), heard_at = clock_timestamp(),
    finished_at = CASE WHEN n.over THEN coalesce(a.finished_at, clock_timestamp()) END,
    not_before = clock_timestamp() + n.back_off * interval '1 second',
    code = coalesce(n.code, a.code), message = coalesce(n.message, a.message),
    deferral = CASE WHEN n.deferral IS NULL THEN a.deferral ELSE n.deferral END,
    deferral_value = CASE WHEN n.deferral IS NULL THEN a.deferral_value ELSE n.deferral_value END,
    slice = CASE WHEN n.installs THEN coalesce(
        a.slice, date_bin({SLICE_SQL}, clock_timestamp(), coalesce(c.window_began_at, c.created_at)))
        ELSE a.slice END
FROM jsonb_to_recordset(%(changes)s) AS n (
    vehicle_id int, campaign_id int, version xid, stands bool, phase int, state text, cancel_wanted bool,
    over bool, installs bool, back_off float8, code int, message text, deferral text, deferral_value text)
JOIN campaign AS c ON c.id = n.campaign_id
JOIN phase AS p ON p.campaign_id = n.campaign_id AND p.number = n.phase
WHERE a.vehicle_id = n.vehicle_id AND a.campaign_id = n.campaign_id
    AND (n.stands IS NULL OR {STANDS_SQL}) {_AS_READ}"""

#: Most reports say only that an installation goes on. They touch no indexed column, so the row's new version
#: stays on its page: a third of what the whole of a row costs.
_HEARD = f"""
WITH written AS (
UPDATE assignment AS a SET heard_at = clock_timestamp()
FROM unnest(%(vehicles)s::int[], %(campaigns)s::int[], %(versions)s::xid[]) AS n (
    vehicle_id, campaign_id, version)
WHERE a.vehicle_id = n.vehicle_id AND a.campaign_id = n.campaign_id {_AS_READ}"""

#: Has begun to install.
_INSTALLS = HARMED | {Target.INSTALLING, Target.SUCCEEDED}


async def read(connection: AsyncConnection, keys: Collection[Key]) -> dict[Key, Held]:
    """The assignments by vehicle and campaign."""
    ordered = sorted(keys)
    vehicles, campaigns = int_array(key[0] for key in ordered), int_array(key[1] for key in ordered)
    cursor = await connection.execute(_READ, [vehicles, campaigns])
    return {row[:2]: Held(*row) for row in await cursor.fetchall()}


async def write(connection: AsyncConnection, rows: Sequence[Held]) -> None:
    """Write what the reports have made of these, under the lock of their campaigns.

    Raises, now or later in a pipeline:
        psycopg.errors.SerializationFailure: one has changed since it was read.
    """
    changed: list[Held] = []
    heard: list[Held] = []
    for row in rows:
        (heard if _only_heard(row) else changed).append(row)
    if changed:
        changes = json_rows([_change(row) for row in changed])
        await connection.execute(_WRITE, {"changes": changes, "rows": len(changed)})
    if heard:
        columns = {
            "vehicles": int_array(row.vehicle_id for row in heard),
            "campaigns": int_array(row.campaign_id for row in heard),
            "versions": f"{{{','.join(row.version for row in heard)}}}",
        }
        await connection.execute(_HEARD, {**columns, "rows": len(heard)})


def _only_heard(row: Held) -> bool:
    in_slice = row.in_slice or row.state is not Target.INSTALLING
    return row.state in IN_FLIGHT and not row.moved and in_slice and not row.refused_cancel


def _change(row: Held) -> dict[str, Any]:
    """What a row becomes; null is left out, it would only be read again."""
    change: dict[str, Any] = {
        "vehicle_id": row.vehicle_id, "campaign_id": row.campaign_id, "version": row.version,
        "phase": row.phase, "state": row.state,
    }  # fmt: skip
    if row.was is Target.OFFERED and row.stands:
        change["stands"] = True
    if row.state in TERMINAL:
        change["over"] = True
    # Who was left out is in no slice of time either: those are judged and brake.
    if row.state in _INSTALLS and not row.excluded:
        change["installs"] = True
    for name in ("cancel_wanted", "back_off", "code", "message", "deferral", "deferral_value"):
        value = getattr(row, name)
        if value is not None and value is not False:
            change[name] = value
    return change

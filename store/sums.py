"""What is counted of the phases of a campaign. A count goes on from the one before, wherever that may be."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from campaign.brake import Matured
from campaign.metrics import Overdue
from campaign.parts import NO_PARTS, Parts
from store import cohort_sums, slice_sums
from store.changed import NOTHING_SEEN, transaction
from store.cohort_sums import Counted, Vehicles
from store.matured import MaturedSlices, matured
from store.slice_sums import Slices
from store.together import ask


@dataclass(frozen=True)
class Sums:
    """What is counted of a phase; ``braking`` is what the brake knows of installations."""

    counted: Counted = field(default_factory=Counted)
    overdue: Overdue = field(default_factory=Overdue)
    stretches: Parts[int] = field(default_factory=lambda: NO_PARTS)
    braking: Matured = field(default_factory=Matured)


@dataclass(frozen=True)
class Rows:
    """The rows of a phase that its sums are of, as a count can go on from them."""

    slices: Slices
    vehicles: Vehicles = field(default_factory=dict)
    matured: MaturedSlices = field(default_factory=MaturedSlices)


def count(
    connection: Connection,
    campaign_id: int,
    of: object,
    before: Mapping[int, Rows],
    ids: Mapping[int, object],
    since: int = NOTHING_SEEN,
) -> dict[int, tuple[Rows, Sums]]:
    """Count some phases.

    Args:
        of: what its members depend on (store/members.py).
        before: the rows of these phases as they were; empty ones where nothing is known of them.
        ids: that of what has matured of each (store/matured.py). It happens seldom, and is counted anew then.
        since: the horizon of the rows (store/changed.py).
    """
    key: dict[str, Any] = {"id": campaign_id, "since": transaction(since)}
    members = cohort_sums.members_of(connection, campaign_id, of)
    in_tally, in_slices = ask(connection, (cohort_sums.ROWS_SQL, key), (slice_sums.ROWS_SQL, key))
    vehicles = cohort_sums.by_phase(in_tally)
    slices = {row.phase: row.slices for row in in_slices}
    ripe = matured(
        connection,
        campaign_id,
        {phase: ids[phase] for phase in before if before[phase].matured.id != ids[phase]},
    )
    found = {}
    for phase, old in before.items():
        now = Rows(
            old.slices.after(slices[phase]) if phase in slices else old.slices,
            cohort_sums.after(old.vehicles, members, vehicles.get(phase, {})),
            ripe.get(phase, old.matured),
        )
        sums = Sums(
            cohort_sums.counted(members, now.vehicles),
            now.matured.overdue,
            now.slices.in_stretches(),
            now.slices.braking(now.matured.latest),
        )
        found[phase] = now, sums
    return found

"""The stop by a report: phases are judged, and gates shut, in the transaction that records a failure.

To read what the hundreds of configurations of a phase have in each state takes longer than to record the
reports of a few dozen vehicles. So a gateway remembers how many had an outcome when it looked last. There are
at least as many now, and with that and the bad ones of now most failures are seen to be no breach.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from campaign.assignment import ATTEMPTS, FAILURES, Target
from campaign.judgement import Evidence
from campaign.metrics import total
from campaign.parts import Numbers
from store.evidence import BAD_SQL, JUDGED_SQL, JUDGED_STATES
from store.guarded import CLOSE_SQL, Guarded
from store.held import Held
from store.members import MEMBERS_SQL, Members, known, learn
from store.packed import NUMBER
from store.stops import TELL_SQL
from store.tallies import TALLIES_SQL, by_phase

_GUARDED, _WINDOW, _SELECTION, _DEPENDS_ON, _COUNTS = slice(7), 4, slice(7, 9), slice(7, 11), slice(11, 13)

_ATTEMPTS = [place for place, state in enumerate(JUDGED_STATES) if state in ATTEMPTS]
_FAILURES = [place for place, state in enumerate(JUDGED_STATES) if state in FAILURES]
_SUCCEEDED = JUDGED_STATES.index(Target.SUCCEEDED)


class Found(NamedTuple):
    """A row of ``JUDGED_SQL`` or, where ``only_bad``, of ``BAD_SQL``; ``unsure`` vehicles at the most have
    their outcome of this transaction, which may be rolled back."""

    row: Sequence[Any]
    only_bad: bool
    unsure: int


class _Memory:
    """How many of a phase had an outcome, in all and by cohort, and what that depends on: the window, the
    selection, the server, and that nobody's outcome was corrected or taken back (``edition.matured``). But
    for that there are only ever more of them."""

    latest: tuple[tuple[Any, ...], Numbers] | None = None


@lru_cache(maxsize=256)
def memory(campaign_id: int, phase: int) -> _Memory:
    """What this process remembers of a phase."""
    return _Memory()


async def count(connection: AsyncConnection, changed: Sequence[Held]) -> list[Found]:
    """What the guards of vehicles that have just failed must know, by all that needs no clock.

    A success shuts no gate.
    """
    failed = [row for row in changed if row.moved and row.state in FAILURES]
    asked = []
    for campaign_id in sorted({row.campaign_id for row in failed}):
        phases = sorted({row.phase for row in failed if row.campaign_id == campaign_id})
        only_bad = all(memory(campaign_id, phase).latest for phase in phases)
        asked.append((await _ask(connection, campaign_id, phases, only_bad=only_bad), only_bad))
    unsure = sum(row.moved and row.state in ATTEMPTS for row in changed)
    return [Found(row, only_bad, unsure) for answer, only_bad in asked for row in await answer.fetchall()]


async def _ask(
    connection: AsyncConnection, campaign_id: int, phases: Sequence[int], *, only_bad: bool
) -> Any:
    key = {"id": campaign_id, "phases": phases}
    return await connection.execute(BAD_SQL if only_bad else JUDGED_SQL, key, binary=True)


async def close_breached(connection: AsyncConnection, counts: Sequence[Found]) -> None:
    """Shut the gates of campaigns in which a guard that pauses is breached, if none has been before."""
    for each in counts:
        guarded = Guarded.from_row(each.row[_GUARDED])
        members = await _members(connection, guarded.campaign_id, each.row[_SELECTION])
        if each.only_bad and _is_no_breach(guarded, members, each.row):
            continue
        row = await _whole(connection, guarded) if each.only_bad else each.row
        if row is None:
            continue
        sums = _sums(members, *row[_COUNTS])
        _remember(guarded, row, sums, each.unsure)
        evidence = _evidence(guarded, members, sums)
        if guarded.trips(evidence):
            await _close(connection, guarded, evidence)


async def _whole(connection: AsyncConnection, guarded: Guarded) -> Sequence[Any] | None:
    """All that is judged of a phase; nothing if another one of this group has just shut the gate."""
    answer = await _ask(connection, guarded.campaign_id, [guarded.phase], only_bad=False)
    row: Sequence[Any] | None = await answer.fetchone()
    return row


async def _members(connection: AsyncConnection, campaign_id: int, selection: object) -> Members:
    """Read once, with the first failure."""
    found = known(campaign_id, selection)
    if found is None:
        answer = await connection.execute(MEMBERS_SQL, {"id": campaign_id})
        found = learn(campaign_id, selection, await answer.fetchall())
    return found


def _sums(members: Members, places: bytes | None, configurations: bytes | None) -> Numbers:
    """Vehicles by state, a row for each in ``JUDGED_STATES``: all that are counted, then by cohort."""
    ids, new = np.frombuffer(configurations or b"", NUMBER).reshape(-1, 2).T
    vehicles = np.zeros((len(JUDGED_STATES) + 1, len(members.ids)))
    at, mine = members.places(ids)  # a failure is recorded, whatever else is wrong: that is for a tick to say
    vehicles[np.frombuffer(places or b"", np.uint8)[mine], at[mine]] = new[mine]
    return members.sums(vehicles[: len(JUDGED_STATES)])


def _evidence(guarded: Guarded, members: Members, sums: Numbers) -> Evidence:
    tally, cohorts = members.told_apart(JUDGED_STATES, sums)
    return Evidence(size=guarded.size, tally=tally, cohorts=cohorts, telling=guarded.telling)


def _depends_on(row: Sequence[Any]) -> tuple[Any, ...]:
    return (row[_WINDOW], *row[_DEPENDS_ON])


def _remember(guarded: Guarded, row: Sequence[Any], sums: Numbers, unsure: int) -> None:
    finished = sums[_ATTEMPTS].sum(axis=0) - unsure
    memory(guarded.campaign_id, guarded.phase).latest = (_depends_on(row), finished)


def _is_no_breach(guarded: Guarded, members: Members, row: Sequence[Any]) -> bool:
    """Whether that is certain by the bad vehicles and those who are remembered to have an outcome."""
    latest = memory(guarded.campaign_id, guarded.phase).latest
    if latest is None or latest[0] != _depends_on(row):
        return False
    at_least = _sums(members, *row[_COUNTS])
    at_least[_SUCCEEDED] = np.maximum(latest[1] - at_least[_FAILURES].sum(axis=0), 0)
    return not guarded.may_trip(_evidence(guarded, members, at_least))


async def _close(connection: AsyncConnection, guarded: Guarded, evidence: Evidence) -> None:
    tallies = await connection.execute(TALLIES_SQL, ([guarded.campaign_id],))
    everybody = total(by_phase(await tallies.fetchall()).values())
    breach = guarded.breach(evidence, everybody)
    if breach is not None:
        await connection.execute(CLOSE_SQL, (Jsonb(breach.model_dump(mode="json")), guarded.campaign_id))
        await connection.execute(TELL_SQL, (guarded.campaign_id,))

"""In which cohorts the configurations of a campaign are: a matrix, by which vehicles are added up by cohort.

It is frozen with the selection but for who is left out, and remembered in each process that counts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from campaign.assignment import BAD, Tally, Target
from campaign.cohorts import Cohort
from campaign.parts import Numbers, Parts

#: In which of the telling cohorts each configuration is, nothing where it is left out.
MEMBERS_SQL = """
SELECT f.id, CASE WHEN NOT f.excluded THEN
           ARRAY(SELECT unnest(f.cohorts) INTERSECT SELECT unnest(c.cohorts)) END
FROM configuration AS f JOIN campaign AS c ON c.id = f.campaign_id
WHERE f.campaign_id = %(id)s ORDER BY f.id
"""

#: What the members of a campaign ``c`` depend on: another one wherever it was selected anew, or other cohorts
#: are left out.
SELECTION_SQL = "c.selected_at, array_to_string(c.excluded, '; ')"

#: Whole numbers as the library for products of matrices wants them: exact up to 2**53.
Products = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Members:
    """The telling cohorts, the more telling first; the ids of the configurations, ascending; and for each of
    these a row that has a one if it is counted, and then for each cohort that it is counted in."""

    cohorts: tuple[Cohort, ...]
    ids: Numbers
    one_in: Products

    @classmethod
    def of(cls, rows: Iterable[tuple[int, Sequence[str] | None]]) -> "Members":
        """Rows of ``MEMBERS_SQL``."""
        found = list(rows)
        texts = {text: Cohort.read(text) for text in {each for _, mine in found for each in mine or ()}}
        cohorts = sorted(texts.values(), key=lambda cohort: cohort.place)
        columns = {cohort: column for column, cohort in enumerate(cohorts, start=1)}
        one_in = np.zeros((len(found), 1 + len(cohorts)))
        for place, (_, mine) in enumerate(found):
            if mine is not None:
                one_in[place, [0, *(columns[texts[text]] for text in mine)]] = 1
        return cls(tuple(cohorts), np.array([row[0] for row in found], np.int64), one_in)

    def places(self, ids: npt.NDArray[np.int32]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
        """The places of some configurations, and which of them this selection knows."""
        if not len(self.ids):
            return np.zeros(len(ids), np.intp), np.zeros(len(ids), np.bool_)
        places = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        return places, self.ids[places] == ids

    def sums(self, vehicles: Products) -> Numbers:
        """Of vehicles by the place of their configuration: those that are counted, then by cohort."""
        return (vehicles @ self.one_in).astype(np.int64)

    def told_apart(self, states: Sequence[Target], sums: Numbers) -> tuple[Tally, Parts[Cohort]]:
        """A row of ``sums`` for each state as it is judged: all, and the cohorts that have a bad vehicle."""
        whole = Parts((None,), states, sums[:, :1]).tally(0)
        bad = Parts(self.cohorts, states, sums[:, 1:]).of(BAD).nonzero()[0]
        names = [self.cohorts[place] for place in bad.tolist()]
        return whole, Parts(names, states, sums[:, 1:][:, bad])


class _Memory:
    """The members of a campaign that this process has read last, with the selection they are of."""

    latest: tuple[object, Members] | None = None


@lru_cache(maxsize=64)
def _memory(campaign_id: int) -> _Memory:
    return _Memory()


def known(campaign_id: int, selection: object) -> Members | None:
    """The members of a campaign, if this process has read those of this selection (``SELECTION_SQL``)."""
    latest = _memory(campaign_id).latest
    return latest[1] if latest is not None and latest[0] == selection else None


def learn(campaign_id: int, selection: object, rows: Iterable[tuple[int, Sequence[str] | None]]) -> Members:
    """Remember those of a selection, by rows of ``MEMBERS_SQL``."""
    members = Members.of(rows)
    _memory(campaign_id).latest = (selection, members)
    return members

"""Parts of a phase that are judged by themselves, with their vehicles by state: cohorts, stretches of time.

A phase of two weeks has hundreds, and each tick weighs all of them. So they are columns of one array, which
is added up and compared at once.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

import numpy as np
import numpy.typing as npt

from campaign.assignment import Tally, Target

Name = TypeVar("Name")

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Parts(Generic[Name]):
    """The parts by name, in the order in which they are told.

    ``vehicles`` has a row for each of the states and a column for each part.
    """

    names: Sequence[Name]
    states: Sequence[Target]
    vehicles: Numbers

    @classmethod
    def of_each(cls, names: Sequence[Name], vehicles: Sequence[Mapping[Target, int]]) -> Self:
        """Parts that have so many vehicles, by state."""
        states = tuple({state: None for each in vehicles for state in each})
        rows = [[each.get(state, 0) for each in vehicles] for state in states]
        return cls(names, states, np.array(rows, dtype=np.int64).reshape(len(states), len(names)))

    def __len__(self) -> int:
        return len(self.names)

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, Parts) and list(self.tallies()) == list(other.tallies())

    def of(self, states: frozenset[Target]) -> Numbers:
        """How many of each part are in one of these states."""
        rows = [row for row, state in enumerate(self.states) if state in states]
        found: Numbers = self.vehicles[rows].sum(axis=0)
        return found

    def tally(self, place: int) -> Tally:
        """The vehicles of one part, by its place from 0."""
        column = self.vehicles[:, place].tolist()
        return Tally.model_construct(
            by_state={
                state: vehicles for state, vehicles in zip(self.states, column, strict=True) if vehicles
            }
        )

    def tallies(self) -> Iterator[tuple[Name, Tally]]:
        """Each part with its vehicles."""
        return ((name, self.tally(place)) for place, name in enumerate(self.names))


#: Nothing is judged by itself.
NO_PARTS: Parts[Any] = Parts.of_each((), ())

"""The variants of vehicles as they are imported: each distinct one is asked for once."""

from collections.abc import Iterable
from typing import NamedTuple

from psycopg.types.json import Jsonb

from store.connect import Connection

#: A fleet where hardly two vehicles are alike must not fill the memory.
KEPT = 100_000

_GIVEN = """jsonb_to_recordset(%s) AS g (place int, model text, country text, region text, ecus jsonb)"""

#: In the order of all who write variants, so that nobody waits in a circle.
_ADD = f"""
INSERT INTO variant (model, country, region, ecus)
SELECT model, country, region, ecus FROM {_GIVEN} ORDER BY 1, 2, 3, 4 ON CONFLICT (key) DO NOTHING
"""

_IDS = f"""
SELECT g.place, v.id
FROM {_GIVEN} JOIN variant AS v ON v.key = variant_key(g.model, g.country, g.region, g.ecus)
"""


class Variant(NamedTuple):
    """What vehicles have in common; ``ecus`` are name, hw_id and sw_version, by name."""

    model: str
    country: str | None
    region: str | None
    ecus: tuple[tuple[str, str, str], ...]


class Variants:
    """The ids of variants, remembered for the time of an import."""

    def __init__(self) -> None:
        self._ids: dict[Variant, int] = {}

    def learn(self, connection: Connection, variants: Iterable[Variant]) -> None:
        """Make `id_of` know these. It commits by itself: who reports a new variant must not wait for a batch.

        Args:
            connection: autocommitting, and in no transaction.
        """
        wanted = set(variants)
        if len(wanted | self._ids.keys()) > KEPT:
            self._ids.clear()
        new = list(wanted - self._ids.keys())
        if not new:
            return
        given = Jsonb([_record(place, variant) for place, variant in enumerate(new)])
        connection.execute(_ADD, (given,))
        self._ids.update({new[place]: number for place, number in connection.execute(_IDS, (given,))})

    def id_of(self, variant: Variant) -> int:
        """Its id; it was learnt with its batch."""
        return self._ids[variant]


def _record(place: int, variant: Variant) -> dict[str, object]:
    ecus = {name: {"hw_id": hw_id, "sw_version": version} for name, hw_id, version in variant.ecus}
    return {**variant._asdict(), "place": place, "ecus": ecus}

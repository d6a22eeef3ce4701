"""The variants of vehicles as they are imported: each distinct one is asked for once."""

from collections.abc import Iterable, Sequence

import orjson
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


#: What vehicles have in common, in one spelling. A text and no tuple of tuples: to a million of those the
#: garbage collector would pay more visits than the import has time for.
Variant = str


def variant(
    model: str, country: str | None, region: str | None, ecus: Sequence[tuple[str, str, str]]
) -> Variant:
    """The variant of such a vehicle.

    Args:
        ecus: name, hw_id and sw_version of each, by name.
    """
    # Bytes of orjson keep the room they were written in, four times what they hold.
    return orjson.dumps((model, country, region, ecus)).decode()


class Variants:
    """The ids of variants, remembered for the time of an import."""

    def __init__(self) -> None:
        self._ids: dict[Variant, int] = {}

    def learn(self, connection: Connection, variants: Iterable[Variant]) -> None:
        """Make `id_of` know these. It commits by itself: who reports a new variant must not wait for a batch.
        (What a batch merges may be variants besides; those come last in it.)

        Args:
            connection: autocommitting, and in no transaction.
        """
        wanted = set(variants)
        if len(wanted | self._ids.keys()) > KEPT:
            self._ids.clear()
        new = list(wanted - self._ids.keys())
        if not new:
            return
        given = Jsonb([_record(place, each) for place, each in enumerate(new)])
        connection.execute(_ADD, (given,))
        self._ids.update({new[place]: number for place, number in connection.execute(_IDS, (given,))})

    def id_of(self, of: Variant) -> int:
        """Its id; it was learnt with its batch."""
        return self._ids[of]


def _record(place: int, text: Variant) -> dict[str, object]:
    model, country, region, ecus = orjson.loads(text)
    fitted = {name: {"hw_id": hw_id, "sw_version": version} for name, hw_id, version in ecus}
    return {"place": place, "model": model, "country": country, "region": region, "ecus": fitted}

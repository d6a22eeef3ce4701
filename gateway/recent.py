"""A dictionary of the keys used last: what is remembered of clients must not grow without end."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

#: Some ten megabytes.
MOST_KEYS = 100_000


class Recent(Generic[Key, Value]):
    """Remembers a value for each of the keys put last; of too many the one put longest ago is forgotten."""

    def __init__(self, most_keys: int = MOST_KEYS) -> None:
        self._most = most_keys
        self._values: OrderedDict[Key, Value] = OrderedDict()

    def get(self, key: Key, default: Value) -> Value:
        """The value of a key; the default where it was never put, or is forgotten."""
        return self._values.get(key, default)

    def put(self, key: Key, value: Value) -> None:
        """Remember the value of a key."""
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self._most:
            self._values.popitem(last=False)

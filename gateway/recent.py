"""A dictionary of the keys used last: what is remembered of clients must not grow without end."""

from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

#: Some ten megabytes.
MOST_KEYS = 100_000


class Recent(Generic[Key, Value]):
    """Remembers a value, not None, for each of the keys put last: at least half as many as said, and no more.

    What was put since half of them were new is young; when as many are young again, all that is older is
    forgotten at once. To know which key is the very oldest would cost each put more than all else it does.
    """

    def __init__(self, most_keys: int = MOST_KEYS) -> None:
        self._half = most_keys // 2
        self._young: dict[Key, Value] = {}
        self._old: dict[Key, Value] = {}

    def get(self, key: Key, default: Value) -> Value:
        """The value of a key; the default where it was never put, or is forgotten."""
        value = self._young.get(key)
        if value is None:
            value = self._old.get(key, default)
        return value

    def put(self, key: Key, value: Value) -> None:
        """Remember the value of a key."""
        if len(self._young) >= self._half and key not in self._young:
            self._old, self._young = self._young, {}
        self._young[key] = value

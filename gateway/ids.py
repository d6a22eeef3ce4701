"""Ids in paths."""

from gateway.errors import Missing

LARGEST = 2**31 - 1


def path_id(text: str) -> int:
    """An id in a path, 1 to 2**31 - 1.

    Raises:
        Missing: anything else names nothing.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and 0 < int(text) <= LARGEST):
        raise Missing("there is nothing of this number")
    return int(text)

"""The Range header, checked before it is served. Pure.

Starlette serves single and several ranges, but answers 400 where the protocol's clients expect 416, and takes
numbers that are none. What passes here it serves right.
"""

import re
from itertools import pairwise

_RANGES = re.compile(r"bytes=\s*([0-9]*-[0-9]*)(?:\s*,\s*([0-9]*-[0-9]*))*\s*", re.ASCII)


def satisfiable(header: str, size_bytes: int) -> bool:
    """Whether every range in the header lies within a file of this size, and no two overlap.

    Ranges are ``a-b``, ``a-`` and ``-n``. An end beyond the file is cut; ``bytes=<size>-``, which asks
    whether a file is complete, is not within.
    """
    if not _RANGES.fullmatch(header):
        return False
    parts = [part.strip() for part in header.partition("=")[2].split(",")]
    if not all(_within(part, size_bytes) for part in parts):
        return False
    spans = sorted(_span(part, size_bytes) for part in parts)
    return all(last < following for (_, last), (following, _) in pairwise(spans))


def _within(part: str, size_bytes: int) -> bool:
    first, _, last = part.partition("-")
    if not _short(first) or not _short(last):
        return False
    if not first:
        return bool(last) and int(last) > 0 and size_bytes > 0
    return int(first) < size_bytes and (not last or int(first) <= int(last))


def _span(part: str, size_bytes: int) -> tuple[int, int]:
    """The first and the last byte of a range that lies within the file."""
    first, _, last = part.partition("-")
    if not first:
        return max(size_bytes - int(last), 0), size_bytes - 1
    return int(first), min(int(last), size_bytes - 1) if last else size_bytes - 1


def _short(digits: str) -> bool:
    """No file needs more; Python refuses to read numbers of thousands of digits."""
    return len(digits) <= 19

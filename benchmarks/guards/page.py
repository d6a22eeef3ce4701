"""docs/guards.md: its words are people's, its tables are between marks and written anew."""

import re
from collections.abc import Iterable
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "guards.md"
_BLOCK = re.compile(r"<!-- (?P<key>[a-z]+): by make guards -->\n(?P<body>.*?)<!-- end -->", re.DOTALL)


def blocks(text: str) -> dict[str, str]:
    """What is between the marks, by key."""
    return {match["key"]: match["body"].strip("\n") for match in _BLOCK.finditer(text)}


def filled(text: str, fresh: Iterable[tuple[str, str]]) -> str:
    """The page with new blocks.

    Raises:
        KeyError: the page has a block that nobody measures, or none for what was measured.
    """
    by_key = dict(fresh)
    if missing := by_key.keys() ^ blocks(text).keys():
        raise KeyError(f"on the page or measured, but not both: {', '.join(sorted(missing))}")
    return _BLOCK.sub(lambda match: _block(match["key"], by_key[match["key"]]), text)


def _block(key: str, body: str) -> str:
    return f"<!-- {key}: by make guards -->\n{body}\n<!-- end -->"

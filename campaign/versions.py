"""Software versions and ranges such as ``>=1.2,<1.4.0``, ordered as versions and not as text.

The order is that of PEP 440 (``packaging.version``), compared plainly: 1.4.0rc1 is below 1.4.0.
"""

import operator
import re
from collections.abc import Callable
from typing import Annotated, Any

from packaging.version import InvalidVersion, Version
from pydantic import AfterValidator

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
_CLAUSE = re.compile(r"\s*(<=|>=|==|!=|<|>)\s*(\S+?)\s*")


def _clauses(text: str) -> list[tuple[str, Version]]:
    clauses = []
    for part in text.split(","):
        found = _CLAUSE.fullmatch(part)
        if found is None:
            raise ValueError("a version range is a list of comparisons such as '>=1.2,<1.4.0'")
        try:
            clauses.append((found[1], Version(found[2])))
        except InvalidVersion:
            raise ValueError(f"{found[2]!r} is no version; write numbers such as 1.4.0") from None
    return clauses


def check_range(text: str) -> str:
    """The same text, if it is a version range.

    Raises:
        ValueError: it is not; the message shows the form.
    """
    _clauses(text)
    return text


VersionRange = Annotated[str, AfterValidator(check_range)]


def parse_version(text: str) -> Version | None:
    """The version, or None where the text has no place in the order (``MU-0923-b``)."""
    try:
        return Version(text)
    except InvalidVersion:
        return None


def in_range(version: str, wanted: str) -> bool:
    """Whether a version lies in a range; one without a place in the order lies in none."""
    parsed = parse_version(version)
    if parsed is None:
        return False
    return all(_OPERATORS[sign](parsed, bound) for sign, bound in _clauses(wanted))


def same_version(one: str, other: str) -> bool:
    """Whether two texts name one version (``1.4`` and ``1.4.0`` do)."""
    first, second = parse_version(one), parse_version(other)
    return one == other if first is None or second is None else first == second

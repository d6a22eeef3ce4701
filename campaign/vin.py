"""Vehicle identification numbers (ISO 3779), read by the library vininfo.

The check digit (position 9) is mandatory in North America (49 CFR 565) and China (GB 16735) only; European
numbers fail it legitimately, so it is enforced where it binds and ignored elsewhere.
"""

import re
from functools import lru_cache
from operator import mul
from typing import Annotated

from pydantic import AfterValidator
from vininfo import Vin as VinInfo  # type: ignore[import-untyped]
from vininfo.exceptions import ValidationError  # type: ignore[import-untyped]


def check_vin(text: str) -> str:
    """The VIN in capitals.

    Raises:
        ValueError: wrong length or letters, or a wrong check digit where one is mandatory.
    """
    capitals = text.upper()
    return capitals if _plainly_good(capitals) else _read(capitals)


def _read(text: str) -> str:
    try:
        vin = VinInfo(text)
    except ValidationError as error:
        raise ValueError(f"not a VIN: {error}".rstrip()) from None
    if _binds(vin) and not vin.verify_checksum():
        raise ValueError(f"check digit {vin.num[8]!r} at position 9 is wrong for a VIN from {vin.country}")
    return str(vin.num)


def _binds(vin: VinInfo) -> bool:
    return bool(vin.region == "North America" or vin.country == "China")


# What follows only saves time: the library takes a quarter of an import, for it looks the maker up for each
# number. It says yes to no number that the library refuses, and where it says no the library is asked.

_FORM = re.compile("[A-HJ-NPR-Z0-9]{17}")
_LETTERS = dict(
    zip(
        "ABCDEFGHJKLMNPRSTUVWXYZ",
        (1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 7, 9, 2, 3, 4, 5, 6, 7, 8, 9),
        strict=True,
    )
)
_VALUES = bytes(_LETTERS.get(chr(code), code - ord("0")) % 256 for code in range(256))
_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_CHECK_DIGITS = "0123456789X"


def _plainly_good(vin: str) -> bool:
    if not _FORM.fullmatch(vin):
        return False
    if not _checked(vin[:3]):
        return True
    found = sum(map(mul, _WEIGHTS, vin.encode().translate(_VALUES))) % 11
    return vin[8] == _CHECK_DIGITS[found] and _checkable(vin[:3]) and vin[9] not in "UZ0"


@lru_cache(maxsize=10_000)
def _checked(maker: str) -> bool:
    """Whether the check digit binds for the numbers of a maker (the first three characters)."""
    return _binds(VinInfo(maker + "0" * 14))


@lru_cache(maxsize=10_000)
def _checkable(maker: str) -> bool:
    return bool(getattr(VinInfo(maker + "0" * 14).assembler, "uses_sae_checkdigit", True))


Vin = Annotated[str, AfterValidator(check_vin)]

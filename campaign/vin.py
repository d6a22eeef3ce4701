"""Vehicle identification numbers (ISO 3779), read by the library vininfo.

The check digit (position 9) is mandatory in North America (49 CFR 565) and China (GB 16735) only; European
numbers fail it legitimately, so it is enforced where it binds and ignored elsewhere.
"""

from typing import Annotated

from pydantic import AfterValidator
from vininfo import Vin as VinInfo  # type: ignore[import-untyped]
from vininfo.exceptions import ValidationError  # type: ignore[import-untyped]


def check_vin(text: str) -> str:
    """The VIN in capitals.

    Raises:
        ValueError: wrong length or letters, or a wrong check digit where one is mandatory.
    """
    try:
        vin = VinInfo(text.upper())
    except ValidationError as error:
        raise ValueError(f"not a VIN: {error}".rstrip()) from None
    if (vin.region == "North America" or vin.country == "China") and not vin.verify_checksum():
        raise ValueError(f"check digit {vin.num[8]!r} at position 9 is wrong for a VIN from {vin.country}")
    return str(vin.num)


Vin = Annotated[str, AfterValidator(check_vin)]

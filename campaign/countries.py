"""Countries as ISO 3166 knows them, by code or by name."""

from functools import lru_cache
from typing import Annotated

import pycountry
from pydantic import AfterValidator


# A fleet names few countries, a million times.
@lru_cache(maxsize=1_000)
def country_code(text: str) -> str:
    """The two-letter code of a country given as ``DE``, ``deu`` or ``Germany``.

    Raises:
        ValueError: ISO 3166 has no such country.
    """
    try:
        return str(pycountry.countries.lookup(text).alpha_2)
    except LookupError:
        raise ValueError(f"unknown country {text!r}; give an ISO 3166 code such as 'DE' or a name") from None


Country = Annotated[str, AfterValidator(country_code)]

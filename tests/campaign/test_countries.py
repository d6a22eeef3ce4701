"""Countries by code or by name."""

import pytest

from campaign.countries import country_code


@pytest.mark.parametrize("text", ["DE", "de", "deu", "DEU", "276", "Germany", "germany"])
def test_a_country_is_known_by_code_and_by_name(text: str) -> None:
    assert country_code(text) == "DE"


@pytest.mark.parametrize("text", ["", "D", "UK", "XX", "Germny", "Europe"])
def test_what_iso_3166_does_not_know_is_refused_with_a_cure(text: str) -> None:
    with pytest.raises(ValueError, match=f"unknown country {text!r}; give an ISO 3166 code such as 'DE'"):
        country_code(text)

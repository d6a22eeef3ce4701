"""Named lists of VINs."""

import pytest

from campaign.problems import Refused
from store.connect import connect
from store.vin_lists import read_vins, set_list

HONDA, BMW = "1HGCM82633A004352", "1M8GDM9AXKP042788"


def test_a_file_holds_one_vin_a_line_with_comments() -> None:
    assert read_vins(["# press", HONDA.lower(), "", f"{BMW}  # the bus"]) == [HONDA, BMW]


def test_every_line_that_is_no_vin_is_named() -> None:
    with pytest.raises(Refused, match=r"line 1 = 'WVW': not a VIN.*line 3 = 'X'"):
        read_vins(["WVW", HONDA, "X"])


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(Refused, match="holds no VIN"):
        read_vins(["", "# nobody"])


def test_a_list_holds_exactly_what_was_given_last_and_counts_strangers(database: str) -> None:
    with connect(database) as connection:
        assert set_list(connection, "press", [HONDA, BMW]) == (2, 2)
        assert set_list(connection, "press", [BMW, BMW]) == (1, 1)
        assert set_list(connection, "other", [HONDA]) == (1, 1)
        held = connection.execute("SELECT name, vin FROM vin_list ORDER BY name").fetchall()
    assert held == [("other", HONDA), ("press", BMW)]

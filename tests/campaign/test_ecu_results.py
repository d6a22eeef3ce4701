"""What details say of single ECUs, and what it means for the whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign.assignment import Happening, Said, meaning
from campaign.ecu_results import EcuResult, latest, read_ecu_results, still_failed


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("ecu=Radar result=success", EcuResult("Radar", True)),
        (" ecu=Radar result=success version=1.4.0 \n", EcuResult("Radar", True, "1.4.0")),
        ("ecu=GW result=failure code=-17", EcuResult("GW", False, None, -17)),
        (
            "ecu=GW result=failure version=2 code=3 no heartbeat",
            EcuResult("GW", False, "2", 3, "no heartbeat"),
        ),
        ("ecu=GW result=failure no heartbeat", EcuResult("GW", False, None, None, "no heartbeat")),
        ("ecu=GW", None),
        ("ecu= result=success", None),
        ("ecu=GW result=maybe", None),
        ("ecu=GW result=successful", None),
        ("result=failure ecu=GW", None),
        ("the ecu=GW result=failure", None),
        ("", None),
    ],
)
def test_a_line_says_what_became_of_an_ecu_or_is_text(line: str, found: EcuResult | None) -> None:
    assert read_ecu_results([line]) == ([] if found is None else [found])
    assert found is None or str(found) == line.strip()


def test_the_last_word_on_an_ecu_counts() -> None:
    lines = ["ecu=A result=failure", "text", "ecu=B result=success", "ecu=A result=success"]
    assert {name: each.succeeded for name, each in latest(read_ecu_results(lines)).items()} == {
        "A": True,
        "B": True,
    }


def test_an_ecu_that_failed_stays_so_until_something_else_is_said_of_it() -> None:
    before = ["ecu=A result=failure", "ecu=B result=failure code=7 no word", "ecu=A result=success"]
    assert still_failed(before, ["done"]) == ["ecu=B result=failure code=7 no word"]
    assert still_failed(before, ["ecu=B result=success"]) == []
    assert still_failed(before, ["ecu=B result=failure"]) == []
    assert still_failed([], ["ecu=B result=failure"]) == []


@given(st.lists(st.text()))
def test_no_text_is_an_error(details: list[str]) -> None:
    read_ecu_results(details)


@pytest.mark.parametrize("finished", ["success", "none", "failure"])
def test_a_claim_of_success_with_an_ecu_that_failed_is_a_failure(finished: str) -> None:
    details = ("ecu=Radar result=success", "ecu=GW result=failure code=3")
    said = Said(execution="closed", finished=finished, details=details)
    assert meaning(said, fetched=True) is Happening.FAIL
    assert meaning(said._replace(execution="proceeding"), fetched=True) is Happening.INSTALL


def test_success_means_that_the_files_of_all_ecus_were_fetched() -> None:
    said = Said(execution="closed", finished="success")
    assert meaning(said, fetched=True, complete=True) is Happening.SUCCEED
    assert meaning(said, fetched=True, complete=False) is Happening.DEFER

"""Reading feedback and configData as real clients write them."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign.assignment import Said
from gateway.body import decoded
from gateway.errors import Malformed, TooMany
from gateway.said import EXECUTIONS, FINISHED, read_config, read_feedback

SWUPDATE = (
    b'{"id":11,"time":"20261123T092431","status":{"result":{"progress":{"cnt":0,"of":1},"finished":"none"},'
    b'"execution":"proceeding","details":["Installing Update Chunk Artifacts."]}}'
)
RAUC = (
    b'{"id":"11","time":"20261123T092431","status":{"result":{"finished":"success"},"execution":"closed",'
    b'"details":["Software bundle installed successfully."]}}'
)


def feedback(**status: Any) -> dict[str, Any]:
    return {"status": {"execution": "proceeding", "result": {"finished": "none"}} | status}


def test_the_feedback_of_swupdate_is_read() -> None:
    said, at = read_feedback(decoded(SWUPDATE))
    assert said == Said(
        execution="proceeding", finished="none", details=("Installing Update Chunk Artifacts.",)
    )
    assert at is None


def test_the_feedback_of_rauc_is_read() -> None:
    said, _ = read_feedback(decoded(RAUC))
    assert (said.execution, said.finished) == ("closed", "success")


@pytest.mark.parametrize("execution", EXECUTIONS)
@pytest.mark.parametrize("finished", FINISHED)
def test_every_word_of_the_protocol_is_taken(execution: str, finished: str) -> None:
    said, _ = read_feedback(feedback(execution=execution, result={"finished": finished}))
    assert (said.execution, said.finished) == (execution, finished)


@pytest.mark.parametrize(
    ("details", "read"),
    [
        (None, ()),
        ([], ()),
        ("one", ("one",)),
        (["one", None, "two"], ("one", "two")),
        ([" 20% Checking bundle"], ("20% Checking bundle",)),
        ([1, True, 2.5], ("1", "True", "2.5")),
        (["line " * 80] * 48, (("line " * 80).strip(),) * 48),
        (["a\0b"], ("a\ufffdb",)),
        (["\ud800"], ("?",)),
    ],
)
def test_details_are_taken_as_they_come(details: Any, read: tuple[str, ...]) -> None:
    assert read_feedback(feedback(details=details))[0].details == read


def test_absent_details_are_none_and_progress_is_ignored() -> None:
    for progress in ({}, {"percentage": 20}, {"cnt": 0, "of": 0}, None, 3):
        said, _ = read_feedback(feedback(result={"finished": "none", "progress": progress}))
        assert said == Said(execution="proceeding", finished="none")


@pytest.mark.parametrize(
    ("timestamp", "at"),
    [
        (1_627_997_501_890, datetime(2021, 8, 3, 13, 31, 41, 890_000, tzinfo=UTC)),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (-1, None),
        (10**30, None),
        ("20261123T092431", None),
        (True, None),
        (None, None),
    ],
)
def test_an_unusable_clock_does_not_lose_the_report(timestamp: Any, at: datetime | None) -> None:
    assert read_feedback(feedback() | {"timestamp": timestamp})[1] == at


def test_raw_line_ends_and_foreign_bytes_in_texts_are_read() -> None:
    body = b'{"status":{"execution":"closed","result":{"finished":"failure"},"details":["a\nb\t\xff"]}}'
    assert read_feedback(decoded(body))[0].details == ("a\nb\t\ufffd",)


REFUSED: list[Any] = [
    None,
    [],
    "closed",
    {},
    {"status": None},
    {"status": []},
    {"status": {}},
    feedback(execution=None),
    feedback(execution="CLOSED"),
    feedback(execution=["closed"]),
    feedback(result=None),
    feedback(result={}),
    feedback(result={"finished": "yes"}),
    feedback(result={"finished": True}),
    feedback(code="200"),
    feedback(code=True),
    feedback(code=2**31),
    feedback(code=1.5),
    feedback(details=[{"text": "x"}]),
    feedback(details=[["x"]]),
]


@pytest.mark.parametrize("body", REFUSED)
def test_rubbish_is_refused(body: Any) -> None:
    with pytest.raises(Malformed):
        read_feedback(body)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 60_000, b"1" * 60_000, b"nul"])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        decoded(body)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(
                    ["status", "execution", "result", "finished", "details", "code", "timestamp"]
                ),
                inner,
                max_size=5,
            )
        ),
    )
)
def test_any_json_is_read_or_refused(body: Any) -> None:
    try:
        said, _ = read_feedback(body)
    except Malformed:
        return
    assert said.execution in EXECUTIONS
    assert all("\0" not in text for text in said.details)
    orjson.dumps(said.details)


def test_config_merges_unless_told_otherwise() -> None:
    for mode in ({}, {"mode": None}, {"mode": "merge"}):
        assert read_config({"data": {"vin": "V", "old": None}, "id": "", "time": "x"} | mode) == (
            "merge",
            {"vin": "V", "old": None},
        )
    assert read_config({"mode": "replace", "data": {"a": 1, "b": True}}) == (
        "replace",
        {"a": "1", "b": "true"},
    )
    assert read_config({"mode": "remove", "data": {"a": ""}}) == ("remove", {"a": ""})


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"data": {}},
        {"data": []},
        {"mode": "add", "data": {"a": "b"}},
        {"mode": 1, "data": {"a": "b"}},
        {"mode": ["merge"], "data": {"a": "b"}},
        {"data": {"a": {}}},
        {"data": {"a": "x" * 129}},
        {"data": {"x" * 129: "a"}},
        {"data": {"": "a"}},
        {"data": {"a": "caf\u00e9"}},
        {"data": {"a": "\n"}},
        {"data": {"a\0": "b"}},
    ],
)
def test_config_that_cannot_be_kept_is_refused(body: Any) -> None:
    with pytest.raises(Malformed):
        read_config(body)


def test_a_hundred_attributes_are_kept_and_no_more() -> None:
    data = {f"key{number}": "x" for number in range(101)}
    with pytest.raises(TooMany):
        read_config({"data": data})
    data.pop("key0")
    assert len(read_config({"data": data})[1]) == 100

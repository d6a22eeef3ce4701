"""A fleet file's records are found whatever its form, and a broken one spoils no other.

| Given | Then |
|---|---|
| one object, an array or JSON Lines, with or without BOM | the same records, each with its line |
| a broken element of an array | the elements around it are found |
| a file that is cut off | what was whole is found, the rest is named |
"""

import json
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaign.problems import Refused
from store import fleet_records
from store.fleet_records import Found, open_fleet_file, records

ONE = {"vin": "A", "ecus": [{"name": 'x,]}" {['}]}
TWO = {"vin": "B"}

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def read(text: bytes) -> list[Found]:
    return list(records(BufferedReader(BytesIO(text)), Path("fleet.json")))


def values(found: list[Found]) -> list[Any]:
    return [json.loads(item.text) for item in found]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "BOM"])
@pytest.mark.parametrize(
    ("text", "lines", "elements"),
    [
        (json.dumps(ONE) + "\n" + json.dumps(TWO), [1, 2], [None, None]),
        (json.dumps(ONE) + "\r\n\r\n" + json.dumps(TWO) + "\r\n", [1, 3], [None, None]),
        (json.dumps([ONE, TWO]), [1, 1], [0, 1]),
        (json.dumps([ONE, TWO], indent=2), [2, 10], [0, 1]),
        ("\n\n [" + json.dumps(ONE) + ",\n\n" + json.dumps(TWO) + "]\n", [3, 5], [0, 1]),
    ],
    ids=["lines", "lines with blanks", "array in a line", "indented array", "array after blanks"],
)
def test_records_are_found_with_their_lines(
    text: str, lines: list[int], elements: list[int | None], mark: bytes
) -> None:
    found = read(mark + text.encode())
    assert values(found) == [ONE, TWO]
    assert [item.line for item in found] == lines
    assert [item.element for item in found] == elements


@pytest.mark.parametrize("indent", [None, 2, "\t"])
def test_one_object_is_one_record(indent: int | str | None) -> None:
    assert values(read(json.dumps(ONE, indent=indent).encode())) == [ONE]


def test_a_broken_first_line_leaves_json_lines_what_they_are() -> None:
    found = read(b'{"vin": \n' + json.dumps(TWO).encode() + b"\n{}")
    assert [item.line for item in found] == [1, 2, 3]
    assert json.loads(found[1].text) == TWO


def test_text_before_json_lines_is_a_record_of_its_own() -> None:
    found = read(b"vehicles of May\n" + json.dumps(TWO).encode())
    assert [item.line for item in found] == [1, 2]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    fleet=st.lists(VALUES, max_size=5),
    indent=st.none() | st.integers(0, 3),
    chunk=st.integers(1, 40),
    ascii_only=st.booleans(),
)
def test_an_array_is_cut_between_its_elements_wherever_the_reading_stops(
    fleet: list[Any], indent: int | None, chunk: int, ascii_only: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet_records, "CHUNK_BYTES", chunk)
    text = json.dumps(fleet, indent=indent, ensure_ascii=ascii_only)
    found = read(text.encode())
    assert values(found) == fleet
    assert [item.element for item in found] == list(range(len(fleet)))
    if indent is None:
        assert {item.line for item in found} <= {1}


@pytest.mark.parametrize("broken", [b"{'vin': 1}", b'{"vin" 1}', b"NaN", b"}", b'{"a":1}}'])
def test_a_broken_element_spoils_no_other(broken: bytes) -> None:
    found = read(b"[" + json.dumps(ONE).encode() + b",\n" + broken + b",\n" + json.dumps(TWO).encode() + b"]")
    assert json.loads(found[0].text) == ONE
    assert (found[1].text.strip(), found[1].line, found[1].element) == (broken, 2, 1)
    assert json.loads(found[2].text) == TWO


@pytest.mark.parametrize(
    ("text", "line", "fault"),
    [
        (b'[{"a": 1},\n{"b": ', 2, "the file ends inside the array"),
        (b'[{"a": 1},\n{"b": "x}]', 2, "the file ends inside the array"),
        (b'[{"a": [},\n{"b": 2}]', 1, "the file ends inside the array"),
        (b'[{"a": 1}\n', 1, "the file ends inside the array"),
        (b'[{"a": 1},\n]', 2, "no record before this comma or bracket"),
        (b'[{"a": 1}]\n{"b": 2}', 1, "was not read"),
    ],
)
def test_what_could_not_be_read_is_named(text: bytes, line: int, fault: str) -> None:
    last = read(text)[-1]
    assert fault in last.fault
    assert last.line == line


def test_an_empty_array_has_no_records() -> None:
    assert read(b" [ \n ] \n") == []


def test_a_record_without_end_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_records, "LONGEST_RECORD_BYTES", 100)
    monkeypatch.setattr(fleet_records, "CHUNK_BYTES", 50)
    endless = b'{"a": "' + b"x" * 1000
    assert "no end within 100 bytes" in read(b"[" + endless)[0].fault
    lines = read(b'{"b": 1}\n' + endless + b"\n" + json.dumps(TWO).encode())
    assert "longer than 100 bytes" in lines[1].fault
    assert (json.loads(lines[2].text), lines[2].line) == (TWO, 3)


@pytest.mark.parametrize(
    ("content", "cure"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"vin;model\nA;B\n", "is no JSON"),
        (b"\x1f\x8b\x08\x00", "is no JSON"),
        ('{"vin": 1}'.encode("utf-16"), "is UTF-16; save it as UTF-8"),
    ],
)
def test_a_file_of_another_kind_is_refused_with_the_cure(content: bytes, cure: str) -> None:
    with pytest.raises(Refused, match=cure):
        read(content)


def test_a_missing_file_and_a_folder_are_refused_with_the_cure(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="there is no such file"):
        open_fleet_file(tmp_path / "none.json")
    with pytest.raises(Refused, match="is a folder"):
        open_fleet_file(tmp_path)

"""As-built records checked and turned into rows of PostgreSQL's COPY text format.

store/fleet_load.py puts them into the tables. Nothing validated is kept: a million live objects would cost
the garbage collector more time than the validation does.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import orjson
from pydantic import ValidationError

from campaign.order import lot
from campaign.problems import Problem, explain
from campaign.vehicle import AsBuilt
from store.fleet_records import Found
from store.variants import Variant, variant

#: The columns of ``vehicle`` in a row, in order; its id comes before them.
VEHICLE_COLUMNS = (
    "vin", "model", "build_date", "country", "region", "timezone", "groups", "install_window",
    "update_preference", "attributes", "lot", "record_digest",
)  # fmt: skip
ECU_COLUMNS = ("vehicle_id", "name", "hw_id", "sw_version", "built_version")
CANDIDATE_COLUMNS = ("vehicle_id", "lot", "variant_id")

#: Stands for the vehicle's id in the rows of its ECUs until that is known; no text in a database holds it.
ID_SLOT = "\0"


class Row(NamedTuple):
    """A record that keeps all rules; ``vehicle`` and ``ecus`` are lines for COPY."""

    position: int
    line: int
    vin: str
    lot: int
    variant: Variant
    digest: bytes
    vehicle: str
    ecus: str


@dataclass(frozen=True)
class Refusal:
    """A record that was not imported: its ``line`` from 1, its ``index`` from 0 in an array, and why."""

    line: int
    index: int | None
    problems: tuple[Problem, ...]

    def __str__(self) -> str:
        where = f"line {self.line}" if self.index is None else f"line {self.line}, record {self.index}"
        return f"{where}: " + "; ".join(map(str, self.problems))

    def as_dict(self) -> dict[str, Any]:
        """A JSON object: ``line``, ``index`` and ``problems``, each with ``field``, ``value``, ``reason``."""
        problems = [{"field": p.field, "value": p.value, "reason": p.cure} for p in self.problems]
        return {"line": self.line, "index": self.index, "problems": problems}


@dataclass(frozen=True)
class Batch:
    """Some records of a file as rows, and those refused, by position; positions count from 0.

    ``in_array``: the file is a JSON array, where a position is the record's index.
    """

    rows: list[Row]
    refusals: dict[int, Refusal]
    read_bytes: int
    in_array: bool


def batch(found: Sequence[Found], first_position: int) -> Batch:
    """The rows of some records; those that break a rule stand in the batch's refusals instead."""
    rows: list[Row] = []
    refusals: dict[int, Refusal] = {}
    for position, item in enumerate(found, start=first_position):
        try:
            if item.fault:
                raise _Unfit("record", "", item.fault)
            rows.append(_row(position, item.line, item.text))
        except ValidationError as error:
            refusals[position] = Refusal(item.line, item.element, _problems(error))
        except _Unfit as unfit:
            refusals[position] = Refusal(item.line, item.element, (Problem(*unfit.args),))
    read = sum(len(item.text) for item in found)
    in_array = any(item.element is not None for item in found)
    return Batch(rows, refusals, read, in_array)


class _Unfit(ValueError):
    """JSON allows it and PostgreSQL does not; its arguments are those of a `Problem`."""


def _row(position: int, line: int, text: bytes) -> Row:
    """One record.

    Raises:
        ValidationError, _Unfit: the record breaks a rule.
    """
    built = AsBuilt.model_validate_json(text)
    ecus = sorted([(ecu.name, ecu.hw_id, ecu.sw_version) for ecu in built.ecus])
    groups = sorted(set(built.groups))
    window = None
    if built.install_window is not None:
        hours = built.install_window.model_dump(mode="json", by_alias=True, exclude_none=True)
        window = _json("install_window", hours)
    preference = built.update_preference and built.update_preference.value
    attributes = _json("attributes", built.attributes) if built.attributes else "{}"
    day = built.build_date.isoformat() if built.build_date else None
    facts = (built.vin, built.model, day, built.country, built.region, built.timezone)
    said = (facts, groups, window, attributes, ecus)
    # A record that says nothing of it keeps the digest it had before there was such a key.
    digest = hashlib.sha256(orjson.dumps((*said, preference) if preference else said))
    # In JSON a quote, a tab or a newline in a string takes a backslash: without one nothing needs escapes.
    plain = b"\\" not in text
    if not plain and b"\\u0000" in text:
        _refuse_nul(json.loads(text), "record")
    array = (_plain_array if plain else _array)(groups)
    place = lot(built.vin)
    alike = variant(built.model, built.country, built.region, ecus)
    cells: list[str | None] = [*facts, array, window, preference, attributes, str(place)]
    if not plain:
        cells = [_escaped(cell) for cell in cells]
        ecus = [(_escaped_text(name), _escaped_text(hw), _escaped_text(sw)) for name, hw, sw in ecus]
    vehicle = "\t".join([r"\N" if cell is None else cell for cell in cells])
    built_ecus = "".join([f"{ID_SLOT}\t{name}\t{hw}\t{sw}\t{sw}\n" for name, hw, sw in ecus])
    # COPY takes the backslash of a bytea's \x for its own unless it is doubled.
    record = f"{vehicle}\t\\\\x{digest.hexdigest()}\n"
    return Row(position, line, built.vin, place, alike, digest.digest(), record, built_ecus)


def _plain_array(items: Iterable[str]) -> str:
    inner = '","'.join(items)
    return f'{{"{inner}"}}' if inner else "{}"


def _array(items: Iterable[str]) -> str:
    return _plain_array(item.replace("\\", r"\\").replace('"', r"\"") for item in items)


def _escaped(cell: str | None) -> str | None:
    return None if cell is None else _escaped_text(cell)


def _escaped_text(cell: str) -> str:
    return cell.replace("\\", r"\\").replace("\t", r"\t").replace("\n", r"\n").replace("\r", r"\r")


def _json(field: str, value: dict[str, Any]) -> str:
    """The value in one spelling: sorted keys, no spaces."""
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except ValueError:
        cure = "holds NaN, Infinity or a number beyond 1e308, which JSON cannot store; use null"
        raise _Unfit(field, "", cure) from None


def _refuse_nul(value: object, field: str) -> None:
    if isinstance(value, str) and "\0" in value:
        raise _Unfit(field, repr(value[:40]), r"holds the character \u0000, which a database cannot store")
    if isinstance(value, dict):
        for key, inner in value.items():
            _refuse_nul(key, field)
            _refuse_nul(inner, str(key))
    elif isinstance(value, list):
        for inner in value:
            _refuse_nul(inner, field)


def _problems(error: ValidationError) -> tuple[Problem, ...]:
    first = error.errors(include_url=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        return (Problem("record", "", f"is no JSON: {first['ctx']['error']}"),)
    if first["type"] == "model_type" and not first["loc"]:
        return (Problem("record", "", "is no JSON object; a vehicle is written {...}"),)
    return tuple(
        replace(problem, field="record", value="") if problem.field == "definition" else problem
        for problem in explain(error, AsBuilt)
    )

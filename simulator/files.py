"""The files the simulator reads and writes. Every reader raises InputError with the place of the mistake."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from simulator.errors import InputError
from simulator.memory import Memory
from simulator.record import Record

T = TypeVar("T", bound=BaseModel)

_MEMORIES = TypeAdapter(dict[str, Memory])


class Token(BaseModel):
    """The secret by which the gateway knows one vehicle."""

    model_config = ConfigDict(frozen=True)

    vin: str
    token: str = Field(min_length=1)


def write_records(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """As-built records as JSON Lines."""
    with path.open("wb") as file:
        file.writelines(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE) for record in records)


def read_records(path: Path) -> list[Record]:
    """The fleet: JSON Lines of as-built records, each VIN once."""
    records = _read_lines(path, Record)
    if len({record.vin for record in records}) != len(records):
        raise InputError(f"{path}: a VIN occurs more than once")
    return records


def read_tokens(path: Path) -> dict[str, str]:
    """VIN to token, from JSON Lines of {"vin", "token"}."""
    return {entry.vin: entry.token for entry in _read_lines(path, Token)}


def read_memories(path: Path) -> dict[str, Memory]:
    """VIN to what the vehicle remembers; empty before the first stop, when there is no such file yet."""
    if not path.exists():
        return {}
    try:
        return _MEMORIES.validate_json(path.read_bytes())
    except ValidationError as error:
        raise InputError(f"{path}: not a state file: {_first(error)}") from error


def write_memories(path: Path, memories: Mapping[str, Memory]) -> None:
    """Replaces the file as a whole, so that a crash leaves the old or the new state, never half of one."""
    draft = path.with_name(path.name + ".new")
    draft.write_bytes(orjson.dumps(dict(memories)))
    draft.replace(path)


def _read_lines(path: Path, model: type[T]) -> list[T]:
    entries = []
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            entries.append(model.model_validate_json(line))
        except ValidationError as error:
            raise InputError(f"{path}, line {number}: {_first(error)}") from error
    return entries


def _first(error: ValidationError) -> str:
    problem = error.errors()[0]
    return f"{'.'.join(map(str, problem['loc'])) or 'value'}: {problem['msg']}"

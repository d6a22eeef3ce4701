"""The records in a fleet file, one by one: a JSON object, an array of them, or JSON Lines.

Which of the three is seen from the content. Nothing is decoded here: a record is the bytes it is written in.
Memory stays flat, whatever the file's size.
"""

import json
import re
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, NamedTuple

from campaign.problems import Problem, Refused

#: Far above any real record; below it, a broken file cannot fill the memory.
LONGEST_RECORD_BYTES = 1 << 20

#: How much of the file decides which form it has.
HEAD_BYTES = 1 << 16

CHUNK_BYTES = 1 << 18

CURE = "give as-built records in JSON: one object, an array, or one object a line"


class Found(NamedTuple):
    """A record's bytes and where it begins: ``line`` from 1, ``element`` from 0 in an array, else None.

    ``fault`` says why there are no bytes to read, where that is so.
    """

    line: int
    element: int | None
    text: bytes
    fault: str = ""


def open_fleet_file(path: Path) -> BufferedReader:
    """The file, opened for `records`.

    Raises:
        Refused: it is missing, a folder, or not readable.
    """
    try:
        return BufferedReader(path.open("rb", buffering=0), CHUNK_BYTES)
    except FileNotFoundError:
        raise _refused(path, "there is no such file; check the path") from None
    except IsADirectoryError:
        raise _refused(path, "is a folder; give one file in it") from None
    except OSError as error:
        raise _refused(path, f"cannot be read: {error.strerror}") from error


def records(file: BufferedReader, path: Path) -> Iterator[Found]:
    """The records of an open fleet file, in the file's order; ``path`` is for messages only.

    Raises:
        Refused: the file is empty, or is no JSON at all.
    """
    head = file.peek(HEAD_BYTES)[:HEAD_BYTES]
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _refused(path, "is UTF-16; save it as UTF-8")
    if head.startswith(b"\xef\xbb\xbf"):
        file.read(3)
        head = head[3:]
    first = head.lstrip()
    if first.startswith(b"["):
        return _of_array(file)
    if _is_one_object(first):
        return _of_object(file)
    if any(line.lstrip().startswith(b"{") for line in first.splitlines()):
        return _of_lines(file)
    if not first and len(head) < HEAD_BYTES:
        raise _refused(path, f"is empty; {CURE}")
    raise _refused(path, f"is no JSON; {CURE}")


def _is_one_object(head: bytes) -> bool:
    """Whether an object goes on in its second line: a key or the end, where JSON Lines has a brace again."""
    line, _, rest = head.partition(b"\n")
    if not line.startswith(b"{"):
        return False
    try:
        json.loads(line)
    except ValueError:
        return rest.lstrip()[:1] in (b'"', b"}", b"[", b"]", b":", b",")
    return False


def _of_lines(file: BinaryIO) -> Iterator[Found]:
    number = 0
    while line := file.readline(LONGEST_RECORD_BYTES):
        number += 1
        if len(line) == LONGEST_RECORD_BYTES and not line.endswith(b"\n"):
            while (rest := file.readline(CHUNK_BYTES)) and not rest.endswith(b"\n"):
                pass
            yield Found(number, None, b"", f"the line is longer than {LONGEST_RECORD_BYTES:,} bytes")
        elif not line.isspace():
            yield Found(number, None, line)


def _of_object(file: BinaryIO) -> Iterator[Found]:
    text = file.read(LONGEST_RECORD_BYTES + 1)
    line = 1 + _leading(text).count(b"\n")
    if len(text) > LONGEST_RECORD_BYTES:
        yield Found(line, None, b"", f"the object is longer than {LONGEST_RECORD_BYTES:,} bytes; {CURE}")
    else:
        yield Found(line, None, text)


#: A whole string, a bracket or a comma; a quote alone begins a string whose end was not read yet.
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[][{},]|"', re.DOTALL)


def _of_array(file: BinaryIO) -> Iterator[Found]:
    """The elements, cut at the commas between them: a broken one spoils no other."""
    buffer, start, line, index = b"", 0, 1, 0
    while (byte := file.read(1)) != b"[":
        line += byte == b"\n"
    while True:
        end = _element_end(buffer, start)
        if end is None:
            buffer, start = buffer[start:], 0
            more = file.read(CHUNK_BYTES) if len(buffer) <= LONGEST_RECORD_BYTES else b""
            if not more:
                yield Found(line + _leading(buffer).count(b"\n"), index, b"", _unended(buffer))
                return
            buffer += more
            continue
        element, closed = buffer[start:end], buffer[end : end + 1] == b"]"
        here = line + _leading(element).count(b"\n")
        if element and not element.isspace():
            yield Found(here, index, element)
        elif not (closed and index == 0):
            yield Found(here, index, b"", "there is no record before this comma or bracket")
        line += element.count(b"\n")
        if closed:
            break
        start, index = end + 1, index + 1
    if rest := (buffer[end + 1 :] + file.read(CHUNK_BYTES)).strip():
        yield Found(line, None, b"", f"the array ends here, {rest[:20]!r} follows; it was not read")


def _element_end(buffer: bytes, start: int) -> int | None:
    """Where the comma or bracket after an element stands; None while it was not read yet."""
    depth = 0
    for token in _TOKEN.finditer(buffer, start):
        match token[0]:
            case b"{" | b"[":
                depth += 1
            case b"," | b"]" if depth == 0:
                return token.start()
            case b"}" | b"]":
                depth = max(0, depth - 1)
            case b'"':
                return None
    return None


def _unended(buffer: bytes) -> str:
    if len(buffer) > LONGEST_RECORD_BYTES:
        return (
            f"the record has no end within {LONGEST_RECORD_BYTES:,} bytes: a quote or bracket is missing; "
            "nothing from here on was read"
        )
    return "the file ends inside the array: it was cut off, or a quote or bracket is missing"


def _leading(text: bytes) -> bytes:
    return text[: len(text) - len(text.lstrip())]


def _refused(path: Path, cure: str) -> Refused:
    return Refused([Problem(str(path), "", cure)], subject="fleet file")

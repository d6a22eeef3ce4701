"""Reading what vehicles write: feedback and configData, out of decoded JSON. Pure.

Strict where a mistake would change a state, lenient in all else: unknown members, ``id``, ``time`` and
``progress`` are ignored, and a single value stands for a list of one.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from campaign.assignment import Said
from campaign.permission import Consent
from gateway.errors import TooMany, malformed
from store.configuration import Mode

EXECUTIONS = (
    "closed",
    "proceeding",
    "canceled",
    "scheduled",
    "rejected",
    "resumed",
    "download",
    "downloaded",
)
FINISHED = ("success", "failure", "none")
#: The protocol's own words and one more: an owner may put it off.
CONFIRMATIONS = (Consent.CONFIRMED.value, Consent.DENIED.value, Consent.POSTPONED.value)
MODES: Mapping[str, Mode] = {"merge": "merge", "replace": "replace", "remove": "remove"}

CODE_MIN, CODE_MAX = -(2**31), 2**31 - 1

#: As hawkBit: a vehicle's facts, not a place to keep data.
ATTRIBUTES_MAX = 100
DETAILS_MAX = 50
ATTRIBUTE_MAX_CHARACTERS = 128
REMARK_MAX_CHARACTERS = 512
_PRINTABLE = re.compile(r"[ -~]*")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_feedback(body: Any) -> tuple[Said, datetime | None]:
    """What a feedback says, and when by the vehicle's clock (UTC).

    Raises:
        Malformed: no status, execution or result, or a word that is not the protocol's. TooMany details.
    """
    status = _members(_members(body, "body").get("status"), "status")
    result = _members(status.get("result"), "status.result")
    said = Said(
        execution=_word(status.get("execution"), EXECUTIONS, "status.execution"),
        finished=_word(result.get("finished"), FINISHED, "status.result.finished"),
        code=_code(status.get("code")),
        details=_details(status.get("details")),
    )
    return said, _time(body.get("timestamp"))


def read_confirmation(body: Any) -> tuple[Consent, tuple[str, ...]]:
    """What the owner says to an update, and the details.

    Raises:
        Malformed: no confirmation, or a word that is none.
    """
    members = _members(body, "body")
    word = _word(members.get("confirmation"), CONFIRMATIONS, "confirmation")
    return Consent(word), _details(members.get("details"))


def read_config(body: Any) -> tuple[Mode, dict[str, str | None]]:
    """The mode and the attributes of a configData; null removes a key.

    Raises:
        Malformed: no data, an unknown mode, or attributes that are not plain text. TooMany.
    """
    members = _members(body, "body")
    mode = members.get("mode")
    word = "merge" if mode is None else _word(mode, tuple(MODES), "mode")
    data = _members(members.get("data"), "data")
    if not data:
        raise malformed("data", data, "give at least one attribute")
    if len(data) > ATTRIBUTES_MAX:
        raise TooMany(f"at most {ATTRIBUTES_MAX} attributes are kept")
    return MODES[word], {_name(key): _attribute(value) for key, value in data.items()}


def read_installed(body: Any) -> tuple[str, str]:
    """The name and the version of the package a vehicle says it runs.

    Raises:
        Malformed: one of them is missing or no short text.
    """
    members = _members(body, "body")
    return _word_of_its_own(members.get("name"), "name"), _word_of_its_own(members.get("version"), "version")


def read_auto_confirm(body: Any) -> tuple[str | None, str | None]:
    """Who wants no installation to be confirmed any more, and why; both may be missing.

    Raises:
        Malformed: no object, or one of them is no short text.
    """
    members = _members({} if body is None else body, "body")
    initiator, remark = members.get("initiator"), members.get("remark")
    return (
        None if initiator is None else _word_of_its_own(initiator, "initiator"),
        None if remark is None else _word_of_its_own(remark, "remark", REMARK_MAX_CHARACTERS),
    )


def _word_of_its_own(value: Any, field: str, most: int = ATTRIBUTE_MAX_CHARACTERS) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= most or "\0" in value:
        raise malformed(field, value, f"give a text of 1 to {most} characters")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise malformed(field, value, "give a text that is Unicode") from None
    return value


def _members(value: Any, field: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise malformed(field, value, "give an object")
    return value


def _word(value: Any, known: tuple[str, ...], field: str) -> str:
    if not isinstance(value, str) or value not in known:
        raise malformed(field, value, f"give one of {', '.join(known)}")
    return value


def _code(value: Any) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not CODE_MIN <= value <= CODE_MAX:
        raise malformed("status.code", value, "give a whole number of 32 bits")
    return value


def _details(value: Any) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    if len(items) > DETAILS_MAX:
        raise TooMany(f"at most {DETAILS_MAX} details are kept of one report")
    return tuple(_text(item) for item in items if item is not None)


def _text(value: Any) -> str:
    if isinstance(value, dict | list):
        raise malformed("status.details", value, "give texts")
    # What PostgreSQL cannot store is replaced, so that one vehicle's rubbish spoils no group of reports.
    return str(value).replace("\0", "\ufffd").encode("utf-8", "replace").decode().strip()


def _time(value: Any) -> datetime | None:
    """A vehicle's clock is often wrong; an unusable time is no reason to lose the report."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        return None
    try:
        return _EPOCH + timedelta(milliseconds=value)
    except OverflowError:
        return None


def _attribute(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value) if isinstance(value, str | int | float) else ""
    if not isinstance(value, str | int | float) or len(text) > ATTRIBUTE_MAX_CHARACTERS:
        raise malformed("data", value, f"give texts of at most {ATTRIBUTE_MAX_CHARACTERS} characters")
    if not _PRINTABLE.fullmatch(text):
        raise malformed("data", value, "give printable ASCII")
    return text


def _name(key: str) -> str:
    if not (name := _attribute(key)):
        raise malformed("data", key, "give every attribute a name")
    return name

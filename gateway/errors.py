"""What the gateway answers when it cannot do what was asked. One class per status, one line per cause."""

import reprlib
from collections.abc import Mapping
from typing import ClassVar

import orjson
from starlette.responses import Response

from campaign.problems import Problem

#: How long a vehicle should wait after a 503. Its own poll interval is usually longer.
RETRY_AFTER_SECONDS = 5


class Refusal(Exception):
    """A request that is answered with an error. The message goes to the vehicle: no VIN, no internals."""

    status: ClassVar[int]
    code: ClassVar[str]

    def __init__(self, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.headers = dict(headers or {})


class Malformed(Refusal):
    """The body or the path is not what the protocol says."""

    status, code = 400, "ringmaster.malformed"


class Unauthorized(Refusal):
    """No token, a wrong token, or a vehicle that is not in the fleet: told apart for nobody."""

    status, code = 401, "ringmaster.unauthorized"


class Missing(Refusal):
    """There is no such thing, or not for this vehicle, or not now."""

    status, code = 404, "ringmaster.missing"


class WrongMethod(Refusal):
    """The resource exists and does not do that."""

    status, code = 405, "ringmaster.wrongMethod"


class NotAcceptable(Refusal):
    """The client wants a format that is not spoken here."""

    status, code = 406, "ringmaster.notAcceptable"


class Conflict(Refusal):
    """It is so already."""

    status, code = 409, "ringmaster.conflict"


class Over(Refusal):
    """The action is finished; nothing more is to be said of it."""

    status, code = 410, "ringmaster.over"


class Changed(Refusal):
    """If-Match names another content."""

    status, code = 412, "ringmaster.changed"


class TooLarge(Refusal):
    """The body is longer than any client's should be."""

    status, code = 413, "ringmaster.tooLarge"


class UnsupportedFormat(Refusal):
    """The body is in a format that is not spoken here."""

    status, code = 415, "ringmaster.unsupportedFormat"


class NoSuchRange(Refusal):
    """The range lies outside the file, or is none."""

    status, code = 416, "ringmaster.noSuchRange"


class TooMany(Refusal):
    """More entries than are kept for one vehicle."""

    status, code = 429, "ringmaster.tooMany"


class TooOften(Refusal):
    """More requests than one client should make; nothing was done."""

    status, code = 429, "ringmaster.tooOften"

    def __init__(self, seconds: int) -> None:
        super().__init__(f"too many requests; wait {seconds} s", {"Retry-After": str(seconds)})


class Failed(Refusal):
    """A fault of ours; the log has it."""

    status, code = 500, "ringmaster.failed"


class Unavailable(Refusal):
    """Not now: the database is away, or more is waiting than can be done in time."""

    status, code = 503, "ringmaster.unavailable"

    def __init__(self, message: str, seconds: int = RETRY_AFTER_SECONDS) -> None:
        super().__init__(message, {"Retry-After": str(seconds)})


class Contended(Unavailable):
    """Not now: others change the same. What comes next may well be recorded."""


#: Of what is nested too deep to be shown whole, too.
_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = 61


def malformed(field: str, value: object, cure: str) -> Malformed:
    """A Malformed that names the field, its value (shortened) and the cure."""
    shown = _REPR.repr(value)
    return Malformed(str(Problem(field, shown if len(shown) <= 60 else shown[:57] + "...", cure)))


def refusal_answer(refusal: Refusal) -> Response:
    """The error body of the protocol; 401 has none."""
    if isinstance(refusal, Unauthorized):
        return Response(status_code=refusal.status)
    body = {
        "exceptionClass": type(refusal).__name__,
        "errorCode": refusal.code,
        "message": str(refusal),
    }
    return Response(orjson.dumps(body), refusal.status, refusal.headers, media_type="application/json")

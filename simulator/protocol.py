"""DDI's JSON, read and written. Pure: no I/O and no state.

Readers take what the gateway sent and raise Malformed on anything that a careful client could not use.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

import orjson
from yarl import URL

from simulator.errors import Malformed

T = TypeVar("T")

FALLBACK_SLEEP_SECONDS = 30.0  # no interval, zero or rubbish must never become a flood


@dataclass(frozen=True, slots=True)
class Poll:
    """The answer to a poll: how long to wait, and the links on offer."""

    sleep_seconds: float
    config_data: URL | None
    deployment: URL | None
    cancel: URL | None
    confirmation: URL | None


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file to fetch; `size` in bytes, `sha256` in lower-case hex."""

    filename: str
    size: int
    sha256: str
    url: URL


@dataclass(frozen=True, slots=True)
class Deployment:
    """What to install. `update` maps ECU to its new version; `held`: offered, but not yet to be done."""

    update: dict[str, str]
    artifacts: tuple[Artifact, ...]
    held: bool


def _reader(read: Callable[[Any], T]) -> Callable[[Any], T]:
    """Turns the many ways in which foreign JSON can be wrong into Malformed."""

    @wraps(read)
    def guarded(body: Any) -> T:
        try:
            return read(body)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise Malformed(f"malformed {read.__name__.removeprefix('read_')}") from error

    return guarded


@_reader
def read_poll(body: Any) -> Poll:
    """The answer to GET base."""
    links = body.get("_links") or {}
    return Poll(
        sleep_seconds=_sleep_seconds(body),
        config_data=_url(links, "configData"),
        deployment=_url(links, "deploymentBase"),
        cancel=_url(links, "cancelAction"),
        confirmation=_url(links, "confirmationBase"),
    )


@_reader
def read_deployment(body: Any) -> Deployment:
    """The answer to GET deploymentBase."""
    deployment = body["deployment"]
    chunks = deployment["chunks"]
    return Deployment(
        update={chunk["name"]: chunk["version"] for chunk in chunks},
        artifacts=tuple(_artifact(raw) for chunk in chunks for raw in chunk.get("artifacts", ())),
        held="skip" in (deployment["download"], deployment["update"]),
    )


@_reader
def read_question(body: Any) -> str:
    """The action that GET confirmationBase wants confirmed."""
    body["confirmation"]["chunks"]
    return str(body["id"])


@_reader
def read_stop_id(body: Any) -> str:
    """The action that GET cancelAction wants stopped."""
    return str(body["cancelAction"]["stopId"])


def status(execution: str, finished: str, code: int, details: list[str], timestamp: int) -> bytes:
    """The body of a feedback, for a deployment or a cancellation; `timestamp` in ms since 1970."""
    return orjson.dumps(
        {
            "timestamp": timestamp,
            "status": {
                "execution": execution,
                "result": {"finished": finished},
                "code": code,
                "details": details,
            },
        }
    )


def confirmation(word: str) -> bytes:
    """The body of a feedback to a confirmation: what the owner says."""
    return orjson.dumps({"confirmation": word, "code": 200, "details": [f"the owner {word}"]})


def config_data(data: Mapping[str, str]) -> bytes:
    """The body of PUT configData: these attributes are added or changed, the others stay."""
    return orjson.dumps({"mode": "merge", "data": dict(data)})


def _url(links: Mapping[str, Any], *names: str) -> URL | None:
    """The first of the links that is there. Raises ValueError unless it is absolute: clients rely on that."""
    for name in names:
        if name in links:
            url = URL(links[name]["href"], encoded=True)
            url.origin()
            return url
    return None


def _artifact(raw: Mapping[str, Any]) -> Artifact:
    url = _url(raw["_links"], "download-http", "download")
    if url is None:
        raise ValueError("an artifact without a download link")
    return Artifact(filename=raw["filename"], size=int(raw["size"]), sha256=raw["hashes"]["sha256"], url=url)


def _sleep_seconds(body: Mapping[str, Any]) -> float:
    try:
        hours, minutes, seconds = map(int, body["config"]["polling"]["sleep"].split(":"))
    except (KeyError, TypeError, ValueError, AttributeError):
        return FALLBACK_SLEEP_SECONDS
    total = hours * 3600 + minutes * 60 + seconds
    return float(total) if total > 0 else FALLBACK_SLEEP_SECONDS

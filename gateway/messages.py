"""The documents of the protocol, built. Pure: the same facts give the same bytes, so ETags stay."""

import math
import zlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from campaign.assignment import FAILURES, Target
from campaign.definition import Interaction
from campaign.package import Module
from gateway.errors import RETRY_AFTER_SECONDS
from store.auto_confirm import AutoConfirm
from store.offers import Deployment, StoredArtifact

Json = dict[str, Any]

#: Every chunk's type: module software flashed to an ECU. hawkBit's own words (os, bApp, jvm) name layers of
#: one computer; no client reads more than the presence of a word here.
PART = "firmware"

#: Part of every ``c``: raise it when the same action begins to be described differently.
DOCUMENT_VERSION = 1

#: How far a vehicle's interval lies from the configured one, so that a fleet started at once spreads out.
SPREAD = 0.1

#: Within this time after the opening of an install window those who wait for it come, one after the other. A
#: vehicle has the same place every night: a longer one would have some sleep through a short window for ever.
OPENING_SPREAD = timedelta(minutes=5)

_DAY_SECONDS = 24 * 60 * 60

#: download and update by interaction. "skip" is never said: SWUpdate reports it as a success.
_HANDLING = {
    Interaction.SILENT: "forced",
    Interaction.FORCED: "forced",
    Interaction.BANNER: "attempt",
    Interaction.CONFIRM: "attempt",
}


def sleep(vin: str, interval: timedelta, opens_in: timedelta | None = None) -> str:
    """The poll interval of a vehicle, HH:MM:SS, 00:00:01 to 23:59:59, always the same for one VIN.

    Zero makes rauc-hawkbit poll without pause, and a day or more is another format.

    Args:
        opens_in: how long it is to the opening of its install window. Where that is sooner the vehicle comes
            within the interval after it, and within `OPENING_SPREAD`.
    """
    place = _place(vin)
    seconds = round(interval.total_seconds() * (1 + SPREAD * (2 * place - 1)))
    if opens_in is not None:
        spread = min(interval, OPENING_SPREAD).total_seconds()
        seconds = min(seconds, math.ceil(opens_in.total_seconds() + place * spread))
    seconds = min(max(seconds, 1), _DAY_SECONDS - 1)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def retry_after(vin: str, level: int) -> int:
    """Seconds after which a vehicle that was sent away may come back.

    Spread over vehicles, the more the busier we are: who was sent away together shall not return so.
    """
    return round(RETRY_AFTER_SECONDS * (1 + _place(vin) * (2 << level)))


def _place(vin: str) -> float:
    """The place of a vehicle among all, 0 to 1, always the same."""
    return zlib.crc32(vin.encode()) / 0xFFFFFFFF


def poll(
    home: str,
    sleep: str,
    *,
    config_wanted: bool = False,
    deployment: int | None = None,
    cancel: int | None = None,
    installed: int | None = None,
    confirm: int | None = None,
) -> Json:
    """The answer to a poll; ``home`` is the base of the vehicle's links, the rest what is linked.

    Of ``cancel``, ``deployment`` and ``confirm`` the first one is linked: clients act on one.
    """
    links: dict[str, Json] = {}
    if cancel is not None:
        # Without a query: SWUpdate appends "/feedback" to this address.
        links["cancelAction"] = {"href": f"{home}/cancelAction/{cancel}"}
    elif deployment is not None:
        # With a query: hawkBit's own clients read the id between the last "/" and the "?".
        links["deploymentBase"] = {"href": f"{home}/deploymentBase/{deployment}?c={change_mark(deployment)}"}
    elif confirm is not None:
        links["confirmationBase"] = {"href": f"{home}/confirmationBase/{confirm}?c={change_mark(confirm)}"}
    if installed is not None:
        links["installedBase"] = {"href": f"{home}/installedBase/{installed}"}
    if config_wanted:
        links["configData"] = {"href": f"{home}/configData"}
    answer: Json = {"config": {"polling": {"sleep": sleep}}}
    return answer | {"_links": links} if links else answer


def change_mark(action: int) -> int:
    """The ``c`` of a deployment link: another number when the deployment would be described differently.

    An action's package and interaction are frozen with its campaign, so the action names the description.
    """
    return zlib.crc32(f"{DOCUMENT_VERSION}:{action}".encode())


#: The protocol's words for the states a description is given in.
_STATUS = {
    Target.OFFERED: "RETRIEVED",
    Target.DOWNLOADING: "DOWNLOAD",
    Target.INSTALLING: "RUNNING",
    Target.SUCCEEDED: "FINISHED",
    **dict.fromkeys(FAILURES, "ERROR"),
}


def deployment(home: str, found: Deployment, said: Sequence[str] | None = None) -> Json:
    """What to install, or was installed: one chunk per module, named by its ECU.

    Args:
        said: the vehicle's own messages, the newest first; None: it did not ask for them.
    """
    answer: Json = {"id": str(found.action), "deployment": _described(home, found)}
    if said is None:
        return answer
    return answer | {"actionHistory": {"status": _STATUS[found.state], "messages": list(said)}}


def confirmation(home: str, found: Deployment) -> Json:
    """What the owner is asked to confirm: described like a deployment whose files are not to be had yet."""
    return {"id": str(found.action), "confirmation": _described(home, found)}


def _described(home: str, found: Deployment) -> Json:
    handling = _HANDLING[found.interaction]
    chunks = [
        _chunk(home, module, found.artifacts[module.artifact.sha256]) for module in found.package.modules
    ]
    # Only ever open: where it is not, there is no description, for "skip" would be taken for a success.
    window = {"maintenanceWindow": "available"} if found.windowed else {}
    return {"download": handling, "update": handling, **window, "chunks": chunks}


def _chunk(home: str, module: Module, stored: StoredArtifact) -> Json:
    file = artifact(home, stored, module.artifact.filename)
    return {"part": PART, "version": module.version, "name": module.ecu, "artifacts": [file]}


def artifact(home: str, stored: StoredArtifact, filename: str) -> Json:
    """A file: its sums, its size in bytes, and where it and its MD5SUM are."""
    href = f"{home}/softwaremodules/{stored.id}/artifacts/{filename}"
    links = {"download-http": {"href": href}, "md5sum-http": {"href": f"{href}.MD5SUM"}}
    if home.startswith("https:"):
        links |= {"download": {"href": href}, "md5sum": {"href": f"{href}.MD5SUM"}}
    return {
        "filename": filename,
        "hashes": {"sha1": stored.sha1, "md5": stored.md5, "sha256": stored.sha256},
        "size": stored.size_bytes,
        "_links": links,
    }


def auto_confirm(home: str, found: AutoConfirm | None, asked: int | None = None) -> Json:
    """Whether a vehicle is spared its confirmations, how to change that, and what it is asked about now.

    Times in ms since 1970.
    """
    base = f"{home}/confirmationBase"
    links = {} if asked is None else {"confirmationBase": {"href": f"{base}/{asked}?c={change_mark(asked)}"}}
    if found is None:
        return {
            "autoConfirm": {"active": False, "activatedAt": 0},
            "_links": {"activateAutoConfirm": {"href": f"{base}/activateAutoConfirm"}, **links},
        }
    words = {"initiator": found.initiator, "remark": found.remark}
    return {
        "autoConfirm": {
            "active": True,
            "activatedAt": round(found.activated_at.timestamp() * 1000),
            **{name: word for name, word in words.items() if word is not None},
        },
        "_links": {"deactivateAutoConfirm": {"href": f"{base}/deactivateAutoConfirm"}},
    }


def cancel(action: int) -> Json:
    """The request to stop an action."""
    return {"id": str(action), "cancelAction": {"stopId": str(action)}}

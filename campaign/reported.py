"""The software a vehicle names in its configuration, and what that disproves.

Rules: an attribute ``sw_version.<ECU>`` says what the ECU runs; every other one says nothing of software. A
vehicle that still runs what it ran before an update has disproved its claim to have installed it. Any other
software than the one installed came from elsewhere since, and disproves nothing.
"""

from collections.abc import Mapping

from campaign.versions import same_version

PREFIX = "sw_version."


def reported_versions(data: Mapping[str, str | None]) -> dict[str, str]:
    """What ECUs run, by name, out of the attributes of a configuration."""
    return {
        ecu: version.strip()
        for key, version in data.items()
        if (ecu := key.removeprefix(PREFIX)) and ecu != key and version is not None and version.strip()
    }


def disproves(version: str, *, before: str | None, installed: str) -> bool:
    """Whether an ECU that runs this version was not updated, whatever was claimed.

    Args:
        version: what it is said to run.
        before: what it ran before the update, as far as known.
        installed: what the update is said to have brought.
    """
    return before is not None and same_version(version, before) and not same_version(version, installed)

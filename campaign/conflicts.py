"""When two campaigns cannot both be right about a vehicle: they bring different software to the same ECU."""

from enum import StrEnum

from campaign.package import Package


class OnConflict(StrEnum):
    """What to do about vehicles that another campaign is not done with, and would change otherwise.

    ``refuse`` the campaign, ``wait`` with the selection until the other one is over, ``skip`` the vehicles.
    """

    REFUSE = "refuse"
    WAIT = "wait"
    SKIP = "skip"


def differences(package: Package, other: Package) -> list[str]:
    """The ECUs on which two packages contradict each other, such as ``Radar 1.5.0 against 1.4.0``."""
    theirs = {module.ecu: module for module in other.modules}
    found = []
    for module in package.modules:
        known = theirs.get(module.ecu)
        if known is None:
            continue
        if known.version != module.version:
            found.append(f"{module.ecu} {module.version} against {known.version}")
        elif known.artifact.sha256 != module.artifact.sha256:
            found.append(f"{module.ecu} {module.version} against another file of that version")
    return found

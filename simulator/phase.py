"""What a vehicle is doing, as an observer beside the road would see it."""

from enum import StrEnum


class Phase(StrEnum):
    """One word per vehicle and moment. The outcomes last until the next update begins."""

    OFFLINE = "offline"  # has not reached the gateway, or lost it
    POLLING = "polling"  # in contact, nothing done yet, or the last offer went away
    DEFERRED = "deferred"  # offered an update, but a precondition is missing
    DOWNLOADING = "downloading"
    INSTALLING = "installing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"
    CRITICAL = "critical"  # must not be driven
    SILENT = "silent"  # bricked while it installed; never heard of again

"""What can go wrong, in families by who must act."""


class InputError(ValueError):
    """A file, scenario or option given to the simulator is wrong; a person must correct it."""


class LinkDown(Exception):
    """No usable answer now: connection lost, 401, 429, 5xx or not the protocol. Try again later.

    `retry_after` is the wait the server asked for, in seconds, if it asked.
    """

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


class Malformed(LinkDown):
    """The server answered with something that is not DDI; asking again may cure it."""


class Refused(Exception):
    """The server refused for good (404, 410, ...): the same request must not be repeated."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status


class CorruptArtifact(Exception):
    """The bytes received are not those that the deployment promised."""


class Cancelled(Exception):
    """The server took the running update back, and the vehicle has agreed."""

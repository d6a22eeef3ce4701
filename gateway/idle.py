"""Polls of vehicles for which there is nothing, answered out of memory.

Most requests of a fleet are these. They are answered before the application routes them, if the vehicle was
idle when its standing was asked for and the epoch is still the same: one tiny question to the database,
shared by all polls that arrive meanwhile. So an answer is as fresh as if everything had been asked for.
All other requests, and all that is out of the ordinary, go the usual way.
"""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from gateway.errors import Refusal
from gateway.known import Known

#: The answer to a request of this vehicle, for which there is nothing but what it installed last.
Answer = Callable[[Request, str, int | None], Response]


class IdlePolls:
    """The short way.

    Args:
        vehicles: the path of all vehicles, up to the VIN.
        epoch: asks for the epoch.
        take: counts one request of a vehicle. Raises TooOften.
        idle: the answer.
    """

    def __init__(
        self,
        vehicles: str,
        known: Known,
        epoch: Callable[[], Awaitable[int]],
        take: Callable[[int], None],
        idle: Answer,
    ) -> None:
        self._vehicles = vehicles
        self._known = known
        self._epoch = epoch
        self._take = take
        self._idle = idle

    async def answer(self, scope: Scope) -> Response | None:
        """The answer to the poll of an idle vehicle; None: another request, it goes the usual way."""
        if scope["method"] != "GET" or not scope["path"].startswith(self._vehicles):
            return None
        vin = scope["path"][len(self._vehicles) :]
        proof = self._known.proof(vin, _authorization(scope))
        if not self._known.idle(proof):
            return None
        try:
            vehicle_id = self._known.vehicle_id(proof, await self._epoch())
            if vehicle_id is None or not self._known.idle(proof):
                return None
            self._take(vehicle_id)
            return self._idle(Request(scope), vin, self._known.installed(proof))
        except Refusal:
            return None  # the usual way finds the same and says it


def _authorization(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"authorization":
            return str(value, "latin-1")
    return ""

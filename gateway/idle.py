"""Polls of vehicles for which there is nothing, answered out of memory.

Most requests of a fleet are these. They are answered before the application routes them, if the vehicle was
idle when its standing was asked for and the epoch is still the same: one tiny question to the database,
shared by all polls that arrive meanwhile. So an answer is as fresh as if everything had been asked for.
All other requests, and all that is out of the ordinary, go the usual way.
"""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.errors import Refusal
from gateway.known import Known

#: The answer to a request of this vehicle, for which there is nothing but what it installed last.
Answer = Callable[[Request, str, int | None], Response]


class IdlePolls:
    """Stands before the application.

    Args:
        base: the path of all vehicles, up to the VIN.
        epoch: asks for the epoch.
        admit: counts one request of a vehicle. Raises TooOften.
    """

    def __init__(
        self,
        app: ASGIApp,
        base: str,
        known: Known,
        epoch: Callable[[], Awaitable[int]],
        admit: Callable[[int], None],
        answer: Answer,
    ) -> None:
        self._app = app
        self._base = base
        self._known = known
        self._epoch = epoch
        self._admit = admit
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The application's answer, or a shorter way to the same."""
        response = await self._of_idle(scope) if scope["type"] == "http" else None
        await (response or self._app)(scope, receive, send)

    async def _of_idle(self, scope: Scope) -> Response | None:
        if scope["method"] != "GET" or not scope["path"].startswith(self._base):
            return None
        request = Request(scope)
        vin = scope["path"][len(self._base) :]
        proof = self._known.proof(vin, request.headers.get("authorization", ""))
        if not self._known.idle(proof):
            return None
        try:
            vehicle_id = self._known.vehicle_id(proof, await self._epoch())
            if vehicle_id is None or not self._known.idle(proof):
                return None
            self._admit(vehicle_id)
            return self._answer(request, vin, self._known.installed(proof))
        except Refusal:
            return None  # the usual way finds the same and says it

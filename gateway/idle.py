"""Polls of vehicles for which there is nothing, answered out of memory.

Most requests of a fleet are these. They are answered before the application routes them, if the vehicle was
idle when its standing was asked for and the epoch is still the same: one tiny question to the database,
shared by all polls that arrive meanwhile. So an answer is as fresh as if everything had been asked for.
All other requests, and all that is out of the ordinary, go the usual way.
"""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from gateway.batch import POLLS_WAITING
from gateway.errors import TooOften, Unavailable, refusal_answer
from gateway.fleet import Fleet
from gateway.known import Known
from gateway.messages import retry_after

#: The answer to a request of this vehicle, for which there is nothing but what it installed last.
Answer = Callable[[Request, str, int | None], Response]


class IdlePolls:
    """The short way.

    Args:
        vehicles: the path of all vehicles, up to the VIN.
        take: counts one request of a vehicle. Raises TooOften.
        idle: the answer.
    """

    def __init__(
        self, vehicles: str, known: Known, fleet: Fleet, take: Callable[[int], None], idle: Answer
    ) -> None:
        self._vehicles = vehicles
        self._known = known
        self._fleet = fleet
        self._take = take
        self._idle = idle

    async def answer(self, scope: Scope) -> Response | None:
        """The answer to the poll of an idle vehicle; None: another request, it goes the usual way."""
        if scope["method"] != "GET" or not scope["path"].startswith(self._vehicles):
            return None
        vin = scope["path"][len(self._vehicles) :]
        if "/" in vin:
            return None
        proof = self._known.proof(vin, _authorization(scope))
        if not self._known.idle(proof):
            return None
        try:
            vehicle_id = self._known.vehicle_id(proof, await self._fleet.epoch(POLLS_WAITING))
            if vehicle_id is None or not self._known.idle(proof):
                return None
            answer = self._idle(Request(scope), vin, self._known.installed(proof))
            self._take(vehicle_id)
            return answer
        except TooOften as refusal:
            return refusal_answer(refusal)
        except Unavailable as away:
            return refusal_answer(Unavailable(str(away), retry_after(vin, self._fleet.pressure)))
        except Exception:
            return None  # the usual way finds the same, says it and logs it


def _authorization(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"authorization":
            return str(value, "latin-1")
    return ""

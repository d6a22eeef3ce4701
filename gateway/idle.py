"""Polls of vehicles for which there is nothing, answered out of memory.

Most requests of a fleet are these. The connection hands them over before it begins with a request at all
(gateway/connection.py), and they are answered if the vehicle was idle when its standing was asked for and the
epoch is still the same: one tiny question to the database, shared by all polls that arrive meanwhile. So an
answer is as fresh as if everything had been asked for. All other requests, and all that is out of the
ordinary, go the usual way.
"""

import asyncio
from collections.abc import Callable
from functools import partial

from starlette.responses import Response
from starlette.types import Scope

from gateway.batch import POLLS_WAITING
from gateway.errors import TooOften, Unavailable, refusal_answer
from gateway.fleet import Fleet
from gateway.known import Known
from gateway.resource import sent_away

#: The answer to a request of this vehicle, for which there is nothing but what it installed last.
Answer = Callable[[Scope, str, int | None], Response]
#: What is done with the answer; None: the request goes the usual way.
Done = Callable[[Response | None], None]


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

    def offer(self, scope: Scope, done: Done) -> bool:
        """Whether this is the poll of an idle vehicle; if so, `done` is called later, and once."""
        path: str = scope["path"]
        if scope["method"] != "GET" or not path.startswith(self._vehicles):
            return False
        vin = path[len(self._vehicles) :]
        if "/" in vin:
            return False
        proof = self._known.proof_in(scope, vin)
        if not self._known.idle(proof):
            return False
        try:
            asked = self._fleet.epoch(POLLS_WAITING)
        except Unavailable as away:
            asyncio.get_running_loop().call_soon(done, sent_away(away, vin, self._fleet.pressure))
        else:
            asked.add_done_callback(partial(self._end, scope, vin, proof, done))
        return True

    def _end(self, scope: Scope, vin: str, proof: bytes, done: Done, asked: asyncio.Future[int]) -> None:
        try:
            answer = self._answer(scope, vin, proof, asked.result())
        except TooOften as refusal:
            answer = refusal_answer(refusal)
        except Unavailable as away:
            answer = sent_away(away, vin, self._fleet.pressure)
        except (Exception, asyncio.CancelledError):
            answer = None  # the usual way finds the same, says it and logs it
        done(answer)

    def _answer(self, scope: Scope, vin: str, proof: bytes, epoch: int) -> Response | None:
        vehicle_id = self._known.vehicle_id(proof, epoch)
        if vehicle_id is None or not self._known.idle(proof):
            return None
        answer = self._idle(scope, vin, self._known.installed(proof))
        self._take(vehicle_id)
        return answer

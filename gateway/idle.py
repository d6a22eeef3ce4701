"""Polls of vehicles for which there is nothing, answered out of memory.

Most requests of a fleet are these. The connection hands them over before it begins with a request at all
(gateway/connection.py), and they are answered if the vehicle was idle when its standing was asked for and the
epoch is still the same: one tiny question to the database, shared by all polls that arrive meanwhile. So an
answer is as fresh as if everything had been asked for. All other requests, and all that is out of the
ordinary, go the usual way.
"""

from collections.abc import Callable
from functools import partial

from starlette.responses import Response
from starlette.types import Scope

from gateway.batch import POLLS_WAITING
from gateway.fleet import Fleet
from gateway.known import Known
from gateway.short_way import Done, ShortWay

#: The answer to a request of this vehicle, for which there is nothing but what it installed last.
Answer = Callable[[Scope, str, int | None], Response]


class IdlePolls(ShortWay):
    """The short way of polls.

    Args:
        idle: the answer.
    """

    def __init__(
        self, vehicles: str, known: Known, fleet: Fleet, take: Callable[[int], None], idle: Answer
    ) -> None:
        super().__init__(vehicles, known, fleet, take)
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
        ask = partial(self._fleet.epoch, POLLS_WAITING)
        self._later(vin, ask, partial(self._answer, scope, vin, proof), done)
        return True

    def _answer(self, scope: Scope, vin: str, proof: bytes, epoch: int) -> Response | None:
        vehicle_id = self._known.vehicle_id(proof, epoch)
        if vehicle_id is None or not self._known.idle(proof):
            return None
        self._take(vehicle_id)
        return self._idle(scope, vin, self._known.installed(proof))

"""Requests answered without a task for each: what the kinds of them have in common.

Nearly all requests of a fleet are polls and reports of vehicles that have proven who they are. The connection
hands them over as they were sent (gateway/connection.py). What is out of the ordinary goes the usual way,
which says what is wrong with it.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any, Generic, NamedTuple, Union

from starlette.responses import Response
from starlette.types import Scope

from gateway.errors import Refusal, Unavailable, refusal_answer
from gateway.fleet import Fleet
from gateway.known import Known
from gateway.resource import sent_away
from gateway.shapes import PROOF, Kept, Sent, Shapes

#: What is done with the answer; None: the request goes the usual way.
Done = Callable[[Response | None], None]
#: Where a connection comes from: address and port.
Peer = tuple[str, int] | None


class Asked(NamedTuple, Generic[Kept]):
    """A request as it was sent, whose it says it is, the proof of that, and where it comes from."""

    sent: Sent[Kept]
    vin: str
    proof: bytes
    peer: Peer


class Step(NamedTuple):
    """A question, and what follows from its result: the answer, another step, or the usual way (None)."""

    ask: Callable[[], "asyncio.Future[Any]"]
    then: Callable[[Any], Union[Response, "Step", None]]


class ShortWay(ABC, Generic[Kept]):
    """The short way of vehicles that are known by proof.

    Args:
        vehicles: the path of all vehicles, up to the VIN.
        shapes: how their requests look.
        take: counts one request of a vehicle. Raises TooOften.
    """

    def __init__(
        self, vehicles: str, shapes: Shapes[Kept], known: Known, fleet: Fleet, take: Callable[[int], None]
    ) -> None:
        self._vehicles = vehicles
        self._shapes = shapes
        self._known = known
        self._fleet = fleet
        self._take = take

    def learn(self, data: bytes, scope: Scope) -> None:
        """Read others like this request without the parser (gateway/shapes.py), if a known vehicle sends it.

        Strangers cannot make us forget the shapes of a fleet.
        """
        path: str = scope["path"]
        if path.startswith(self._vehicles):
            vin = path[len(self._vehicles) :].partition("/")[0]
            if self._known.proof_in(scope, vin) in self._known:
                self._shapes.learn(data, scope)

    def offer(self, data: bytes, peer: Peer, done: Done) -> bool:
        """Whether this is a request, in order, of a known vehicle; then `done` is called later, and once."""
        sent = self._shapes.read(data)
        if sent is None:
            return False
        vin = sent.word("vin")
        proof = self._known.proof(vin, sent.word(PROOF.group))
        step = self._begin(Asked(sent, vin, proof, peer))
        if step is None:
            return False
        self._go(vin, step, done)
        return True

    @abstractmethod
    def _begin(self, asked: Asked[Kept]) -> Step | None:
        """The first step of what this vehicle asks; None: it goes the usual way."""

    def _go(self, vin: str, step: Step, done: Done) -> None:
        try:
            asked = step.ask()
        except Exception as wrong:
            asyncio.get_running_loop().call_soon(done, self._sent_back(vin, wrong))
        else:
            asked.add_done_callback(partial(self._went, vin, step, done))

    def _went(self, vin: str, step: Step, done: Done, asked: "asyncio.Future[Any]") -> None:
        given = self._followed(vin, step, asked)
        if isinstance(given, Step):
            self._go(vin, given, done)
        else:
            done(given)

    def _followed(self, vin: str, step: Step, asked: "asyncio.Future[Any]") -> Response | Step | None:
        if asked.cancelled():
            return None
        # Not raised here: it would hold this frame, and so the connection, until garbage is collected.
        wrong = asked.exception()
        if wrong is not None:
            return self._sent_back(vin, wrong)
        try:
            return step.then(asked.result())
        except Exception as error:
            return self._sent_back(vin, error)

    def _sent_back(self, vin: str, wrong: BaseException) -> Response | None:
        if isinstance(wrong, Unavailable):
            return sent_away(wrong, vin, self._fleet.pressure)
        if isinstance(wrong, Refusal):
            return refusal_answer(wrong)
        return None  # nothing was acknowledged; the usual way finds the same, says it and logs it

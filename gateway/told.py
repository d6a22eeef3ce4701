"""Reports of vehicles that are known, recorded without a task for each.

After idle polls (gateway/idle.py) most requests of a fleet are these. The connection hands them over when
their body is there (gateway/connection.py). What is in order goes to its group at once, where it is proven
and recorded as every other report; all else goes the usual way, which says what is wrong with it.
"""

import asyncio
from collections.abc import Callable
from functools import partial

from starlette.types import Scope

from gateway.body import decoder
from gateway.errors import Refusal, Unavailable, refusal_answer
from gateway.feedback import FEEDBACK_MAX_BYTES, Feedback
from gateway.fleet import Fleet
from gateway.idle import Done
from gateway.ids import path_id
from gateway.known import Known
from gateway.quota import Quota
from gateway.resource import sent_away
from store.reports import Effect, Report


class KnownReports:
    """The short way.

    Args:
        vehicles: the path of all vehicles, up to the VIN.
        take: counts one request of a vehicle. Raises TooOften.
        feedback: the usual way.
    """

    def __init__(
        self,
        vehicles: str,
        known: Known,
        fleet: Fleet,
        take: Callable[[int], None],
        quota: Quota,
        feedback: Feedback,
    ) -> None:
        self._vehicles = vehicles
        self._known = known
        self._fleet = fleet
        self._take = take
        self._quota = quota
        self._feedback = feedback

    def offer(self, scope: Scope, body: bytes, done: Done) -> bool:
        """Whether this is a report, in order, of a known vehicle; if so, `done` is called later, and once."""
        path: str = scope["path"]
        if not path.startswith(self._vehicles) or len(body) > FEEDBACK_MAX_BYTES:
            return False
        vin, *rest = path[len(self._vehicles) :].split("/")
        if len(rest) != 3 or rest[0] != "deploymentBase" or rest[2] != "feedback":
            return False
        proof = self._known.proof_in(scope, vin)
        vehicle = self._known.remembered(proof, vin)
        if vehicle is None:
            return False
        try:
            report = self._feedback.report(vehicle, path_id(rest[1]), decoder(scope)(body))
            if not self._quota.clear(report):
                return False
            self._take(vehicle.vehicle_id)  # last: the usual way counts for itself
        except Exception:
            return False  # the usual way finds the same, says it, and logs what is a fault of ours
        try:
            recorded = self._fleet.record(report)
        except Unavailable as away:
            asyncio.get_running_loop().call_soon(done, sent_away(away, vin, self._fleet.pressure))
        else:
            recorded.add_done_callback(partial(self._end, vin, proof, report, done))
        return True

    def _end(
        self, vin: str, proof: bytes, report: Report, done: Done, recorded: asyncio.Future[Effect]
    ) -> None:
        answer = None
        try:
            effect = recorded.result()
            if effect is Effect.UNPROVEN:
                self._known.forget(proof)  # so that the usual way asks at once
            else:
                answer = self._feedback.answer(report, effect)
        except Unavailable as away:
            answer = sent_away(away, vin, self._fleet.pressure)
        except Refusal as refusal:
            answer = refusal_answer(refusal)
        except (Exception, asyncio.CancelledError):
            answer = None  # nothing was acknowledged; the usual way finds the same, says it and logs it
        done(answer)

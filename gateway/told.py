"""Reports of vehicles that are known, recorded without a task for each.

After idle polls (gateway/idle.py) most requests of a fleet are these. The connection hands them over when
their body is there (gateway/connection.py). What is in order goes to its group at once, where it is proven
and recorded as every other report; all else goes the usual way, which says what is wrong with it.
"""

from collections.abc import Callable
from functools import partial

from starlette.responses import Response
from starlette.types import Scope

from gateway.body import decoder
from gateway.feedback import FEEDBACK_MAX_BYTES, Feedback
from gateway.fleet import Fleet
from gateway.ids import path_id
from gateway.known import Known
from gateway.quota import Quota
from gateway.short_way import Done, ShortWay
from store.reports import Effect, Report


class KnownReports(ShortWay):
    """The short way of reports.

    Args:
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
        super().__init__(vehicles, known, fleet, take)
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
        ask = partial(self._fleet.record, report)
        self._later(vin, ask, partial(self._answer, proof, report), done)
        return True

    def _answer(self, proof: bytes, report: Report, effect: Effect) -> Response | None:
        if effect is Effect.UNPROVEN:
            self._known.forget(proof)  # so that the usual way asks at once
            return None
        return self._feedback.answer(report, effect)

"""Reports of vehicles that are known, recorded without a task for each.

After idle polls (gateway/idle.py) most requests of a fleet are these. The connection hands them over as they
were sent (gateway/connection.py). What is in order goes to its group at once, where it is proven and recorded
as every other report; all else goes the usual way, which says what is wrong with it.
"""

from collections.abc import Callable
from functools import partial

from starlette.responses import Response
from starlette.types import Scope

from gateway.feedback import FEEDBACK_MAX_BYTES, Feedback
from gateway.fleet import Fleet
from gateway.ids import path_id
from gateway.known import Known
from gateway.quota import Quota
from gateway.shapes import Shapes
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
        self._shapes = Shapes(vehicles)

    def learn(self, data: bytes, scope: Scope) -> None:
        """Read others like this request without the parser (gateway/shapes.py), if a known vehicle sends it.

        Strangers cannot make us forget the shapes of a fleet.
        """
        path: str = scope["path"]
        if path.startswith(self._vehicles):
            vin = path[len(self._vehicles) :].partition("/")[0]
            if self._known.remembered(self._known.proof_in(scope, vin), vin) is not None:
                self._shapes.learn(data, scope)

    def offer(self, data: bytes, done: Done) -> bool:
        """Whether this is a report, in order, of a known vehicle; if so, `done` is called later, and once."""
        sent = self._shapes.read(data)
        if sent is None or len(sent.body) > FEEDBACK_MAX_BYTES:
            return False
        proof = self._known.proof(sent.vin, sent.authorization)
        vehicle = self._known.remembered(proof, sent.vin)
        if vehicle is None:
            return False
        try:
            report = self._feedback.report(vehicle, path_id(sent.action), sent.decode(sent.body))
            if not self._quota.clear(report):
                return False
            self._take(vehicle.vehicle_id)  # last: the usual way counts for itself
        except Exception:
            return False  # the usual way finds the same, says it, and logs what is a fault of ours
        ask = partial(self._fleet.record, report)
        self._later(sent.vin, ask, partial(self._answer, proof, report), done)
        return True

    def _answer(self, proof: bytes, report: Report, effect: Effect) -> Response | None:
        if effect is Effect.UNPROVEN:
            self._known.forget(proof)  # so that the usual way asks at once
            return None
        return self._feedback.answer(report, effect)

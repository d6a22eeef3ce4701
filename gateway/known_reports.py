"""Reports of vehicles that are known, recorded without a task for each.

What is in order goes to its group at once, where it is proven and recorded as every other report.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from starlette.responses import Response

from gateway.body import decoder
from gateway.feedback import FEEDBACK_MAX_BYTES, Feedback
from gateway.fleet import Fleet
from gateway.ids import path_id
from gateway.known import Known
from gateway.quota import Quota
from gateway.shapes import LENGTH, PROOF, VIN, Shapes
from gateway.short_way import Asked, ShortWay, Step
from store.reports import Effect, Report

Decode = Callable[[bytes], Any]


def shapes_of_reports(vehicles: str) -> Shapes[Decode]:
    """The shapes of reports, and what reads the body of each."""
    path = rb"%b%b/deploymentBase/(?P<action>[0-9]{1,10})/feedback" % (re.escape(vehicles.encode()), VIN)
    return Shapes(b"POST", path, (PROOF, LENGTH), decoder)


class KnownReports(ShortWay[Decode]):
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
        super().__init__(vehicles, shapes_of_reports(vehicles), known, fleet, take)
        self._quota = quota
        self._feedback = feedback

    def _begin(self, asked: Asked[Decode]) -> Step | None:
        sent = asked.sent
        vehicle = self._known.remembered(asked.proof, asked.vin)
        if vehicle is None or len(sent.body) > FEEDBACK_MAX_BYTES:
            return None
        try:
            action = path_id(sent.word("action"))
            report = self._feedback.report(vehicle, action, sent.kept(sent.body))
            if not self._quota.clear(report):
                return None
            self._take(vehicle.vehicle_id)  # last: the usual way counts for itself
        except Exception:
            return None  # the usual way finds the same, says it, and logs what is a fault of ours
        return Step(partial(self._fleet.record, report), partial(self._answer, asked.proof, report))

    def _answer(self, proof: bytes, report: Report, effect: Effect) -> Response | None:
        if effect is Effect.UNPROVEN:
            self._known.forget(proof)  # so that the usual way asks at once
            return None
        return self._feedback.answer(report, effect)

"""POST feedback: what a vehicle says of an action, or of the request to cancel it."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gateway.batch import WAITING_ITEMS
from gateway.body import read_body
from gateway.errors import Missing, Over, Refusal, WrongMethod
from gateway.fleet import Fleet
from gateway.ids import path_id
from gateway.known import Vehicle
from gateway.quota import Quota
from gateway.resource import Prove
from gateway.said import read_feedback
from gateway.whole import Whole
from store.reports import Channel, Effect, Report

#: 48 log lines of some hundred characters are the longest known.
FEEDBACK_MAX_BYTES = 64 * 1024

_REFUSED: Mapping[Effect, tuple[type[Refusal], str]] = {
    Effect.OVER: (Over, "this action is finished"),
    Effect.UNKNOWN: (Missing, "there is no such action for this vehicle"),
    Effect.NOT_CANCELLING: (WrongMethod, "this action is not being cancelled"),
}


#: Exactly 200: SWUpdate does not download after a 201, 202 or 204. One answer for all, it says nothing else.
_RECORDED = Whole()


class Feedback:
    """Records reports of one channel. 200 means: it is in the database, for good.

    Vehicles need only be remembered (`Authentication.remembered`): whether they still are who they have
    proven to be is asked in the transaction that records.

    Args:
        prove: asks it now.
    """

    def __init__(self, fleet: Fleet, quota: Quota, channel: Channel, prove: Prove[Vehicle]) -> None:
        self._fleet = fleet
        self._quota = quota
        self._channel: Channel = channel
        self._prove = prove

    async def post(self, request: Request, vehicle: Vehicle) -> Response:
        try:
            action = path_id(request.path_params["action"])
            report = self.report(vehicle, action, await read_body(request, FEEDBACK_MAX_BYTES))
            await self._quota.check(report)
        except Refusal:
            if vehicle.known_in is not None:  # whoever has no proof any more is told only that
                await self._prove(request, WAITING_ITEMS)
            raise
        effect = await self._fleet.record(report)
        if effect is Effect.UNPROVEN:
            now = await self._prove(request, WAITING_ITEMS)
            report = report._replace(vehicle_id=now.vehicle_id, known_in=None)
            effect = await self._fleet.record(report)
        return self.answer(report, effect)

    def report(self, vehicle: Vehicle, action: int, body: Any) -> Report:
        """What a vehicle tells of an action, out of a decoded body. Raises Malformed and TooMany."""
        said, device_at = read_feedback(body)
        return Report(vehicle.vehicle_id, action, self._channel, said, device_at, vehicle.known_in)

    def answer(self, report: Report, effect: Effect) -> Response:
        """What the vehicle is answered after that became of its report; it counts for the quota.

        Raises:
            Over. Missing: no such action. WrongMethod: it is not being cancelled.
        """
        self._quota.recorded(report, effect)
        if effect in _REFUSED:
            kind, message = _REFUSED[effect]
            raise kind(message)
        return _RECORDED

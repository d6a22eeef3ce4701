"""POST feedback: what a vehicle says of an action, or of the request to cancel it."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from gateway.body import read_body
from gateway.errors import Missing, Over, Refusal, WrongMethod
from gateway.fleet import Fleet
from gateway.ids import path_id
from gateway.known import Vehicle
from gateway.quota import Quota
from gateway.said import read_feedback
from store.reports import Channel, Effect, Report

#: 48 log lines of some hundred characters are the longest known.
FEEDBACK_MAX_BYTES = 64 * 1024

_REFUSED: Mapping[Effect, tuple[type[Refusal], str]] = {
    Effect.OVER: (Over, "this action is finished"),
    Effect.UNKNOWN: (Missing, "there is no such action for this vehicle"),
    Effect.NOT_CANCELLING: (WrongMethod, "this action is not being cancelled"),
}


#: Exactly 200: SWUpdate does not download after a 201, 202 or 204. One answer for all, it says nothing else.
_RECORDED = Response()


class Feedback:
    """Records reports of one channel. 200 means: it is in the database, for good."""

    def __init__(self, fleet: Fleet, quota: Quota, channel: Channel) -> None:
        self._fleet = fleet
        self._quota = quota
        self._channel: Channel = channel

    async def post(self, request: Request, vehicle: Vehicle) -> Response:
        action = path_id(request.path_params["action"])
        said, device_at = read_feedback(await read_body(request, FEEDBACK_MAX_BYTES))
        report = Report(vehicle.vehicle_id, action, self._channel, said, device_at)
        await self._quota.check(report)
        effect = await self._fleet.record(report)
        self._quota.recorded(report, effect)
        if effect in _REFUSED:
            kind, message = _REFUSED[effect]
            raise kind(message)
        return _RECORDED

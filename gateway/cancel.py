"""GET cancelAction: the request to stop an action."""

from starlette.requests import Request
from starlette.responses import Response

from gateway import messages
from gateway.answer import document
from gateway.errors import Missing
from gateway.fleet import Fleet
from gateway.ids import path_id
from gateway.known import Vehicle


class CancelAction:
    """Names the action to stop, while it is to be stopped."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    async def get(self, request: Request, vehicle: Vehicle) -> Response:
        action = path_id(request.path_params["action"])
        if not await self._fleet.cancelling(vehicle.vehicle_id, action):
            raise Missing("this action is not being cancelled")
        return document(request, messages.cancel(action))

"""confirmationBase: what the owner is asked, what the owner says, and whether anybody is asked at all."""

from starlette.requests import Request
from starlette.responses import Response

from gateway import messages
from gateway.answer import document
from gateway.body import bounded, read_body
from gateway.errors import Conflict, Missing, Over
from gateway.feedback import FEEDBACK_MAX_BYTES
from gateway.fleet import Fleet
from gateway.ids import path_id
from gateway.known import Vehicle
from gateway.links import Links
from gateway.said import read_auto_confirm, read_confirmation
from store.consent import Heard
from store.polls import Standing

AUTO_CONFIRM_MAX_BYTES = 4 * 1024


class Confirmation:
    """Asks before anything is offered. That the question was read is recorded, and so is every answer."""

    def __init__(self, fleet: Fleet, links: Links) -> None:
        self._fleet = fleet
        self._links = links

    async def question(self, request: Request, vehicle: Vehicle) -> Response:
        action = path_id(request.path_params["action"])
        found = await self._fleet.question(vehicle.vehicle_id, action)
        if found is None:
            raise Missing("there is nothing to confirm under this number now")
        return document(request, messages.confirmation(self._links.home(request, vehicle.vin), found))

    async def answer(self, request: Request, vehicle: Vehicle) -> Response:
        action = path_id(request.path_params["action"])
        word, details = read_confirmation(await read_body(request, FEEDBACK_MAX_BYTES))
        heard = await self._fleet.hear(vehicle.vehicle_id, action, word, details)
        if heard is Heard.OVER:
            raise Over("this action is finished")
        if heard is Heard.NOT_ASKED:
            raise Missing("there is nothing to confirm under this number")
        return Response()

    async def standing(self, request: Request, vehicle: Standing) -> Response:
        found = await self._fleet.auto_confirm(vehicle.vehicle_id)
        home = self._links.home(request, vehicle.vin)
        return document(request, messages.auto_confirm(home, found, vehicle.outlook.confirm))

    async def activate(self, request: Request, vehicle: Vehicle) -> Response:
        # The body may be missing: then there is no type that could be wrong either.
        empty = (
            request.headers.get("content-length", "0") == "0" and "transfer-encoding" not in request.headers
        )
        body = None if empty else await read_body(request, AUTO_CONFIRM_MAX_BYTES)
        initiator, remark = read_auto_confirm(body)
        if not await self._fleet.activate_auto_confirm(vehicle.vehicle_id, initiator, remark):
            raise Conflict("this vehicle is spared its confirmations already")
        return Response()

    async def deactivate(self, request: Request, vehicle: Vehicle) -> Response:
        await bounded(request, AUTO_CONFIRM_MAX_BYTES)  # clients send {}
        await self._fleet.deactivate_auto_confirm(vehicle.vehicle_id)
        return Response()

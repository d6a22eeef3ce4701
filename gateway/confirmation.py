"""confirmationBase of one action: what the owner is asked, and what the owner says."""

from starlette.requests import Request
from starlette.responses import Response

from gateway import messages
from gateway.answer import document
from gateway.body import json_body
from gateway.errors import Missing, Over
from gateway.feedback import FEEDBACK_MAX_BYTES
from gateway.fleet import Fleet
from gateway.ids import path_id
from gateway.links import Links
from gateway.said import read_confirmation
from store.consent import Heard
from store.polls import Standing


class Confirmation:
    """Asks before anything is offered. That the question was read is recorded, and so is every answer."""

    def __init__(self, fleet: Fleet, links: Links) -> None:
        self._fleet = fleet
        self._links = links

    async def get(self, request: Request, vehicle: Standing) -> Response:
        action = path_id(request.path_params["action"])
        found = await self._fleet.question(vehicle.vehicle_id, action)
        if found is None:
            raise Missing("there is nothing to confirm under this number now")
        return document(request, messages.confirmation(self._links.home(request, vehicle.vin), found))

    async def post(self, request: Request, vehicle: Standing) -> Response:
        action = path_id(request.path_params["action"])
        word, details = read_confirmation(await json_body(request, FEEDBACK_MAX_BYTES))
        heard = await self._fleet.hear(vehicle.vehicle_id, action, word, details)
        if heard is Heard.OVER:
            raise Over("this action is finished")
        if heard is Heard.NOT_ASKED:
            raise Missing("there is nothing to confirm under this number")
        return Response()

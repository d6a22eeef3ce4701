"""confirmationBase: whether a vehicle is asked before it installs.

No action waits for a confirmation yet, so there is nothing below an action's number.
"""

from starlette.requests import Request
from starlette.responses import Response

from gateway import messages
from gateway.answer import document
from gateway.body import bounded, read_body
from gateway.errors import Conflict
from gateway.fleet import Fleet
from gateway.links import Links
from gateway.said import read_auto_confirm
from store.polls import Standing

AUTO_CONFIRM_MAX_BYTES = 4 * 1024


class Confirmation:
    """Tells and changes whether a vehicle is spared its confirmations."""

    def __init__(self, fleet: Fleet, links: Links) -> None:
        self._fleet = fleet
        self._links = links

    async def get(self, request: Request, vehicle: Standing) -> Response:
        found = await self._fleet.auto_confirm(vehicle.vehicle_id)
        return document(request, messages.auto_confirm(self._links.home(request, vehicle.vin), found))

    async def activate(self, request: Request, vehicle: Standing) -> Response:
        # The body may be missing: then there is no type that could be wrong either.
        empty = (
            request.headers.get("content-length", "0") == "0" and "transfer-encoding" not in request.headers
        )
        body = None if empty else await read_body(request, AUTO_CONFIRM_MAX_BYTES)
        initiator, remark = read_auto_confirm(body)
        if not await self._fleet.activate_auto_confirm(vehicle.vehicle_id, initiator, remark):
            raise Conflict("this vehicle is spared its confirmations already")
        return Response()

    async def deactivate(self, request: Request, vehicle: Standing) -> Response:
        await bounded(request, AUTO_CONFIRM_MAX_BYTES)  # clients send {}
        await self._fleet.deactivate_auto_confirm(vehicle.vehicle_id)
        return Response()

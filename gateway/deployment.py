"""GET deploymentBase: what to install."""

from starlette.requests import Request
from starlette.responses import Response

from gateway import messages
from gateway.answer import document
from gateway.errors import Missing
from gateway.fleet import Fleet
from gateway.ids import path_id
from gateway.links import Links
from store.polls import Standing


class DeploymentBase:
    """Describes the action a vehicle was offered. Reading changes nothing."""

    def __init__(self, fleet: Fleet, links: Links) -> None:
        self._fleet = fleet
        self._links = links

    async def get(self, request: Request, vehicle: Standing) -> Response:
        action = path_id(request.path_params["action"])
        found = await self._fleet.deployment(vehicle.vehicle_id, action)
        if found is None:
            raise Missing("there is no such action for this vehicle now")
        return document(request, messages.deployment(self._links.home(request, vehicle.vin), found))

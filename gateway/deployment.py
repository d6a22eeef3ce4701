"""GET deploymentBase and installedBase: what to install, and what was."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from gateway import messages
from gateway.answer import document
from gateway.errors import Missing, malformed
from gateway.fleet import Fleet
from gateway.ids import path_id
from gateway.known import Vehicle
from gateway.links import Links
from store.offers import Deployment

Find = Callable[[int, int], Awaitable[Deployment | None]]

HISTORY_MAX = 100


class Description:
    """Describes an action of the vehicle. Reading changes nothing.

    Args:
        find: the deployment of a vehicle and action, where it may be seen.
    """

    def __init__(self, fleet: Fleet, links: Links, find: Find) -> None:
        self._fleet = fleet
        self._links = links
        self._find = find

    async def get(self, request: Request, vehicle: Vehicle) -> Response:
        action = path_id(request.path_params["action"])
        most = history_wanted(request.query_params.get("actionHistory"))
        found = await self._find(vehicle.vehicle_id, action)
        if found is None:
            raise Missing("there is no such action for this vehicle now")
        said = await self._fleet.messages(vehicle.vehicle_id, action, most) if most else None
        return document(request, messages.deployment(self._links.home(request, vehicle.vin), found, said))


def history_wanted(text: str | None) -> int:
    """How many messages a client asks for: none without a number, all there may be for a negative one.

    Raises:
        Malformed: no whole number.
    """
    if text is None:
        return 0
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 10):
        raise malformed("actionHistory", text, "give a whole number")
    return HISTORY_MAX if text.startswith("-") and int(digits) else min(int(digits), HISTORY_MAX)

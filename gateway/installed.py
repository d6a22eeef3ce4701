"""PUT installedBase: what a vehicle says it runs, by the name of a package."""

from starlette.requests import Request
from starlette.responses import Response

from gateway.body import read_body
from gateway.errors import Missing
from gateway.fleet import Fleet
from gateway.known import Vehicle
from gateway.said import read_installed

INSTALLED_MAX_BYTES = 4 * 1024


class InstalledBase:
    """Keeps what a vehicle claims to run. It is no outcome of any campaign."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    async def put(self, request: Request, vehicle: Vehicle) -> Response:
        name, version = read_installed(await read_body(request, INSTALLED_MAX_BYTES))
        changed = await self._fleet.claim_installed(vehicle.vehicle_id, name, version)
        if changed is None:
            raise Missing("there is no such package for this vehicle")
        return Response(status_code=201 if changed else 200)

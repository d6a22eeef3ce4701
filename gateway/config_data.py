"""PUT configData: what a vehicle says of itself."""

from starlette.requests import Request
from starlette.responses import Response

from gateway.body import read_body
from gateway.fleet import Fleet
from gateway.known import Vehicle
from gateway.said import read_config

CONFIG_MAX_BYTES = 32 * 1024


class ConfigData:
    """Stores a vehicle's attributes; afterwards the poll asks for them no more."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    async def put(self, request: Request, vehicle: Vehicle) -> Response:
        mode, data = read_config(await read_body(request, CONFIG_MAX_BYTES))
        await self._fleet.put_config(vehicle.vehicle_id, mode, data)
        return Response()

"""GET /health: whether this gateway can serve vehicles."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.errors import Unavailable, refusal_answer
from gateway.fleet import Fleet


class Health:
    """200 while the database answers, 503 otherwise. Asks nobody for a token."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    async def get(self, request: Request) -> Response:
        try:
            await self._fleet.ping()
        except Unavailable as error:
            return refusal_answer(error)
        return JSONResponse({"status": "ok"})

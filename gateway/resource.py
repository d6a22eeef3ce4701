"""A path and its methods: who may, which handler, and what an error becomes.

Starlette's own decorated routes answer HEAD wherever GET is; a HEAD that admits a vehicle would be wrong.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Generic, TypeVar

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway import whole
from gateway.errors import Failed, Refusal, Unavailable, WrongMethod, refusal_answer
from gateway.messages import retry_after

#: What a handler is told of the vehicle that asks.
Who = TypeVar("Who")
Handler = Callable[[Request, Who], Awaitable[Response]]
#: Finds the vehicle behind a request, while no more than so many others wait for the database.
Prove = Callable[[Request, int], Awaitable[Who]]

log = structlog.get_logger(__name__)


class Resource(Generic[Who]):
    """One path of a vehicle, as an ASGI endpoint: its handlers by method.

    Args:
        prove: who is asking.
        waiting_items: how many others may wait before a request to this path is sent away.
        pressure: how busy the gateway is (campaign/polling.py).
    """

    def __init__(
        self,
        prove: Prove[Who],
        handlers: Mapping[str, Handler[Who]],
        waiting_items: int,
        pressure: Callable[[], int],
    ) -> None:
        self._pressure = pressure
        self._prove = prove
        self._waiting_items = waiting_items
        self._handlers = dict(handlers)
        self._allowed = {"Allow": ", ".join(self._handlers)}

    @property
    def methods(self) -> frozenset[str]:
        """What this path does."""
        return frozenset(self._handlers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response = await self._answer(request)
        await whole.answer(response, scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        try:
            handler = self._handlers.get(request.method)
            if handler is None:
                raise WrongMethod("not a method of this resource", self._allowed)
            return await handler(request, await self._prove(request, self._waiting_items))
        except Unavailable as away:
            return sent_away(away, request.path_params["vin"], self._pressure())
        except Refusal as refusal:
            return refusal_answer(refusal)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        except Exception:
            # The path holds the VIN and stays out of the log; the traceback names the handler.
            log.exception("request_failed", method=request.method)
            return refusal_answer(Failed("a fault of the gateway; its log has the cause"))


def sent_away(away: Unavailable, vin: str, pressure: int) -> Response:
    """What a vehicle is answered that is to come back later, at a time of its own."""
    return refusal_answer(Unavailable(str(away), retry_after(vin, pressure)))

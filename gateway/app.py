"""The gateway as an ASGI application: every path, and what stands behind it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.artifacts import Artifacts
from gateway.auth import Authentication
from gateway.batch import POLLS_WAITING, WAITING_ITEMS
from gateway.cancel import CancelAction
from gateway.config_data import ConfigData
from gateway.confirmation import Confirmation
from gateway.deployment import Description
from gateway.errors import Missing, WrongMethod, refusal_answer
from gateway.feedback import Feedback
from gateway.files import Files
from gateway.fleet import Fleet
from gateway.health import Health
from gateway.installed import InstalledBase
from gateway.known import Known, Vehicle
from gateway.known_polls import KnownPolls
from gateway.known_reports import KnownReports
from gateway.links import Links
from gateway.objects import Objects
from gateway.poll import Poll
from gateway.pool import Pool
from gateway.proxies import Proxies
from gateway.quota import Quota
from gateway.resource import Handler, Resource
from gateway.short_way import ShortWay
from runtime.settings import Settings
from store.feedback import Channel
from store.objects import ObjectStore

BASE = "/{tenant}/controller/v1/{vin}"


def create_app(pool: Pool, settings: Settings) -> Starlette:
    """The application. The caller opens the pool before and closes it after its lifespan."""
    fleet = Fleet(pool)
    proxies = Proxies(settings.trusted_proxies)
    links = Links(settings.tenant, settings.gateway_public_url, settings.gateway_url, proxies)
    known = Known()
    authentication = Authentication(fleet, known, settings, proxies)
    files = Artifacts(fleet, links, _files(settings))
    quota = Quota(fleet.entries)
    confirmation = Confirmation(fleet, links)

    poll = Poll(fleet, links, settings)
    polls = Resource(authentication.standing, {"GET": poll.get}, POLLS_WAITING, lambda: fleet.pressure)

    confirmations = Resource(
        authentication.standing, {"GET": confirmation.standing}, WAITING_ITEMS, lambda: fleet.pressure
    )

    def feedback(channel: Channel) -> Feedback:
        return Feedback(fleet, quota, channel, authentication.vehicle)

    def told(path: str, said: Feedback) -> Route:
        handlers = {"POST": said.post}
        ways = Resource(authentication.remembered, handlers, WAITING_ITEMS, lambda: fleet.pressure)
        return Route(BASE + path, ways)

    def resource(path: str, **handlers: Handler[Vehicle]) -> Route:
        ways = Resource(authentication.vehicle, handlers, WAITING_ITEMS, lambda: fleet.pressure)
        return Route(BASE + path, ways)

    deployment = feedback("deployment")
    hot = (told("/deploymentBase/{action}/feedback", deployment), Route(BASE, polls))
    routes = [
        *hot,
        resource("/deploymentBase/{action}", GET=Description(fleet, links, fleet.deployment).get),
        resource("/installedBase", PUT=InstalledBase(fleet).put),
        resource("/installedBase/{action}", GET=Description(fleet, links, fleet.installed).get),
        resource("/softwaremodules/{artifact}/artifacts", GET=files.listed),
        resource("/softwaremodules/{artifact}/artifacts/{filename}", GET=files.get, HEAD=files.head),
        resource("/cancelAction/{action}", GET=CancelAction(fleet).get),
        told("/cancelAction/{action}/feedback", feedback("cancel")),
        Route(BASE + "/confirmationBase", confirmations),
        resource("/confirmationBase/activateAutoConfirm", POST=confirmation.activate),
        resource("/confirmationBase/deactivateAutoConfirm", POST=confirmation.deactivate),
        resource("/confirmationBase/{action}", GET=confirmation.question),
        resource("/confirmationBase/{action}/feedback", POST=confirmation.answer),
        resource("/configData", PUT=ConfigData(fleet).put),
        Route("/health", Health(fleet).get),
    ]

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await fleet.drained()

    vehicles = f"/{settings.tenant}/controller/v1/"
    app = Application(routes=routes, lifespan=lifespan, exception_handlers={HTTPException: _refused})
    app.router.redirect_slashes = False
    app.short_ways = (
        KnownPolls(vehicles, known, fleet, authentication.take, poll),
        KnownReports(vehicles, known, fleet, authentication.take, quota, deployment),
    )
    app.hot = hot
    return app


class Application(Starlette):
    """The application.

    Polls and reports, nearly all of the traffic, go past Starlette's layers, which cost as much as the rest:
    a resource lets no exception out that they would have to catch. Those of known vehicles do not even come
    here (gateway/connection.py).
    """

    short_ways: Sequence[ShortWay[Any]]
    hot: Sequence[Route]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or begin and end with the server."""
        app = self._hot(scope) if scope["type"] == "http" else None
        await (app or super().__call__)(scope, receive, send)

    def _hot(self, scope: Scope) -> ASGIApp | None:
        for route in self.hot:
            if (found := route.path_regex.match(scope["path"])) is not None:
                scope["path_params"] = found.groupdict()
                return route.app
        return None


def _files(settings: Settings) -> Files | Objects:
    if settings.artifact_store is None:
        return Files(settings.artifacts)
    return Objects(ObjectStore(settings.artifact_store), settings.artifact_link_expires)


async def _refused(request: Request, error: Exception) -> Response:
    """Starlette's own refusals (no such path, no such method) in the protocol's words."""
    if isinstance(error, HTTPException) and error.status_code == 405:
        return refusal_answer(WrongMethod("not a method of this resource", error.headers))
    return refusal_answer(Missing("there is no such resource"))

"""A DDI server of a few lines, steered and watched by the tests: it offers what it is told to offer."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

ACTION = "42"
PAYLOAD = hashlib.shake_256(b"radar firmware").digest(300_000)
UPDATE = {"Radar": "1.4.0"}


@dataclass(frozen=True)
class Seen:
    """One request as it arrived."""

    vin: str
    method: str
    path: str  # below the vehicle's base, without the query
    headers: Mapping[str, str]
    body: Any

    @property
    def execution(self) -> tuple[str, str]:
        """The heart of a feedback: execution and finished."""
        return self.body["status"]["execution"], self.body["status"]["result"]["finished"]

    @property
    def details(self) -> list[str]:
        """What a feedback says in words."""
        details: list[str] = self.body["status"]["details"]
        return details


@dataclass
class DdiServer:
    """Every member may be changed while it runs. `fails` maps a path's end to answers to give first."""

    sleep: str | None = "00:00:01"
    action: str = ACTION
    update: dict[str, str] = field(default_factory=lambda: dict(UPDATE))
    payload: bytes = PAYLOAD
    sent: bytes | None = None  # what downloads carry, if not the payload that was promised
    sha256: str | None = None
    handling: str = "forced"
    offers: bool = True  # the deployment link, at the poll
    withdrawn: bool = False  # the deployment itself: 404
    cancels: bool = False
    asks: bool = False  # for a confirmation, before anything is offered
    answers: list[str] = field(default_factory=list)
    wants_attributes: bool = True
    download_status: int = 200
    resumes: bool = True
    closes: bool = True  # a closing report ends the offer
    fails: dict[str, list[int]] = field(default_factory=dict)
    on_request: Callable[[Seen], None] = lambda seen: None
    seen: list[Seen] = field(default_factory=list)
    url: str = ""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["DdiServer"]:
        """Serves on a free port of this machine; `url` says which."""
        app = web.Application()
        app.router.add_route("*", "/{tenant}/controller/v1/{vin}{path:.*}", self._answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0]
        self.url = f"http://{host}:{port}"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def until(self, condition: Callable[[], bool], timeout_seconds: float = 20) -> None:
        """Returns once `condition` holds; it is asked again after each request."""
        async with asyncio.timeout(timeout_seconds):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def requests(self, method: str, ending: str = "") -> list[Seen]:
        """The requests so far, in order."""
        return [seen for seen in self.seen if seen.method == method and seen.path.endswith(ending)]

    def polls(self) -> list[Seen]:
        return [seen for seen in self.seen if not seen.path]

    def reports(self) -> list[Seen]:
        """The feedbacks to deployments."""
        return self.requests("POST", f"deploymentBase/{self.action}/feedback")

    def executions(self) -> list[tuple[str, str]]:
        return [report.execution for report in self.reports()]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        path = request.match_info["path"]
        body = orjson.loads(raw) if raw else None
        seen = Seen(request.match_info["vin"], request.method, path, request.headers, body)
        self.seen.append(seen)
        self.on_request(seen)
        self._changed.set()
        for ending, statuses in self.fails.items():
            if statuses and path.endswith(ending) and (ending or not path):
                return web.Response(status=statuses.pop(0))
        return self._respond(request, seen)

    def _respond(self, request: web.Request, seen: Seen) -> web.StreamResponse:
        base = f"{self.url}/{request.match_info['tenant']}/controller/v1/{seen.vin}"
        match seen.method, seen.path.strip("/").split("/"):
            case "GET", [""]:
                return self._base(base)
            case "PUT", ["configData"]:
                self.wants_attributes = False
                return web.Response()
            case "GET", ["deploymentBase", action] if action == self.action and not self.withdrawn:
                return self._deployment(base)
            case "GET", ["softwaremodules", "1", "artifacts", "radar.bin"]:
                return self._artifact(request)
            case "POST", ["deploymentBase", action, "feedback"] if action == self.action:
                if self.closes and seen.execution[0] == "closed":
                    self.offers, self.wants_attributes = False, True
                return web.Response()
            case "GET", ["cancelAction", action] if self.cancels:
                return web.json_response({"id": action, "cancelAction": {"stopId": action}})
            case "GET", ["confirmationBase", action] if self.asks and action == self.action:
                return web.json_response({"id": action, "confirmation": self._described(base)})
            case "POST", ["confirmationBase", action, "feedback"] if action == self.action:
                self.answers.append(seen.body["confirmation"])
                self.asks, self.offers = False, self.answers[-1] == "confirmed"
                return web.Response()
            case "POST", ["cancelAction", action, "feedback"]:
                self.cancels = False
                self.offers = seen.execution[0] == "rejected"
                return web.Response()
        return web.Response(status=404)

    def _base(self, base: str) -> web.Response:
        links: dict[str, Any] = {}
        if self.wants_attributes:
            links["configData"] = {"href": f"{base}/configData"}
        if self.cancels:
            links["cancelAction"] = {"href": f"{base}/cancelAction/{self.action}"}
        elif self.asks:
            links["confirmationBase"] = {"href": f"{base}/confirmationBase/{self.action}?c=-7"}
        elif self.offers:
            links["deploymentBase"] = {"href": f"{base}/deploymentBase/{self.action}?c=-7"}
        polling = {} if self.sleep is None else {"sleep": self.sleep}
        return web.json_response({"config": {"polling": polling}, **({"_links": links} if links else {})})

    def _deployment(self, base: str) -> web.Response:
        return web.json_response({"id": self.action, "deployment": self._described(base)})

    def _described(self, base: str) -> dict[str, Any]:
        artifact = {
            "filename": "radar.bin",
            "hashes": {"sha256": self.sha256 or hashlib.sha256(self.payload).hexdigest()},
            "size": len(self.payload),
            "_links": {"download-http": {"href": f"{base}/softwaremodules/1/artifacts/radar.bin"}},
        }
        chunks = [
            {"part": "os", "name": ecu, "version": version, "artifacts": [artifact]}
            for ecu, version in self.update.items()
        ]
        return {"download": self.handling, "update": self.handling, "chunks": chunks}

    def _artifact(self, request: web.Request) -> web.Response:
        if self.download_status != 200:
            return web.Response(status=self.download_status)
        body = self.payload if self.sent is None else self.sent
        asked = request.headers.get("Range")
        if asked is None or not self.resumes:
            return web.Response(body=body)
        start = int(asked.removeprefix("bytes=").removesuffix("-"))
        if start >= len(body):
            return web.Response(status=416, headers={"Content-Range": f"bytes */{len(body)}"})
        headers = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
        return web.Response(status=206, body=body[start:], headers=headers)


def said(reports: Sequence[Seen]) -> list[str]:
    """All details of the reports, in order."""
    return [detail for report in reports for detail in report.details]

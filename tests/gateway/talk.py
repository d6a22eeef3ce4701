"""Update clients as they are known to talk: the headers and bodies of each, and a conversation."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from campaign.assignment import Target
from tests.gateway.http import Answer, Vehicle
from tests.gateway.world import World


@dataclass(frozen=True)
class Client:
    """An update client: the headers of its reads and writes, and the body of its feedback."""

    reads: dict[str, str]
    writes: dict[str, str]
    body: Callable[[int, str, str, str], dict[str, Any]]


def _with_id(shape: Callable[[int], Any], result: dict[str, Any]) -> Callable[..., dict[str, Any]]:
    def body(action: int, execution: str, finished: str, detail: str) -> dict[str, Any]:
        status = {"result": {"finished": finished} | result, "execution": execution, "details": [detail]}
        return {"id": shape(action), "time": "20261123T092431", "status": status}

    return body


def _without_time(action: int, execution: str, finished: str, detail: str) -> dict[str, Any]:
    result = {"finished": finished, "progress": None}
    details = [detail] if detail else []
    return {"id": str(action), "status": {"execution": execution, "result": result, "details": details}}


_JSON = {"Content-Type": "application/json", "Accept": "application/json", "charsets": "utf-8"}
_UTF8 = "application/json;charset=UTF-8"

SWUPDATE = Client(
    reads={"User-Agent": "libcurl-agent/1.0", **_JSON},
    writes={"User-Agent": "libcurl-agent/1.0", **_JSON},
    body=_with_id(int, {"progress": {"cnt": 0, "of": 1}}),
)
UPDATER = Client(
    reads={"User-Agent": "rauc-hawkbit-c-agent/1.0", "Accept": _UTF8},
    writes={"User-Agent": "rauc-hawkbit-c-agent/1.0", "Accept": _UTF8, "Content-Type": _UTF8},
    body=_with_id(str, {}),
)
RAUC_HAWKBIT = Client(
    reads={"Accept": "application/json", "Accept-Encoding": "gzip, deflate"},
    writes={"Accept": "application/json", "Content-Type": "application/json"},
    body=_with_id(str, {"progress": {"percentage": 20}}),
)
HAWKBIT_RS = Client(
    reads={"Accept": "*/*"}, writes={"Accept": "*/*", "Content-Type": "application/json"}, body=_without_time
)
CLIENTS = {
    "SWUpdate": SWUPDATE,
    "rauc-hawkbit-updater": UPDATER,
    "rauc-hawkbit": RAUC_HAWKBIT,
    "hawkbit-rs": HAWKBIT_RS,
}


@dataclass
class Talk:
    """A client that talks for one vehicle; every answer must be 200, which is all some clients take."""

    client: Client
    vehicle: Vehicle
    number: int
    action: int
    world: World
    #: As described to the client.
    artifact: dict[str, Any] = field(default_factory=dict)

    async def send(self, method: str, path: str = "", body: Any = None, **headers: str) -> Answer:
        """`path` is below the vehicle's base, or an absolute link; `body` is sent as JSON."""
        known = self.client.reads if body is None else self.client.writes
        data = None if body is None else orjson.dumps(body)
        return await self.vehicle.send(method, path, data=data, headers={**known, **headers})

    async def poll(self) -> dict[str, str]:
        """The links of a poll."""
        answer = await self.send("GET")
        assert answer.status == 200
        return answer.link

    async def look(self) -> None:
        """Poll, and read the description behind the link."""
        answer = await self.send("GET", (await self.poll())["deploymentBase"])
        assert answer.status == 200
        assert answer.json["id"] == str(self.action)
        [chunk] = answer.json["deployment"]["chunks"]
        [self.artifact] = chunk["artifacts"]

    async def fetch(self, **headers: str) -> Answer:
        """The file, or a part of it."""
        href = self.artifact["_links"]["download-http"]["href"]
        return await self.send("GET", href, Accept="application/octet-stream", **headers)

    async def say(
        self, execution: str, finished: str, detail: str = "", *, to: str = "deploymentBase"
    ) -> None:
        """Feedback on the action, or on the request to cancel it."""
        body = self.client.body(self.action, execution, finished, detail)
        answer = await self.send("POST", f"/{to}/{self.action}/feedback", body)
        assert (answer.status, answer.body) == (200, b""), detail

    def state(self) -> Target:
        """The state of its only assignment."""
        return self.world.state(self.number)

"""GET and HEAD of an artifact: the file itself, whole or in part, or where it is, and its MD5SUM.

Files are kept under their sha256, so a path never holds what a client wrote.
"""

from starlette.requests import Request
from starlette.responses import Response

from gateway import messages
from gateway.answer import document, tagged
from gateway.errors import Missing
from gateway.files import Files
from gateway.fleet import Fleet
from gateway.ids import path_id
from gateway.known import Vehicle
from gateway.links import Links
from gateway.objects import Objects

MD5SUM = ".MD5SUM"


class Artifacts:
    """Serves the files of a vehicle's live action, from a folder or by sending the vehicle to their store."""

    def __init__(self, fleet: Fleet, links: Links, files: Files | Objects) -> None:
        self._fleet = fleet
        self._links = links
        self._files = files

    async def listed(self, request: Request, vehicle: Vehicle) -> Response:
        """The file of a module under its names, as a list."""
        artifact_id = path_id(request.path_params["artifact"])
        found = await self._fleet.file_names(vehicle.vehicle_id, artifact_id)
        if found is None:
            raise Missing("there is no such module for this vehicle now")
        stored, filenames = found
        home = self._links.home(request, vehicle.vin)
        return document(request, [messages.artifact(home, stored, filename) for filename in filenames])

    async def head(self, request: Request, vehicle: Vehicle) -> Response:
        """What GET would answer, without a body and without the vehicle having begun."""
        return (await self._answer(request, vehicle))[0]

    async def get(self, request: Request, vehicle: Vehicle) -> Response:
        # The answer first, with all that can refuse: a vehicle that is not given a byte has not begun.
        response, begins = await self._answer(request, vehicle)
        if begins is not None and not await self._fleet.begin(vehicle.vehicle_id, *begins):
            raise Missing("this action may not be started now")
        return response

    async def _answer(self, request: Request, vehicle: Vehicle) -> tuple[Response, tuple[int, str] | None]:
        """The answer, and the action and the sha256 of its file that begin with it, if they do."""
        artifact_id = path_id(request.path_params["artifact"])
        asked: str = request.path_params["filename"]
        filename = asked.removesuffix(MD5SUM)
        clean = filename.isascii() and filename.isprintable()
        found = await self._fleet.artifact(vehicle.vehicle_id, artifact_id, filename) if clean else None
        if found is None:
            raise Missing("there is no such file for this vehicle now")
        stored, action = found
        if asked != filename:
            sums = f"{stored.md5}  {filename}".encode()
            headers = {"Content-Disposition": f"attachment;filename={filename}{MD5SUM}"}
            answer = tagged(sums, "text/plain", headers)
            return answer.unless_known(request.headers.get("if-none-match")), None
        return await self._files.answer(request, stored), (action, stored.sha256)

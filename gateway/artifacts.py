"""GET and HEAD of an artifact: the file itself, whole or in part, or where it is, and its MD5SUM.

Files are kept under their sha256, so a path never holds what a client wrote.
"""

from typing import Literal, cast

from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response

from gateway import messages
from gateway.answer import document, names, unless_known
from gateway.errors import Changed, Missing, NoSuchRange
from gateway.files import Files
from gateway.fleet import Fleet
from gateway.ids import path_id
from gateway.links import Links
from gateway.objects import Objects
from gateway.ranges import satisfiable
from store.offers import StoredArtifact
from store.polls import Standing

MD5SUM = ".MD5SUM"
OCTETS = "application/octet-stream"


class Artifacts:
    """Serves the files of a vehicle's live action, from a folder or by sending the vehicle to their store.

    Several ranges in one request are answered as multipart/byteranges; overlapping ones are joined.
    """

    def __init__(self, fleet: Fleet, links: Links, files: Files | Objects) -> None:
        self._fleet = fleet
        self._links = links
        self._files = files

    async def listed(self, request: Request, vehicle: Standing) -> Response:
        """The file of a module under its names, as a list."""
        artifact_id = path_id(request.path_params["artifact"])
        found = await self._fleet.file_names(vehicle.vehicle_id, artifact_id)
        if found is None:
            raise Missing("there is no such module for this vehicle now")
        stored, filenames = found
        home = self._links.home(request, vehicle.vin)
        return document(request, [messages.artifact(home, stored, filename) for filename in filenames])

    async def head(self, request: Request, vehicle: Standing) -> Response:
        """What GET would answer, without a body and without the vehicle having begun."""
        return (await self._answer(request, vehicle))[0]

    async def get(self, request: Request, vehicle: Standing) -> Response:
        # The answer first, with all that can refuse: a vehicle that is not given a byte has not begun.
        response, begins = await self._answer(request, vehicle)
        if begins is not None and not await self._fleet.begin(vehicle.vehicle_id, *begins):
            raise Missing("this action may not be started now")
        return response

    async def _answer(self, request: Request, vehicle: Standing) -> tuple[Response, tuple[int, str] | None]:
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
            return unless_known(request, _md5sum(stored, filename)), None
        if isinstance(self._files, Objects):
            # Parts and conditions are the store's to answer: it has an entity tag of its own.
            link = await self._files.link(stored, cast(Literal["GET", "HEAD"], request.method))
            answer: Response = RedirectResponse(link, 302, headers={"Cache-Control": "no-store"})
        else:
            answer = await self._file(request, stored, self._files)
        return answer, (action, stored.sha256)

    async def _file(self, request: Request, stored: StoredArtifact, files: Files) -> Response:
        facts = await files.facts(stored)
        etag = f'"{stored.sha1}"'
        response = FileResponse(
            files.path(stored),
            headers={"ETag": etag, "X-Content-Type-Options": "nosniff"},
            media_type=OCTETS,
            filename=request.path_params["filename"],
            stat_result=facts,
        )
        headers = request.headers
        if "if-match" in headers and not names(headers["if-match"], etag):
            raise Changed("the file is another one")
        unchanged = headers.get("if-range") in (None, etag, response.headers["last-modified"])
        if unchanged and "range" in headers and not satisfiable(headers["range"], stored.size_bytes):
            raise NoSuchRange("no such part of the file", {"Content-Range": f"bytes */{stored.size_bytes}"})
        return response


def _md5sum(stored: StoredArtifact, filename: str) -> Response:
    return Response(
        f"{stored.md5}  {filename}",
        headers={"Content-Disposition": f"attachment;filename={filename}{MD5SUM}"},
        media_type="text/plain",
    )

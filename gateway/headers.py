"""The headers of a request, one at a time: Starlette's own collection costs a microsecond for each look."""

from starlette.types import Scope


def header(scope: Scope, name: bytes) -> str | None:
    """The first header of this name, in lower case; None: there is none."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return None

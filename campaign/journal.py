"""A line of the journal."""

from datetime import datetime
from typing import Annotated

from pydantic import BeforeValidator

from campaign.model import Message


def storable(text: str) -> str:
    """The text without what no database stores (NUL, lone surrogates): a bad reason must not stop a stop."""
    return text.encode("utf-8", "replace").decode().replace("\x00", "?")


Text = Annotated[str, BeforeValidator(storable)]


class Line(Message):
    """Who did what, when and why. ``key`` is unique in its campaign and makes a repeated write harmless."""

    key: str
    at: datetime
    actor: Text
    event: str
    text: Text

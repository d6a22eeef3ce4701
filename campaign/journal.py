"""A line of the journal."""

from datetime import datetime

from campaign.model import Message


class Line(Message):
    """Who did what, when and why. ``key`` is unique in its campaign and makes a repeated write harmless."""

    key: str
    at: datetime
    actor: str
    event: str
    text: str

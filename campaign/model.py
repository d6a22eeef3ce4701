"""The base of every message and document of the rules."""

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """An immutable document that refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Message(BaseModel):
    """An immutable message between our own parts, kept in histories: older code ignores newer fields."""

    model_config = ConfigDict(frozen=True, extra="ignore")

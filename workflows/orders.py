"""What an operator says with a signal. No input whatever makes this raise: a handler that raises wedges or
fails the workflow."""

from typing import Any

from campaign.model import Message


class Order(Message):
    """Who wants something, and why."""

    by: str = "operator"
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.by}: {self.reason}" if self.reason else self.by


_LONGEST = 500


def read_order(*arguments: Any) -> Order:
    """Make the best of whatever came: nothing, a reason, or a mapping with ``by`` and ``reason``."""
    given = [argument for argument in arguments if argument is not None]
    if not given:
        return Order()
    if isinstance(given[0], dict):
        who = given[0].get("by") or given[0].get("operator")
        why = given[0].get("reason")
        return Order(by=_text(who) or "operator", reason=_text(why))
    return Order(reason=" ".join(_text(argument) for argument in given).strip()[:_LONGEST])


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode(errors="replace")[:_LONGEST]
    return str(value)[:_LONGEST]

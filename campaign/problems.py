"""What is wrong with an input, in words its author can act on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches

from pydantic import BaseModel, ValidationError


@dataclass(frozen=True)
class Problem:
    """One thing to mend: where it stands, the value found there and the cure."""

    field: str
    value: str
    cure: str

    def __str__(self) -> str:
        value = f" = {self.value}" if self.value else ""
        return f"{self.field}{value}: {self.cure}"


class Refused(ValueError):
    """An input refused at the door; nothing was started. Its message lists every problem."""

    def __init__(self, problems: Sequence[Problem], subject: str = "definition") -> None:
        self.problems = tuple(problems)
        super().__init__(f"{subject} refused: " + "; ".join(map(str, self.problems)))


def closest(word: str, known: Iterable[str]) -> str:
    """A hint such as ``did you mean 'Radar'? known: …`` for an unknown word."""
    words = sorted(set(known))
    near = get_close_matches(word, words, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    shown = ", ".join(words[:12]) + (", …" if len(words) > 12 else "")
    return f"{hint}known: {shown or 'none'}"


def explain(error: ValidationError, model: type[BaseModel] | None = None) -> list[Problem]:
    """The problems behind a pydantic error, each with field path, value and cure."""
    items = [
        item for item in error.errors() if not (item["loc"][-1:] == _TEXT and isinstance(item["input"], dict))
    ]
    paths = [item["loc"] for item in items]
    return [
        _problem(item["loc"], item["input"], item["type"], item["msg"], model)
        for item in items
        if item["type"] != "too_short" or not any(_below(path, item["loc"]) for path in paths)
    ]


def _below(path: tuple[int | str, ...], above: tuple[int | str, ...]) -> bool:
    """A list whose items were refused counts as too short as well; that second problem is none."""
    return len(path) > len(above) and path[: len(above)] == above


def _problem(
    loc: tuple[int | str, ...], value: object, kind: str, message: str, model: type[BaseModel] | None
) -> Problem:
    field = ".".join(str(part) for part in loc if not _is_noise(part)) or "definition"
    cure = message.removeprefix("Value error, ")
    if kind == "extra_forbidden":
        cure = f"unknown key; {closest(str(loc[-1]), _keys(model, loc[:-1]))}"
        return Problem(field, _shorten(value), cure)
    if kind == "missing":
        return Problem(field, "", "is required and missing")
    return Problem(field, _shorten(value), cure)


#: The branch of a union that pydantic tries for a name, also where a mapping was given.
_TEXT = ("constrained-str",)


def _is_noise(part: int | str) -> bool:
    """Union and validator labels that pydantic puts into a path say nothing to an author."""
    return isinstance(part, str) and ("[" in part or part in {"constrained-str", "Package"})


def _keys(model: type[BaseModel] | None, path: tuple[int | str, ...]) -> Iterable[str]:
    """The keys the model knows at a path; empty when the path leaves the models."""
    current = model
    for part in path:
        if isinstance(part, int) or _is_noise(part) or current is None:
            continue
        found = next((f for name, f in current.model_fields.items() if part in (name, f.alias)), None)
        current = _inner_model(found.annotation) if found else None
    return [field.alias or name for name, field in current.model_fields.items()] if current else ()


def _inner_model(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        if inner := _inner_model(argument):
            return inner
    return None


def _shorten(value: object) -> str:
    text = str(value) if isinstance(value, timedelta) else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."

"""What is wrong is said in words its author can act on."""

from datetime import timedelta
from typing import Annotated

import pytest
from pydantic import BaseModel, Field, ValidationError

from campaign.model import Frozen
from campaign.problems import Problem, Refused, closest, explain


class Inner(Frozen):
    colour: str = "red"
    no: "Inner | None" = Field(default=None, alias="not")


class Outer(Frozen):
    size: int = 1
    span: timedelta = Field(default=timedelta(0), ge=timedelta(0))
    inner: Inner | None = None
    many: tuple[Annotated[Inner, Field()], ...] = Field(default=(Inner(),), min_length=1)


def problems(raw: object, model: type[BaseModel] | None = Outer) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(raw)
    return [str(problem) for problem in explain(caught.value, model)]


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("radar", ["Radar", "Camera"], "did you mean 'Radar'? known: Camera, Radar"),
        ("xyz", ["Radar", "Camera"], "known: Camera, Radar"),
        ("radar", ["Radar", "Radar"], "did you mean 'Radar'? known: Radar"),
        ("radar", [], "known: none"),
        ("z", list("abcdefghijklm"), "known: a, b, c, d, e, f, g, h, i, j, k, l, …"),
    ],
)  # fmt: skip
def test_an_unknown_word_is_answered_with_the_closest_and_the_known_ones(
    word: str, known: list[str], hint: str
) -> None:
    assert closest(word, known) == hint


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ({"sise": 1}, ["sise = 1: unknown key; did you mean 'size'? known: inner, many, size, span"]),
        (
            {"inner": {"color": 1}},
            ["inner.color = 1: unknown key; did you mean 'colour'? known: colour, not"],
        ),
        (
            {"inner": {"not": {"not": {"colur": 1}}}},
            ["inner.not.not.colur = 1: unknown key; did you mean 'colour'? known: colour, not"],
        ),
        (
            {"many": [{}, {"color": 1}]},
            ["many.1.color = 1: unknown key; did you mean 'colour'? known: colour, not"],
        ),
        (
            {"size": ["x" * 100]},
            ["size = ['" + "x" * 75 + "...: Input should be a valid integer"],
        ),
        ({"span": -1}, ["span = -1 day, 23:59:59: Input should be greater than or equal to 0 seconds"]),
        ({"many": []}, ["many = []: Tuple should have at least 1 item after validation, not 0"]),
        ({"many": [{"colour": 1}]}, ["many.0.colour = 1: Input should be a valid string"]),
        (5, ["definition = 5: Input should be a valid dictionary or instance of Outer"]),
    ],
    ids=str,
)  # fmt: skip
def test_a_problem_names_the_path_the_value_and_the_cure(raw: object, wanted: list[str]) -> None:
    assert problems(raw) == wanted


def test_without_a_model_a_key_is_still_named() -> None:
    assert problems({"sise": 1}, None) == ["sise = 1: unknown key; known: none"]


def test_a_refusal_lists_every_problem_and_keeps_them() -> None:
    listed = [Problem("a", "1", "too small"), Problem("b", "", "is missing")]
    refused = Refused(listed, "package")
    assert str(refused) == "package refused: a = 1: too small; b: is missing"
    assert refused.problems == tuple(listed)
    assert str(Refused(listed)).startswith("definition refused: ")

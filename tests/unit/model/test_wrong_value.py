"""What is wrong with a value is said in words of the file, never in those of Python."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, TypeAdapter, ValidationError, field_validator

from clients.model.wrong_value import in_words, quoted

pytestmark = pytest.mark.unit


@dataclass(frozen=True)
class LeftOnly:
    left: int


class NamedSection(BaseModel):
    name: str = ""

    @field_validator("name")
    @classmethod
    def _known(cls, value: str) -> str:
        raise ValueError(f"there is no {value}")


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        (int, "x", "it must be a whole number"),
        (int, 1.5, "it must be a whole number"),
        (int, [], "it must be a whole number"),
        (float, "x", "it must be a number"),
        (bool, "maybe", "it must be true or false"),
        (str, 5, "it must be text"),
        (Path, 7, "it must be a path"),
        (list[str], 5, "it must be a list"),
        (tuple[str, ...], 5, "it must be a list"),
        (dict[str, str], 5, "it must be a table of names and values"),
        (NamedSection, 5, "it must be a table of names and values"),
        (LeftOnly, 5, "it must be a table of names and values"),
        (LeftOnly, {}, "it is missing"),
        (NamedSection, {"name": "x"}, "there is no x"),
        (Literal["a", "b"], "c", "it must be 'a' or 'b'"),
        (Literal["a", "b"], 5, "it must be 'a' or 'b'"),
        (date, "x", "it must be a date, for instance 2026-12-31"),
        (date, 3, "it must be a date, for instance 2026-12-31"),
        (Annotated[str, Field(min_length=1)], "", "it must have at least 1 character"),
        (Annotated[str, Field(pattern="^a$")], "b", "it must match pattern '^a$'"),
    ],
)
def test_each_kind_of_mistake(kind: Any, value: Any, words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(value)
    assert in_words(caught.value.errors()[0]) == words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (3, "3"),
        ("a\nb", r"'a\nb'"),
        (date(2026, 12, 31), "2026-12-31"),
        (datetime(2026, 12, 31, 7, 32, tzinfo=UTC), "2026-12-31T07:32:00+00:00"),
        (time(7, 32), "07:32:00"),
        ({"a": [True, {"b": "c"}]}, "{a = [true, {b = 'c'}]}"),
        ("x" * 500, "'" + "x" * 119 + "…"),
    ],
)
def test_a_value_is_quoted_as_the_file_has_it(value: Any, text: str) -> None:
    assert quoted(value) == text


def test_limits_keep_their_numbers() -> None:
    class BelowOne(BaseModel):
        share: float = Field(gt=0, lt=1)

    with pytest.raises(ValidationError) as caught:
        BelowOne(share=2)
    assert in_words(caught.value.errors()[0]) == "it must be less than 1"


def test_a_file_read_as_json_speaks_the_same_words() -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(list[LeftOnly]).validate_json('{"a": 1}')
    assert in_words(caught.value.errors()[0]) == "it must be a list"
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(list[LeftOnly]).validate_json("[5]")
    assert in_words(caught.value.errors()[0]) == "it must be a table of names and values"

"""What others have written is one line on a terminal, and no sequence that the terminal obeys."""

from __future__ import annotations

import pytest

from clients.model.errors import MeshproofError
from clients.model.printable import printable

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("as it is: é → … “x”", "as it is: é → … “x”"),
        (" a\n b\t\r\nc ", "a b c"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("\x9b5n", "\\x9b5n"),
        ("gpj.\u202eexe", "gpj.\\u202eexe"),
        ("half \udcff", "half \\udcff"),
    ],
)
def test_a_line_has_no_control_characters(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_an_error_is_one_line_with_its_hint() -> None:
    assert str(MeshproofError("no folder a\nb\x1b[2J", "name\nanother")) == "no folder a b\\x1b[2J; name another"
    assert str(MeshproofError("no folder a\nb")) == "no folder a b"

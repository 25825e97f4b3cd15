"""An error for a user is one sentence with a hint, also where its cause is a library's sentence."""

from __future__ import annotations

import pytest

from clients.model.errors import ClusterError

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("message", "hint", "line"),
    [
        ("the file cannot be used: No configuration found.", "name another", "{0}; {1}"),
        ("the file cannot be used", "name another", "{0}; {1}"),
        ("a long text that was cut...", "name another", "{0}...; {1}"),
        ("No configuration found.", "", "{0}."),
    ],
)
def test_no_full_stop_is_before_the_hint(message: str, hint: str, line: str) -> None:
    assert str(ClusterError(message, hint)) == line.format(message.rstrip("."), hint)

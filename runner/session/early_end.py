"""The early end of pytest's session, with one line as the command line writes it: `meshproof: …`."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest

NAMED: Any = type("meshproof", (pytest.exit.Exception,), {})
"""pytest writes the name of the exception before the message, where its session has not begun."""


def end(config: pytest.Config, why: str, code: int, *, begun: bool = True) -> NoReturn:
    """End it. The line takes the place of pytest's own, which names an exception between exclamation marks.

    Args:
        begun: whether the session has begun. Before that, pytest writes the line itself, and its terminal reporter
            would write it once more.

    Raises:
        pytest.exit.Exception: always.
    """
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter:
        reporter._report_keyboardinterrupt = lambda: reporter.write_line(f"meshproof: {why}") if begun else None
    raise NAMED(why, code)

"""Marks of the project's own tests. A plain run leaves the end-to-end tests out, and says so."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

END_TO_END = Path(__file__).parent / "e2e"
LEFT_OUT = pytest.StashKey[int]()


def pytest_configure() -> None:
    """Hear SIGINT, which a shell has ignored by what it starts in the background, and so by the runs of the tests."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """End-to-end tests run where they are asked for: by their mark, or by their path."""
    asked = "e2e" in (config.option.markexpr or "") or any("e2e" in str(argument) for argument in config.args)
    left_out = [] if asked else [item for item in items if item.get_closest_marker("e2e")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    config.stash[LEFT_OUT] = len(left_out)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """What a green line does not cover."""
    count = config.stash.get(LEFT_OUT, 0)
    if count:
        text = f"left out: {count} end-to-end tests (they need root and the embedded testbed): ./meshproof test"
        terminalreporter.write_line(text, yellow=True)

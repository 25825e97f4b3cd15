"""Marks of the project's own tests. A plain run leaves out the end-to-end and the nightly ones, and says so."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

E2E, NIGHTLY = "e2e", "nightly"
HOW = {
    E2E: "end-to-end tests (they need root and the embedded testbed): ./meshproof test",
    NIGHTLY: "nightly tests (the whole catalogue on each version of the mesh): ./meshproof test --nightly",
}
"""Mark → what is left out with it, and how it is run."""
LEFT_OUT = pytest.StashKey[Counter[str]]()


def pytest_configure() -> None:
    """Hear SIGINT, which a shell has ignored by what it starts in the background, and so by the runs of the tests."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """End-to-end and nightly tests run where they are asked for: by their mark, or by their path."""
    left_out = {item: mark for item in items if (mark := next(_not_asked_for(config, item), ""))}
    if left_out:
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]
    config.stash[LEFT_OUT] = Counter(left_out.values())


def _not_asked_for(config: pytest.Config, item: pytest.Item) -> Iterator[str]:
    """Marks of a test that nothing asks for, the rarer first. A folder of tests does not ask for its nightly ones."""
    marks, paths = config.option.markexpr or "", [str(argument) for argument in config.args]
    named = any(Path(path.split("::", 1)[0]).name == item.path.name for path in paths)
    asked = {NIGHTLY: NIGHTLY in marks or named, E2E: E2E in marks or any(E2E in path for path in paths)}
    yield from (mark for mark, wanted in asked.items() if not wanted and item.get_closest_marker(mark))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """What a green line does not cover."""
    for mark, count in sorted(config.stash.get(LEFT_OUT, Counter()).items()):
        terminalreporter.write_line(f"left out: {count} {HOW[mark]}", yellow=True)

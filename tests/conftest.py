"""Marks of the project's own tests. A plain run leaves out the end-to-end and the nightly ones, and reports that."""

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
    NIGHTLY: "nightly tests (the whole catalogue by version and by role): ./meshproof test --nightly",
}
"""Mark → what is left out with it, and how it is run."""
LEFT_OUT = pytest.StashKey[Counter[str]]()


WARNINGS = ("error", "default::DeprecationWarning:kubernetes", "default::ResourceWarning")
"""A warning fails a test. It fails no case of a run: what a library warns of is no statement about a mesh."""


def pytest_configure(config: pytest.Config) -> None:
    """Be strict with warnings, and restore SIGINT, which a shell ignores for a background job, and so for runs here."""
    for one in WARNINGS:
        config.addinivalue_line("filterwarnings", one)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out end-to-end and nightly tests unless their mark or their path selects them."""
    left_out = {item: mark for item in items if (mark := next(_not_selected(config, item), ""))}
    if left_out:
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]
    config.stash[LEFT_OUT] = Counter(left_out.values())


def _not_selected(config: pytest.Config, item: pytest.Item) -> Iterator[str]:
    """Marks of a test that nothing selects, the rarer first. A folder of tests does not select its nightly ones."""
    marks, paths = config.option.markexpr or "", [str(argument) for argument in config.args]
    named = any(Path(path.split("::", 1)[0]).name == item.path.name for path in paths)
    asked = {NIGHTLY: NIGHTLY in marks or named, E2E: E2E in marks or any(E2E in path for path in paths)}
    yield from (mark for mark, wanted in asked.items() if not wanted and item.get_closest_marker(mark))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print how many tests were left out, and how to run them."""
    for mark, count in sorted(config.stash.get(LEFT_OUT, Counter()).items()):
        terminalreporter.write_line(f"left out: {count} {HOW[mark]}", yellow=True)

"""What a run says of itself: what it plans, in which environment it runs, and lines while it starts."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from collections.abc import Callable, Iterable

import pytest

from reports import earlier
from reports.gates import Gates
from runner.config.catalogue import Catalogue
from runner.config.settings import Settings
from runner.session.planned import PlannedTest

SHOWN_PACKAGES = ("kubernetes", "pytest", "pytest-xdist")


def planned(tests: Iterable[PlannedTest], catalogue: Catalogue) -> tuple[str, ...]:
    """Ids of the cases that are planned, in the order of the catalogue."""
    order = {name: place for place, name in enumerate(catalogue.controls)}
    cases = sorted(tests, key=lambda entry: (order.get(entry.control, len(order)), entry.id))
    return tuple(name for entry in cases for name in entry.ids)


def unrecorded(tests: Iterable[PlannedTest], seen: Iterable[tuple[str, str]]) -> bool:
    """Whether a planned case has no evidence; `seen` has node id and case of all evidence.

    Before the workers have collected nothing is known to be planned; then every case is without evidence.
    """
    names = {name for one in tests for name in one.ids}
    return not names or bool(names - {case for _, case in seen})


def gates(settings: Settings) -> Gates:
    """What a run with these settings may show and still conform.

    Raises:
        ReportError: the baseline cannot be read.
    """
    baseline = earlier.load(settings.baseline) if settings.baseline else None
    return Gates(settings.max_inconclusive, settings.max_reduced, baseline)


def environment() -> dict[str, str]:
    """Versions of Python and of the packages that matter for a verdict, and the system's name."""
    versions = {name: importlib.metadata.version(name) for name in SHOWN_PACKAGES}
    return {"python": platform.python_version(), "system": sys.platform, **versions}


def sayer(config: pytest.Config) -> Callable[[str], None]:
    """A function that shows a line at once, also where standard output is a file: a first start takes long."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")

    def say(line: str) -> None:
        if reporter:
            reporter.write_line(line)
            reporter.flush()
        else:
            print(line, flush=True)

    return say

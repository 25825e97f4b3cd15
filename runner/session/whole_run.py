"""Whether a run is of everything, and which controls it lost: a whole run that lost one does not conform."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from runner.config.catalogue import Catalogue
from runner.config.settings import ROOT
from runner.session.planned import PlannedTest
from runner.session.record import CLEAN_UP

SUITES = ROOT / "suites"
NARROWING = ("control", "keyword", "markexpr", "deselect", "ignore", "ignore_glob", "lf", "stepwise")
"""Options, ours and pytest's, that leave tests out (by `dest`); each is empty where it was not given."""
HARNESS_CONTROLS = frozenset({CLEAN_UP})
"""Controls that no test proves: the harness judges them in every run, and reports them only where they fail."""


def is_whole(config: pytest.Config) -> bool:
    """Whether the command line asks for all suites, and leaves nothing out."""
    if any(config.getoption(name, None) for name in NARROWING):
        return False
    here = config.invocation_params.dir
    asked = [(here / str(argument)).resolve() for argument in config.args]
    topics = {module.parent for module in SUITES.rglob("test_*.py")}
    return all(any(topic.is_relative_to(path) for path in asked) for topic in topics)


def takes_whole_controls(config: pytest.Config) -> bool:
    """Whether the command line leaves out no single case of a control that it asks for."""
    options = (name for name in NARROWING if name not in ("control", "ignore", "ignore_glob"))
    return not any(config.getoption(name, None) for name in options) and not any("::" in str(a) for a in config.args)


def lost(plan: Iterable[PlannedTest], catalogue: Catalogue) -> frozenset[str]:
    """Controls of the catalogue that a whole run ought to prove, and that no test of this plan proves."""
    return frozenset(catalogue.controls) - HARNESS_CONTROLS - {entry.control for entry in plan}

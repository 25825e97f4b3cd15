"""Whether a run is of everything, and which controls it lost: a whole run that lost one does not conform."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import pytest

from reports.record.coverage import CLEAN_UP
from runner.config.catalogue import Catalogue
from runner.config.settings import ROOT
from runner.session.planned import PlannedTest

SUITES = ROOT / "suites"
NARROWING = (
    "control", "tag", "skip_tag", "rerun_failed",
    "keyword", "markexpr", "deselect", "ignore", "ignore_glob", "lf", "stepwise",
)  # fmt: skip
"""Options, ours and pytest's, that leave tests out (by `dest`); each is empty where it was not given."""
WHOLE_CONTROLS = ("control", "tag", "skip_tag", "ignore", "ignore_glob")
"""Those that leave out no single case of a control."""
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
    options = (name for name in NARROWING if name not in WHOLE_CONTROLS)
    return not any(config.getoption(name, None) for name in options) and not any("::" in str(a) for a in config.args)


def unproven(
    plan: Collection[PlannedTest], catalogue: Catalogue, selected: frozenset[str], *, whole: bool
) -> frozenset[str]:
    """Controls that ought to be proven, and that no test of this plan proves; none as long as there is no plan.

    Args:
        selected: controls that were selected by name; they count unless the run is a whole one.
    """
    if not plan:
        return frozenset()
    return lost(plan, catalogue) if whole else selected - {entry.control for entry in plan}


def lost(plan: Iterable[PlannedTest], catalogue: Catalogue) -> frozenset[str]:
    """Controls of the catalogue that a whole run ought to prove, and that no test of this plan proves."""
    return frozenset(catalogue.controls) - HARNESS_CONTROLS - {entry.control for entry in plan}
